package workers

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// TestYield works on the only processor until another goroutine has run, which only Yield lets it do.
func TestYield(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var ran atomic.Bool
	go ran.Store(true)
	var y Yield
	for began := time.Now(); !ran.Load(); y.Now() {
		if time.Since(began) > time.Minute {
			t.Fatal("the other goroutine hasn't run")
		}
	}
}
