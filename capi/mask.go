//go:build cgo

package main

import (
	"sync"

	"github.com/shale-search/shale/internal/hnsw"
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
	next, err := x.met.next(x.LargestLabel)
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

// labelsMet knows the label that follows the largest one that an index has met. It is found when it is first asked for.
type labelsMet struct {
	mu      sync.Mutex
	counter hnsw.LabelCounter
}

// next returns the label that follows the largest one, or 0 for an index without labels.
func (m *labelsMet) next(largest func() (label uint64, ok bool, err error)) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.counter.Known() {
		label, ok, err := largest()
		if err != nil || !ok {
			return 0, err
		}
		m.counter.Start(label, true)
	}
	return m.counter.Next(), nil
}

// add notes labels that are about to be added.
func (m *labelsMet) add(labels []uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, label := range labels {
		m.counter.Met(label)
	}
}
