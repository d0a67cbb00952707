package collection

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/shale-search/shale/internal/postings"
	"github.com/shale-search/shale/vector"
)

// posted returns the number of bytes of the postings of a chunk.
func posted(t *testing.T, c *Collection, chunk uint64) (n int) {
	t.Helper()
	for _, x := range c.state.indexes {
		err := each(c.db, keyOfPosting(x.id, chunk, ""), keyOfPosting(x.id, chunk+1, ""), func(key, value []byte) error {
			n += len(key) + len(value)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// TestCleaning deletes documents of two chunks, of which the cleaner drops the postings.
func TestCleaning(t *testing.T) {
	const chunk = 1 << postings.ChunkBits
	c := indexedOnly(t, 2*chunk)
	edit := newDocumentEdit(c.state.there)
	for n := range uint64(2 * chunk) {
		if n >= chunk || n%5 < 3 {
			edit.remove(n)
		}
	}
	batch := c.db.NewBatch()
	if err := edit.record(batch); err != nil {
		t.Fatal(err)
	}
	if err := batch.Commit(pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	c.state.there = edit.after()
	before := posted(t, c, 0)
	count := func() int {
		f := All(Equal("share", "50 %"), InRange("n", Range{Lt: 800}))
		n, err := c.CountWhere(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	want := count()
	pieces := 0
	for more := true; more; pieces++ {
		var err error
		if more, err = c.cleanSome(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if pieces != 3 {
		t.Errorf("the cleaner found work %d times, not 2", pieces-1)
	}
	if after := posted(t, c, 0); after > before*6/10 || after < before*3/10 {
		t.Errorf("%d bytes of postings were left of %d, of a chunk of which 60 %% of the documents are gone", after, before)
	}
	if n := posted(t, c, 1); n != 0 {
		t.Errorf("%d bytes of postings are left of a chunk without documents", n)
	}
	if got := count(); got != want || want == 0 {
		t.Errorf("%d documents satisfy a filter after cleaning, %d did before", got, want)
	}
}

// TestCompactCleans deletes documents and compacts: no postings are left of them.
func TestCompactCleans(t *testing.T) {
	ctx := context.Background()
	s := plain(vector.L2)
	s.Indexes = []PayloadIndex{{"a", Keyword}, {"b", Integer}}
	c := created(t, s, Options{SegmentRows: 30})
	for i := range 100 {
		mustUpsert(t, c, Document{
			ID: NumberID(uint64(i)), Vector: []float32{float32(i), 0, 0, 0},
			Payload: fmt.Appendf(nil, `{"a":"term %d","b":%d}`, i, i),
		})
	}
	if err := c.Seal(ctx); err != nil {
		t.Fatal(err)
	}
	n, err := c.DeleteWhere(ctx, InRange("b", Range{Gte: 10}))
	if err != nil || n != 90 {
		t.Fatalf("%d documents were deleted, %v", n, err)
	}
	if err := c.Compact(ctx); err != nil {
		t.Fatal(err)
	}
	terms := 0
	err = eachOf(c.db, postingKey, func(key, _ []byte) error {
		if bytes.Contains(key, []byte("term")) {
			terms++
		}
		return nil
	})
	if err != nil || terms != 10 {
		t.Errorf("postings of %d terms are left of 10 documents, %v", terms, err)
	}
	values, err := postings.Stored(storedPostings{c.dir, c.db, 1, 0}.get).Values()
	if err != nil || len(values) != 10 {
		t.Errorf("%d numbers are left of 10 documents, %v", len(values), err)
	}
	if _, err := c.DeleteWhere(ctx, Filter{}); err != nil {
		t.Fatal(err)
	}
	if err := c.Compact(ctx); err != nil {
		t.Fatal(err)
	}
	if n := posted(t, c, 0); n != 0 {
		t.Errorf("%d bytes of postings are left of no documents", n)
	}
	mustUpsert(t, c, document(NumberID(7), 7, 1, 2, 3, 4))
	verified(t, reopened(t, c), 1)
}
