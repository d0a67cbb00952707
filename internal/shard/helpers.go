package shard

import "sync/atomic"

// helpers lets goroutines help with work for as long as it isn't done, and waits at the end for those that do: one that
// wakes up too late, since all processors are busy, is not waited for.
type helpers struct {
	state atomic.Int64  // isOpen, and the number of those at work
	last  chan struct{} // told by the last to leave once closed
}

const isOpen = 1 << 32

// open lets helpers enter.
func (h *helpers) open() { h.state.Add(isOpen) }

// close lets no more enter and waits for those at work.
func (h *helpers) close() {
	if h.state.Load()&isOpen == 0 {
		return
	}
	if h.state.Add(-isOpen) > 0 {
		<-h.last
	}
}

// enter reports whether there is work.
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

// leave ends the work of one that has entered.
func (h *helpers) leave() {
	if h.state.Add(-1) == 0 {
		h.last <- struct{}{}
	}
}
