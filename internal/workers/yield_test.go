package workers

import (
	"runtime"
	"sync/atomic"
	"testing"
)

// TestYield yields the only processor to another goroutine, which runs at once then. Several times, since the scheduler
// may pick the first goroutine again.
func TestYield(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var ran atomic.Bool
	go ran.Store(true)
	for range 100 {
		var y Yield
		y.Now()
	}
	if !ran.Load() {
		t.Error("the other goroutine hasn't run")
	}
}
