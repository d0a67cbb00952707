package workers

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestAllIsDoneWhenRunReturns(t *testing.T) {
	for _, n := range []int{-1, 0, 1, 2, 7} {
		for round := range 200 {
			var next, done, under atomic.Int64
			items := int64(round % 23)
			Run(n, items, func(items int64) {
				under.Add(1)
				defer under.Add(-1)
				for next.Add(1) <= items {
					done.Add(1)
				}
			})
			if done.Load() != items || under.Load() != 0 {
				t.Fatalf("%d of %d are done with %d workers, %d of which go on", done.Load(), items, n, under.Load())
			}
		}
	}
}

// TestOthersHelp: where one item waits for the others to be under way, as many workers as asked for come.
func TestOthersHelp(t *testing.T) {
	const n = 4
	var together sync.WaitGroup
	together.Add(n)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		Run(n, &together, func(all *sync.WaitGroup) { all.Done(); all.Wait() })
	}()
	select {
	case <-finished:
	case <-time.After(time.Minute):
		t.Fatal("the workers don't meet")
	}
}

// TestAPanicLeavesNoneBehind: what goes wrong in the caller's call goes on when the others have ended, and none begins
// then.
func TestAPanicLeavesNoneBehind(t *testing.T) {
	c := new(group)
	if !c.join() {
		t.Fatal("none may begin")
	}
	var ended atomic.Bool
	go func() {
		defer c.helpers.Done()
		time.Sleep(10 * time.Millisecond)
		ended.Store(true)
	}()
	func() {
		defer func() {
			if recover() != "wrong" || !ended.Load() {
				t.Error("a worker goes on")
			}
		}()
		defer c.finish()
		panic("wrong")
	}()
	c.help(func() { t.Error("a worker begins when all is over") })
}
