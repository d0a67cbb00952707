// Package heap is a binary heap of ordered values that calls no interface and, with room, allocates nothing.
package heap

import "cmp"

// Heap is a binary heap, smallest first. The zero value is empty.
type Heap[T cmp.Ordered] []T

// Push adds a value.
func (h *Heap[T]) Push(v T) {
	*h = append(*h, v)
	a, i := *h, len(*h)-1
	for i > 0 {
		up := (i - 1) / 2
		if a[up] <= v {
			break
		}
		a[i] = a[up]
		i = up
	}
	a[i] = v
}

// Pop removes the smallest value and returns it. The heap must not be empty.
func (h *Heap[T]) Pop() T {
	a := *h
	top, last := a[0], a[len(a)-1]
	a = a[:len(a)-1]
	*h = a
	i := 0
	for {
		child := 2*i + 1
		if child >= len(a) {
			break
		}
		if child+1 < len(a) && a[child+1] < a[child] {
			child++
		}
		if last <= a[child] {
			break
		}
		a[i] = a[child]
		i = child
	}
	if len(a) > 0 {
		a[i] = last
	}
	return top
}
