package workers

import "runtime"

// leastMost is the number of goroutines that a caller may always ask for, also on a machine of few processors: they may
// wait for disks.
const leastMost = 64

// Threads returns how many goroutines to use for a number of jobs, at least 1. asked is what the caller wants; 0 or
// less means GOMAXPROCS. The result is at most the number of jobs, and at most 4 for each processor or 64, since each
// goroutine takes memory of its own.
func Threads(asked, jobs int) int {
	processors := runtime.GOMAXPROCS(0)
	if asked <= 0 {
		asked = processors
	}
	return max(1, min(asked, jobs, max(leastMost, 4*processors)))
}
