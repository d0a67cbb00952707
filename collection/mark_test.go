package collection

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/shale-search/shale/vector"
)

// TestMarks sets marks together with documents, or neither.
func TestMarks(t *testing.T) {
	c := created(t, plain(vector.L2), Options{})
	want := func(value string) {
		t.Helper()
		if got, err := c.Mark("import"); err != nil || string(got) != value {
			t.Errorf("the mark is %q, not %q, %v", got, value, err)
		}
	}
	one := []Document{document(NumberID(1), 1, 1, 2, 3, 4)}
	set := func(batch []Document, value []byte) error {
		return c.UpsertMarked(context.Background(), batch, Mark{"import", value})
	}
	want("")
	if err := set(one, []byte("1 row")); err != nil {
		t.Fatal(err)
	}
	want("1 row")
	nan := []Document{document(NumberID(2), 1, 1, 2, 3, float32(math.NaN()))}
	if err := set(nan, []byte("2 rows")); !errors.Is(err, ErrInvalid) {
		t.Errorf("a vector of NaN gave %v", err)
	}
	if err := set(one, make([]byte, mostMarkBytes+1)); !errors.Is(err, ErrInvalid) {
		t.Errorf("a large mark gave %v", err)
	}
	err := c.UpsertMarked(context.Background(), one, Mark{Name: strings.Repeat("x", mostMarkName+1)})
	if !errors.Is(err, ErrInvalid) {
		t.Errorf("a long name gave %v", err)
	}
	want("1 row")
	if err := set(nil, []byte("none")); err != nil {
		t.Fatal(err)
	}
	c = reopened(t, c)
	want("none")
	if err := set(nil, nil); err != nil {
		t.Fatal(err)
	}
	want("")
	verified(t, c, 1)
}
