package collection

import (
	"math/bits"
	"sync/atomic"
)

// idCache remembers the IDs of documents, if they are numbers, so that a query needn't ask the store for each hit. What
// it says is never out of date: a document keeps its number as long as it keeps its ID, and no other gets that number.
// Many goroutines may use it at once, and none waits.
type idCache struct{ slots []idSlot }

// idSlot is the place of the documents whose numbers have some last bits in common, of which it remembers one.
type idSlot struct {
	version atomic.Uint32 // grows with each change, and is odd while one is made
	number  atomic.Uint64 // of the document, plus 1; 0: there is none
	id      atomic.Uint64
}

const idSlotBytes = 24

// newIDCache returns a cache of at most some bytes.
func newIDCache(most int64) *idCache {
	n := max(most/idSlotBytes, 1)
	return &idCache{make([]idSlot, 1<<(bits.Len64(uint64(n))-1))}
}

func (c *idCache) slot(n uint64) *idSlot { return &c.slots[n&uint64(len(c.slots)-1)] }

// get returns the ID of document n, if it is known and a number.
func (c *idCache) get(n uint64) (id uint64, ok bool) {
	s := c.slot(n)
	version := s.version.Load()
	number := s.number.Load()
	id = s.id.Load()
	return id, number == n+1 && version%2 == 0 && s.version.Load() == version
}

// put remembers the ID of document n, if it is a number, unless another goroutine changes the same place.
func (c *idCache) put(n uint64, id ID) {
	if id.isText {
		return
	}
	s := c.slot(n)
	version := s.version.Load()
	if version%2 == 1 || !s.version.CompareAndSwap(version, version+1) {
		return
	}
	s.number.Store(n + 1)
	s.id.Store(id.number)
	s.version.Store(version + 2)
}
