package collection

import (
	"sync"
	"testing"
)

// TestIDCache has goroutines write and read numbers that share few places: what is found is always the right ID.
func TestIDCache(t *testing.T) {
	c := newIDCache(4 * idSlotBytes)
	if len(c.slots) != 4 {
		t.Fatalf("it has %d places, not 4", len(c.slots))
	}
	if id, ok := c.get(0); ok {
		t.Errorf("an empty cache knows the ID %d", id)
	}
	c.put(5, StringID("a"))
	if id, ok := c.get(5); ok {
		t.Errorf("a string is the number %d", id)
	}
	var all sync.WaitGroup
	for first := range uint64(4) {
		all.Go(func() {
			for i := range uint64(20_000) {
				n := (first + i) % 16
				if id, ok := c.get(n); ok && id != 1000+n {
					t.Errorf("document %d has the ID %d", n, id)
				}
				c.put(n, NumberID(1000+n))
			}
		})
	}
	all.Wait()
	c.put(5, NumberID(9))
	if id, ok := c.get(5); !ok || id != 9 {
		t.Errorf("document 5 has the ID %d, %v", id, ok)
	}
	if id, ok := c.get(1); ok {
		t.Errorf("document 1 has the ID %d of another at its place", id)
	}
}
