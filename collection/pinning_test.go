package collection

import (
	"context"
	"slices"
	"testing"
)

// TestPinning pins segments as far as the memory goes, gives it back with them, and finds the same.
func TestPinning(t *testing.T) {
	c, all := boundCase(t, 600, 200, 100)
	find := func() (found [][]Hit) {
		for i := 0; i < len(all); i += 90 {
			found = append(found, mustQuery(t, c, Query{Near: [][]float32{all[i]}, K: 5})...)
		}
		return found
	}
	want := find()
	pin := func(memory int64) int64 {
		c.options.Memory = memory
		if more, err := c.pinSome(context.Background()); more || err != nil {
			t.Fatal(err)
		}
		return c.pinning.bytes.Load()
	}
	if n := pin(0); n != 0 {
		t.Errorf("%d bytes without memory for it", n)
	}
	some := pin(70_000)
	more := pin(1 << 30)
	if some == 0 || more <= some || pin(1<<30) != more {
		t.Errorf("%d bytes, then %d", some, more)
	}
	if found := find(); !slices.EqualFunc(found, want, sameHits) {
		t.Errorf("%v are found, not %v", found, want)
	}
	if err := mergeAll(c); err != nil {
		t.Fatal(err)
	}
	if n := c.pinning.bytes.Load(); n != 0 {
		t.Errorf("%d bytes of segments that are gone", n)
	}
	if pin(1<<30) == 0 {
		t.Error("the merged segment isn't pinned")
	}
	verified(t, c, len(all))
}

func sameHits(a, b []Hit) bool {
	return slices.EqualFunc(a, b, func(a, b Hit) bool { return a.ID == b.ID && a.Distance == b.Distance })
}
