package workers

import (
	"math"
	"runtime"
	"testing"
)

func TestThreads(t *testing.T) {
	processors := runtime.GOMAXPROCS(0)
	most := max(64, 4*processors)
	for _, c := range []struct{ asked, jobs, want int }{
		{0, math.MaxInt, processors},
		{-1, math.MaxInt, processors},
		{math.MinInt, 0, 1},
		{3, 2, 2},
		{3, 100, 3},
		{64, 100, 64},
		{math.MaxInt, 5, 5},
		{math.MaxInt, math.MaxInt, most},
		{1 << 20, 1 << 30, most},
	} {
		if got := Threads(c.asked, c.jobs); got != c.want {
			t.Errorf("Threads(%d, %d) is %d, want %d", c.asked, c.jobs, got, c.want)
		}
	}
}
