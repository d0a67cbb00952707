package shard

import "sync/atomic"

// helpers lets goroutines help with work until it is done, and then waits for those that are still helping. It doesn't
// wait for a goroutine that starts too late because all processors are busy.
type helpers struct {
	state atomic.Int64  // isOpen plus the number of goroutines at work
	last  chan struct{} // receives a value when the last goroutine leaves after close
}

const isOpen = 1 << 32

// open lets goroutines enter.
func (h *helpers) open() { h.state.Add(isOpen) }

// close lets no more goroutines enter and waits for those at work.
func (h *helpers) close() {
	if h.state.Load()&isOpen == 0 {
		return
	}
	if h.state.Add(-isOpen) > 0 {
		<-h.last
	}
}

// enter reports whether there is work, and counts the caller as at work if so.
func (h *helpers) enter() bool {
	for {
		now := h.state.Load()
		if now&isOpen == 0 {
			return false
		}
		if h.state.CompareAndSwap(now, now+1) {
			return true
		}
	}
}

// leave ends the work of a goroutine that has entered.
func (h *helpers) leave() {
	if h.state.Add(-1) == 0 {
		h.last <- struct{}{}
	}
}
