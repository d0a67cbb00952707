//go:build cgo

package main

import (
	"math"
	"slices"
	"sync"
)

// checkMasks refuses masks that don't go with the labels of an index: those that end before the largest label, which
// would refuse the rest in silence, and those made for more rows than there are.
func checkMasks(x *index, filters []*filter) error {
	for _, f := range filters {
		if f == nil || f.mask < 0 {
			continue
		}
		if err := checkMask(x, uint64(f.mask)); err != nil {
			return err
		}
	}
	return nil
}

func checkMask(x *index, size uint64) error {
	next, err := x.after()
	if err != nil || size == next || next == 0 {
		return err
	}
	if size > next {
		if size <= uint64(x.stat().capacity) { // a value for each row that there is or may be
			return nil
		}
		return wrongMask(size, next)
	}
	largest, ok, err := x.LargestLabel() // that met may be gone
	if err != nil || !ok || size > largest {
		return err
	}
	return wrongMask(size, next)
}

func wrongMask(size, next uint64) error {
	return valueError("a mask of %d values, where labels go up to %d: it must have one for each label", size, next-1)
}

// top is the number that follows the largest label that an index has met, found when it is first asked for.
type top struct {
	mu    sync.Mutex
	known bool
	next  uint64
}

func (t *top) after(largest func() (label uint64, ok bool, err error)) (uint64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known {
		return t.next, nil
	}
	label, ok, err := largest()
	if err != nil || !ok {
		return 0, err
	}
	t.next, t.known = label+1, true
	return t.next, nil
}

// met notes labels that are about to be added.
func (t *top) met(labels []uint64) {
	if len(labels) == 0 {
		return
	}
	last := slices.Max(labels)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known && last >= t.next && last != math.MaxUint64 {
		t.next = last + 1
	}
}

func (x *index) after() (uint64, error) { return x.top.after(x.LargestLabel) }
