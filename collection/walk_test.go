package collection

import (
	"context"
	"errors"
	"testing"

	"github.com/shale-search/shale/vector"
)

// TestWalk passes over a collection twice while it is changed: both passes see the state in which it began.
func TestWalk(t *testing.T) {
	c := created(t, plain(vector.L2), Options{})
	for i := range 10 {
		mustUpsert(t, c, document(NumberID(uint64(i)), i%2, float32(i), 0, 0, 0))
		if i == 5 {
			if err := c.Seal(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, x := range []struct {
		filter Filter
		want   string
	}{{Filter{}, `[0,1,2,3,4,5,6,7,8,9]`}, {Equal("number", 1), `[1,3,5,7,9]`}} {
		var seen [2][]ID
		pass := func(i int) func(Document) error {
			return func(d Document) error {
				if n := int(d.ID.number); text(t, d) != text(t, document(d.ID, n%2, float32(n), 0, 0, 0)) {
					t.Errorf("document %d is %s", n, text(t, d))
				}
				if len(seen[i]) == 2 {
					mustUpsert(t, c, document(NumberID(5), 7, 7, 7, 7, 7), document(NumberID(77), 1, 7, 7, 7, 7))
					if _, err := c.Delete(context.Background(), NumberID(9)); err != nil {
						t.Fatal(err)
					}
				}
				seen[i] = append(seen[i], d.ID)
				return nil
			}
		}
		o := WalkOptions{Filter: x.filter, Fields: Fields{Payload: true, Vectors: true}}
		if err := c.Walk(context.Background(), o, pass(0), pass(1)); err != nil {
			t.Fatal(err)
		}
		for i := range seen {
			if got := text(t, seen[i]); got != x.want {
				t.Errorf("pass %d saw %s, not %s", i, got, x.want)
			}
		}
		mustUpsert(t, c, document(NumberID(5), 1, 5, 0, 0, 0), document(NumberID(9), 1, 9, 0, 0, 0))
		if _, err := c.Delete(context.Background(), NumberID(77)); err != nil {
			t.Fatal(err)
		}
	}
	stop := errors.New("stop")
	err := c.Walk(context.Background(), WalkOptions{}, func(Document) error { return stop })
	if !errors.Is(err, stop) {
		t.Errorf("a pass that fails gave %v", err)
	}
	verified(t, c, 10)
}
