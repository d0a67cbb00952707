package collection

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/vector"
)

func mustUpdate(t testing.TB, c *Collection, want int, batch ...Update) {
	t.Helper()
	if n, err := c.Update(context.Background(), batch); err != nil || n != want {
		t.Fatalf("%d documents were updated, not %d: %v", n, want, err)
	}
}

// payloadOf returns the payload of a document, which must be there.
func payloadOf(t testing.TB, c *Collection, id ID) string {
	t.Helper()
	found := mustGet(t, c, id)
	if len(found) != 1 {
		t.Fatalf("there are %d documents with id %s", len(found), id)
	}
	return string(found[0].Payload)
}

// TestUpdatePayload changes payloads of documents in memory and in files. Their rows stay where they are.
func TestUpdatePayload(t *testing.T) {
	for _, x := range []struct {
		before, want string
		u            Update
	}{
		{`{"a":1}`, `{"a":1,"b":[2]}`, Update{Set: json.RawMessage(` { "b" : [2] } `)}},
		{`{"a":1,"b":2}`, `{"a":{"c":1e2},"b":2}`, Update{Set: json.RawMessage(`{"a":{"c":1e2}}`)}},
		{``, `{"ü":"<&>"}`, Update{Set: json.RawMessage(`{"ü":"<&>"}`)}},
		{`{"a":12345678901234567890}`, `{"a":12345678901234567890,"b":null}`, Update{Set: json.RawMessage(`{"b":null}`)}},
		{`{"a":1,"a":2}`, `{"a":2,"b":1}`, Update{Set: json.RawMessage(`{"b":1}`)}},
		{`{"a":1,"b":2}`, `{"b":2}`, Update{Unset: []string{"a", "c"}}},
		{`{"a":1}`, ``, Update{Unset: []string{"a"}}},
		{`{"a":{"b":1,"c":{"d":2,"e":3}}}`, `{"a":{"b":1,"c":{"e":3}}}`, Update{Unset: []string{"a.c.d", "a.x.y", "a.b.c"}}},
		{`{"a.b":1,"a":{"b":2}}`, `{"a":{"b":2}}`, Update{Unset: []string{"a.b"}}},
		{`{"a":{"b.c":1}}`, `{"a":{}}`, Update{Unset: []string{"a.b.c"}}},
		{`{"a":1}`, `{"a":3}`, Update{Unset: []string{"a"}, Set: json.RawMessage(`{"a":3}`)}},
		{`{"a":1}`, ``, Update{Clear: true}},
		{`{"a":1}`, `{"b":1}`, Update{Clear: true, Set: json.RawMessage(`{"b":1}`)}},
		{`{"a":1}`, `{"b":1}`, Update{Payload: json.RawMessage(`{"b": 1}`)}},
		{`{"a":1}`, `{}`, Update{Payload: json.RawMessage(`{}`)}},
		{`{"a":1}`, `{"b":1,"c":2}`, Update{Payload: json.RawMessage(`{"b":1}`), Set: json.RawMessage(`{"c":2}`)}},
	} {
		c := created(t, plain(vector.L2), Options{})
		for sealed := range 2 {
			d := document(NumberID(1), 1, 1, 2, 3, 4)
			d.Payload = json.RawMessage(x.before)
			mustUpsert(t, c, d, document(NumberID(2), 1, 1, 2, 3, 5))
			if sealed == 1 {
				if err := c.Seal(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			next := c.next
			x.u.ID = NumberID(1)
			mustUpdate(t, c, 1, x.u, Update{ID: StringID("none"), Clear: true})
			if got := payloadOf(t, c, NumberID(1)); got != x.want || c.next != next {
				t.Errorf("%s became %s, not %s; %d rows were written", x.before, got, x.want, c.next-next)
			}
			c = reopened(t, c)
			if got := payloadOf(t, c, NumberID(1)); got != x.want {
				t.Errorf("%s became %s, not %s, opened again", x.before, got, x.want)
			}
		}
		verified(t, c, 2)
	}
}

// TestUpdateVectors changes one of two vectors, in memory and in files. The other one keeps its bits.
func TestUpdateVectors(t *testing.T) {
	c := created(t, twoVectors(), Options{})
	exact := []float32{0.1, 1e-30, -7.25, math.MaxFloat32 / 1e20}
	for _, sealed := range []bool{false, true} {
		mustUpsert(t, c, Document{
			ID: NumberID(1), Vectors: map[string][]float32{"text": exact, "image": {1, 2}}, Payload: json.RawMessage(`{"a":1}`),
		})
		before := mustGet(t, c, NumberID(1))[0]
		if sealed {
			if err := c.Seal(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		mustUpdate(t, c, 1, Update{
			ID: NumberID(1), Vectors: map[string][]float32{"image": {5, 6}}, Set: json.RawMessage(`{"b":2}`),
		})
		before.Vectors["image"], before.Payload = []float32{5, 6}, json.RawMessage(`{"a":1,"b":2}`)
		if got, want := text(t, mustGet(t, c, NumberID(1))[0]), text(t, before); got != want {
			t.Errorf("sealed %v: the document is %s, not %s", sealed, got, want)
		}
		q := Query{Vector: "image", Near: [][]float32{{5, 6}}}
		if hits := mustQuery(t, c, q)[0]; len(hits) != 1 || hits[0].Distance != 0 {
			t.Errorf("sealed %v: found %s", sealed, text(t, hits))
		}
		mustUpdate(t, c, 1, Update{ID: NumberID(1), DropVectors: []string{"image"}})
		delete(before.Vectors, "image")
		if got, want := text(t, mustGet(t, c, NumberID(1))[0]), text(t, before); got != want {
			t.Errorf("sealed %v: the document is %s, not %s", sealed, got, want)
		}
		if hits := mustQuery(t, c, q)[0]; len(hits) != 0 {
			t.Errorf("sealed %v: found %s by a vector that was removed", sealed, text(t, hits))
		}
		c = reopened(t, c)
	}
	verified(t, c, 1)
}

// TestUpdateWithoutRows updates documents of which only codes are kept, which can't be written again.
func TestUpdateWithoutRows(t *testing.T) {
	s := twoVectors()
	s.Vectors[0].Dim, s.Vectors[0].Codes, s.Vectors[0].Rows = 64, shale.RaBitQ4, shale.RowsNone
	c := created(t, s, Options{})
	long := make([]float32, 64)
	long[3] = 1
	mustUpsert(t, c, Document{ID: NumberID(1), Vectors: map[string][]float32{"text": long, "image": {1, 2}}})
	if err := c.Seal(context.Background()); err != nil {
		t.Fatal(err)
	}
	mustUpdate(t, c, 1, Update{ID: NumberID(1), Set: json.RawMessage(`{"a":1}`)})
	_, err := c.Update(context.Background(), []Update{{ID: NumberID(1), Vectors: map[string][]float32{"image": {5, 6}}}})
	var refused *DocumentError
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), `of "text", which stays`) {
		t.Errorf("a vector without rows was kept: %v", err)
	}
	both := map[string][]float32{"text": long, "image": {5, 6}}
	mustUpdate(t, c, 1, Update{ID: NumberID(1), Vectors: both})
	verified(t, c, 1)
}

// TestBadUpdates changes nothing, and names the document.
func TestBadUpdates(t *testing.T) {
	c := created(t, twoVectors(), Options{MaxPayloadBytes: 20})
	d := Document{ID: NumberID(7), Vectors: map[string][]float32{"image": {1, 2}}, Payload: json.RawMessage(`{"a":1}`)}
	first := d
	first.ID = NumberID(1)
	mustUpsert(t, c, first, d)
	for name, bad := range map[string]struct {
		u    Update
		want string
	}{
		"nothing":   {Update{}, "nothing to change"},
		"set":       {Update{Set: json.RawMessage(`[1]`)}, "isn't a JSON object"},
		"payload":   {Update{Payload: json.RawMessage(`1`)}, "isn't a JSON object"},
		"large":     {Update{Set: json.RawMessage(`{"b":"0123456789"}`)}, "at most 20"},
		"number":    {Update{Set: json.RawMessage(`{"b":1e999}`)}, "too large"},
		"dimension": {Update{Vectors: map[string][]float32{"image": {1}}}, "1 values, not 2"},
		"name":      {Update{Vectors: map[string][]float32{"x": {1}}}, `no vector "x"`},
		"drop name": {Update{DropVectors: []string{"x"}}, `no vector "x"`},
		"both":      {Update{Vectors: d.Vectors, DropVectors: []string{"image"}}, "both given"},
		"last":      {Update{DropVectors: []string{"image", "text"}}, "would have none"},
	} {
		bad.u.ID = NumberID(7)
		_, err := c.Update(context.Background(), []Update{{ID: NumberID(1), Set: json.RawMessage(`{"c":1}`)}, bad.u})
		var refused *DocumentError
		if !errors.As(err, &refused) || refused.At != 1 || refused.ID != NumberID(7) ||
			!strings.Contains(err.Error(), bad.want) {
			t.Errorf("%s: the error is %v, not of document 1 with %q", name, err, bad.want)
		}
	}
	twice := Update{ID: NumberID(1), Clear: true}
	if _, err := c.Update(context.Background(), []Update{twice, twice}); err == nil {
		t.Error("a document was updated twice in a batch")
	}
	if got := text(t, mustGet(t, c, NumberID(1), NumberID(7))); got != text(t, []Document{first, d}) {
		t.Errorf("the documents are %s", got)
	}
	verified(t, c, 2)
}

// TestUpdateIsOneState changes the payloads of all documents in one batch again and again: each reading finds one
// version, and never an older one than the reading before.
func TestUpdateIsOneState(t *testing.T) {
	const documents, versions = 6, 50
	c := created(t, plain(vector.L2), Options{SegmentRows: 4})
	version := func(i int) json.RawMessage {
		return json.RawMessage(text(t, map[string]int{"v": i}))
	}
	for i := range documents {
		mustUpsert(t, c, Document{
			ID: NumberID(uint64(i)), Vector: []float32{float32(i), 0, 0, 0}, Payload: version(0),
		})
	}
	var over atomic.Bool
	var readers sync.WaitGroup
	readers.Go(func() {
		for latest := 0; !over.Load(); {
			hits := mustQuery(t, c, Query{Near: [][]float32{{0, 0, 0, 0}}, Fields: Fields{Payload: true}})[0]
			var first struct{ V int }
			if len(hits) != documents || json.Unmarshal(hits[0].Payload, &first) != nil || first.V < latest {
				t.Errorf("found %s after version %d", text(t, hits), latest)
				return
			}
			latest = first.V
			for _, h := range hits {
				if string(h.Payload) != string(version(latest)) {
					t.Errorf("found %s beside version %d", h.Payload, latest)
				}
			}
		}
	})
	for v := 1; v <= versions; v++ {
		var batch []Update
		for i := range documents {
			batch = append(batch, Update{ID: NumberID(uint64(i)), Set: version(v)})
		}
		mustUpdate(t, c, documents, batch...)
	}
	over.Store(true)
	readers.Wait()
	verified(t, c, documents)
}
