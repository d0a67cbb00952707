package collection

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/shale-search/shale/vector"
)

// TestUpdateWhere changes the documents that satisfy a filter, in several batches.
func TestUpdateWhere(t *testing.T) {
	c := created(t, plain(vector.L2), Options{MaxBatch: 4})
	for i := range 20 {
		mustUpsert(t, c, document(NumberID(uint64(i)), i%2, float32(i), 0, 0, 0))
		if i == 9 {
			if err := c.Seal(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	odd := Equal("number", 1)
	for range 2 {
		n, err := c.UpdateWhere(context.Background(), odd, Update{Set: json.RawMessage(`{"odd":true}`)})
		if n != 10 || err != nil {
			t.Fatalf("%d documents were updated, %v", n, err)
		}
	}
	moved := Update{Vector: []float32{7, 7, 7, 7}}
	if n, err := c.UpdateWhere(context.Background(), odd, moved); n != 10 || err != nil {
		t.Fatalf("%d documents were moved, %v", n, err)
	}
	if _, err := c.UpdateWhere(context.Background(), odd, Update{}); !errors.Is(err, ErrInvalid) {
		t.Errorf("an update of nothing gave %v", err)
	}
	c = reopened(t, c)
	for i := range 20 {
		want := document(NumberID(uint64(i)), i%2, float32(i), 0, 0, 0)
		if i%2 == 1 {
			want = document(NumberID(uint64(i)), 1, 7, 7, 7, 7)
			want.Payload = json.RawMessage(`{"number":1,"odd":true}`)
		}
		if got := text(t, mustGet(t, c, NumberID(uint64(i)))[0]); got != text(t, want) {
			t.Errorf("the document is %s, not %s", got, text(t, want))
		}
	}
	verified(t, c, 20)
}
