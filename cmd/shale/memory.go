package main

import (
	"bufio"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/inside"
)

// residentBytes is the memory that the process has resident, or 0 where the system doesn't tell.
func residentBytes() int64 { return statusBytes("VmRSS:") }

// statusBytes returns the size that /proc/self/status gives under name, in bytes, or 0 if there is none.
func statusBytes(name string) int64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), name); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
			if err != nil {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}

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
