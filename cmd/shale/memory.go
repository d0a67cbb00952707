package main

import (
	"runtime/debug"
	"time"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/inside"
)

const (
	// programBytes are for what the Go heap and the arrays leave out: stacks, the runtime, pages of code that are used.
	programBytes = 12 << 20
	// leastHeap is what the Go heap may take in any case.
	leastHeap = 16 << 20
)

// boundHeap keeps the Go heap within what memory, 0 being any, leaves beside the index's arrays, which lie outside:
// else it might grow to twice of what is in use. Of an index in one piece the arrays aren't known; all of it fits then.
func boundHeap(index *shale.Index, memory int64) {
	placed, ok := inside.Of(index).Placement()
	if memory <= 0 || !ok {
		return
	}
	debug.SetMemoryLimit(max(leastHeap, memory-programBytes-placed.ArrayBytes()))
}

// timed runs fn and gives the seconds it took.
func timed(fn func() error) (float64, error) {
	began := time.Now()
	err := fn()
	return time.Since(began).Seconds(), err
}
