package crew

import "runtime"

// leastMost is how many goroutines may be asked for on a machine of few processors, which wait for disks, say.
const leastMost = 64

// Threads is how many goroutines to use where asked are asked for, 0 or less meaning GOMAXPROCS: no more than there are
// jobs, and no more than several for each processor, since each takes memory of its own.
func Threads(asked, jobs int) int {
	processors := runtime.GOMAXPROCS(0)
	if asked <= 0 {
		asked = processors
	}
	return max(1, min(asked, jobs, max(leastMost, 4*processors)))
}
