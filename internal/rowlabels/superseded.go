// Package rowlabels finds rows that are superseded by later rows with the same label.
package rowlabels

import "slices"

// Set is a set of row numbers. A nil Set is empty.
type Set []uint64

// Has reports whether row is in the set.
func (s Set) Has(row int) bool { return s != nil && s[row>>6]>>(row&63)&1 != 0 }

func (s Set) add(row int) { s[row>>6] |= 1 << (row & 63) }

// Superseded returns the rows whose label a later row has too, and their number. Labels in rising order are only
// scanned; others are copied and sorted.
func Superseded(labels []uint64) (rows Set, n int) {
	if slices.IsSortedFunc(labels, rising) {
		return nil, 0
	}
	twice := repeated(labels)
	if len(twice) == 0 {
		return nil, 0
	}
	rows = make(Set, (len(labels)+63)/64)
	met := make(Set, (len(twice)+63)/64)
	for row := len(labels) - 1; row >= 0; row-- {
		at, ok := slices.BinarySearch(twice, labels[row])
		switch {
		case !ok:
		case met.Has(at):
			rows.add(row)
			n++
		default:
			met.add(at)
		}
	}
	return rows, n
}

// rising is an order in which labels are sorted only if they rise strictly.
func rising(a, b uint64) int {
	if a > b {
		return 1
	}
	return -1
}

// repeated returns the labels that occur more than once, sorted.
func repeated(labels []uint64) []uint64 {
	sorted := slices.Clone(labels)
	slices.Sort(sorted)
	n := 0
	for i := 1; i < len(sorted); i++ {
		if label := sorted[i]; label == sorted[i-1] && (n == 0 || sorted[n-1] != label) {
			sorted[n] = label // n < i, which nothing reads any more
			n++
		}
	}
	return slices.Clone(sorted[:n])
}
