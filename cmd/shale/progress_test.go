package main

import (
	"bytes"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// lines is what several goroutines print.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// take returns what was printed since it was called last.
func (l *lines) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.b.Reset()
	return l.b.String()
}

// TestProgressWithoutATerminal reads what is printed of work in steps, by a clock that stands still meanwhile.
func TestProgressWithoutATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b lines
		s := &steps{w: &b}
		pass := func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
		}
		expect := func(want string) {
			t.Helper()
			if got := b.take(); got != want {
				t.Errorf("printed was %q, not %q", got, want)
			}
		}
		s.set("reading", 1, 2) // nothing is said before work has taken long
		pass(reporting - time.Millisecond)
		expect("")
		s.set("dividing", 0, 0)
		pass(quiet + reporting)
		expect("dividing: 1s\ndividing: 31s\n")
		s.set("storing", 1, 2) // nor of a short step after that

		// A step that goes on from 1,000,000 rows adds 500 in the first second.
		expect("dividing: done in 31s\n")
		s.set("building", 1_000_000, 2_000_000)
		expect("")
		pass(quiet / 2)
		s.set("building", 1_000_250, 2_000_000)
		pass(quiet / 2)
		expect("building: 1,000,250 of 2,000,000 (50%), 250/s, 1h6m39s left\n")
		s.set("building", 1_000_500, 2_000_000)
		pass(reporting - time.Millisecond)
		expect("")
		pass(time.Millisecond)
		expect("building: 1,000,500 of 2,000,000 (50%), 16/s, 17h12m49s left\n")
		s.set("building", 2_000_000, 2_000_000)
		s.end()
		expect("building: done in 31s\n")

		// Nothing is said of a step that was broken off, whose error follows.
		s.set("writing", 0, 10)
		pass(quiet)
		expect("writing: 0 of 10 (0%)\n")
		s.end()
		s.end()
		expect("")
	})
}

// TestProgressOfTotalsThatChange shows work whose amount turns out later, and too slow for a rate a second.
func TestProgressOfTotalsThatChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b lines
		p := newProgress(&b, "trying", 1)
		p.setOf(0, 4)
		time.Sleep(reporting)
		synctest.Wait()
		p.setOf(2, 5)
		time.Sleep(reporting + time.Second)
		synctest.Wait()
		p.setOf(5, 5)
		p.end()
		want := "trying: 0 of 4 (0%)\ntrying: 2 of 5 (40%), 1m30s left\ntrying: done in 1m1s\n"
		if got := b.take(); got != want {
			t.Errorf("printed was %q, not %q", got, want)
		}
	})
}
