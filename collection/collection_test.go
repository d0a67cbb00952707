package collection

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/shale-search/shale/vector"
)

const (
	uuid      = "123e4567-e89b-12d3-a456-426614174000"
	otherUUID = "123E4567-e89b-12d3-a456-426614174000"
)

// TestLife writes, overwrites, reads, finds, lists and deletes documents, in memory, after opening the collection
// again, and after they became files.
func TestLife(t *testing.T) {
	c := created(t, plain(vector.L2), Options{})
	mustUpsert(t, c,
		document(NumberID(7), 1, 0, 0, 0, 1), document(StringID("7"), 2, 0, 0, 0, 2),
		document(StringID(uuid), 3, 0, 0, 0, 3), document(StringID(otherUUID), 4, 0, 0, 0, 4),
		document(StringID("gone"), 5, 0, 0, 0, 5))
	mustUpsert(t, c, document(NumberID(7), 6, 0, 0, 0, 6))
	n, err := c.Delete(context.Background(), StringID("gone"), StringID("gone"), StringID("never"), StringID(""))
	if n != 1 || err != nil {
		t.Fatalf("%d documents were deleted, %v", n, err)
	}
	want := `[{"id":7,"vector":[0,0,0,6],"payload":{"number":6}},` +
		`{"id":"` + uuid + `","vector":[0,0,0,3],"payload":{"number":3}},` +
		`{"id":"` + otherUUID + `","vector":[0,0,0,4],"payload":{"number":4}},` +
		`{"id":"7","vector":[0,0,0,2],"payload":{"number":2}}]`
	check := func(when string) {
		if n, err := c.Count(); n != 4 || err != nil {
			t.Errorf("%s: %d documents are counted, %v", when, n, err)
		}
		listed, err := c.Scroll(context.Background(), ScrollOptions{Fields: Fields{Payload: true, Vectors: true}})
		if err != nil || text(t, listed) != want {
			t.Errorf("%s: listed %s, %v\nwant %s", when, text(t, listed), err, want)
		}
		ids := []ID{NumberID(7), StringID("gone"), StringID(uuid), StringID(otherUUID), StringID("7")}
		if got := text(t, mustGet(t, c, ids...)); got != want {
			t.Errorf("%s: got %s\nwant %s", when, got, want)
		}
		near := [][]float32{{0, 0, 0, 1}, {0, 0, 0, 5.5}}
		hits := mustQuery(t, c, Query{Near: near, K: 2, Fields: Fields{Payload: true}})
		found := `[[{"id":"7","distance":1,"payload":{"number":2}},` +
			`{"id":"` + uuid + `","distance":4,"payload":{"number":3}}],` +
			`[{"id":7,"distance":0.25,"payload":{"number":6}},` +
			`{"id":"` + otherUUID + `","distance":2.25,"payload":{"number":4}}]]`
		if got := text(t, hits); got != found {
			t.Errorf("%s: found %s\nwant %s", when, got, found)
		}
	}
	check("in memory")
	c = reopened(t, c)
	check("opened again")
	for range 2 {
		if err := c.Seal(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	check("sealed")
	c = reopened(t, c)
	check("sealed and opened again")
	mustUpsert(t, c, document(StringID("7"), 9, 0, 0, 0, 9))
	mustUpsert(t, c, document(StringID("7"), 2, 0, 0, 0, 2))
	check("overwritten since")
	c = reopened(t, c)
	check("overwritten and opened again")
	verified(t, c, 4)
}

// TestScrollGoesOn lists a collection piece by piece.
func TestScrollGoesOn(t *testing.T) {
	c := created(t, plain(vector.L2), Options{})
	var want []ID
	for i := range 10 {
		want = append(want, NumberID(uint64(i*i*i*i)))
		mustUpsert(t, c, document(want[i], i, 1, 2, 3, 4))
	}
	var got []ID
	o := ScrollOptions{Limit: 3}
	for {
		some, err := c.Scroll(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		if len(some) == 0 {
			break
		}
		for _, d := range some {
			got = append(got, d.ID)
		}
		o.After = &got[len(got)-1]
	}
	if text(t, got) != text(t, want) {
		t.Errorf("listed %v, not %v", got, want)
	}
}

// TestTwoVectors has documents that lack one of two vectors.
func TestTwoVectors(t *testing.T) {
	c := created(t, twoVectors(), Options{})
	mustUpsert(t, c,
		Document{ID: NumberID(1), Vectors: map[string][]float32{"text": {0, 3, 0, 4}}},
		Document{ID: NumberID(2), Vectors: map[string][]float32{"image": {1, 2}}},
		Document{ID: NumberID(3), Vectors: map[string][]float32{"text": {1, 0, 0, 0}, "image": {3, 4}}})
	want := `[{"id":1,"vectors":{"text":[0,0.6,0,0.8]}},{"id":2,"vectors":{"image":[1,2]}},` +
		`{"id":3,"vectors":{"image":[3,4],"text":[1,0,0,0]}}]`
	for _, when := range []string{"growing", "sealed"} {
		if got := text(t, mustGet(t, c, NumberID(1), NumberID(2), NumberID(3))); got != want {
			t.Errorf("%s: got %s\nwant %s", when, got, want)
		}
		texts := mustQuery(t, c, Query{Vector: "text", Near: [][]float32{{0, 1, 0, 1}}})
		images := mustQuery(t, c, Query{Vector: "image", Near: [][]float32{{1, 1}}})
		if len(texts[0]) != 2 || texts[0][0].ID != NumberID(1) || len(images[0]) != 2 || images[0][0].ID != NumberID(2) {
			t.Errorf("%s: found %s and %s", when, text(t, texts), text(t, images))
		}
		if err := c.Seal(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Query(context.Background(), Query{Near: [][]float32{{1, 1}}}); err == nil {
		t.Error("a query that doesn't name one of two vectors succeeds")
	}
	verified(t, c, 3)
}

// TestMatch lets a query find only some documents.
func TestMatch(t *testing.T) {
	c := created(t, plain(vector.L2), Options{SegmentRows: 20})
	for i := range 50 {
		mustUpsert(t, c, document(NumberID(uint64(i)), i%5, float32(i), 0, 0, 0))
	}
	q := Query{Near: [][]float32{{0, 0, 0, 0}}, K: 4, Match: func(_ ID, payload json.RawMessage) bool {
		return string(payload) == `{"number":3}`
	}}
	var got []ID
	for _, h := range mustQuery(t, c, q)[0] {
		got = append(got, h.ID)
	}
	if want := "[3,8,13,18]"; text(t, got) != want {
		t.Errorf("found %s, not %s", text(t, got), want)
	}
}

// TestAllDeleted deletes every document of a growing and of a sealed segment.
func TestAllDeleted(t *testing.T) {
	c := created(t, plain(vector.L2), Options{})
	for range 2 {
		mustUpsert(t, c, document(NumberID(1), 1, 1, 2, 3, 4), document(NumberID(2), 1, 1, 2, 3, 4))
		if n, err := c.Delete(context.Background(), NumberID(1), NumberID(2)); n != 2 || err != nil {
			t.Fatalf("%d documents were deleted, %v", n, err)
		}
		if err := c.Seal(context.Background()); err != nil {
			t.Fatal(err)
		}
		if info, err := c.Info(); err != nil || len(info.Segments) != 0 || info.Growing != 0 {
			t.Errorf("a segment without documents was sealed: %+v, %v", info, err)
		}
	}
	mustUpsert(t, c, document(NumberID(1), 1, 1, 2, 3, 4))
	if err := c.Seal(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Delete(context.Background(), NumberID(1)); n != 1 || err != nil {
		t.Fatalf("%d documents were deleted, %v", n, err)
	}
	c = reopened(t, c)
	if hits := mustQuery(t, c, Query{Near: [][]float32{{1, 2, 3, 4}}}); len(hits) != 1 || len(hits[0]) != 0 {
		t.Errorf("found %s in an empty collection", text(t, hits))
	}
	verified(t, c, 0)
}

// TestOneOpens opens a collection twice, and things that are none.
func TestOneOpens(t *testing.T) {
	c := created(t, plain(vector.L2), Options{})
	if _, err := Open(context.Background(), c.dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("a second Open gave %v", err)
	}
	if _, err := Verify(context.Background(), c.dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("Verify of an open collection gave %v", err)
	}
	if err := Create(c.dir, plain(vector.L2)); !errors.Is(err, os.ErrExist) {
		t.Errorf("Create over a collection gave %v", err)
	}
	if _, err := Open(context.Background(), t.TempDir(), Options{}); !errors.Is(err, ErrNotCollection) {
		t.Errorf("Open of an empty directory gave %v", err)
	}
	none := filepath.Join(t.TempDir(), "none")
	if _, err := Open(context.Background(), none, Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open of nothing gave %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	one := []Document{document(NumberID(1), 1, 1, 2, 3, 4)}
	if err := c.Upsert(context.Background(), one); !errors.Is(err, ErrClosed) {
		t.Errorf("Upsert into a closed collection gave %v", err)
	}
	if _, err := c.Count(); !errors.Is(err, ErrClosed) {
		t.Errorf("Count of a closed collection gave %v", err)
	}
}
