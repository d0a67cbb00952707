package collection

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/shale-search/shale/internal/payload"
	"github.com/shale-search/shale/internal/postings"
	"github.com/shale-search/shale/internal/vfs/crashfs"
	"github.com/shale-search/shale/vector"
)

// numbered is a filter by document's payload.
func numbered(low, high int) Filter {
	return InRange("number", Range{Gte: low, Lt: high})
}

func mustCount(t *testing.T, c *Collection, f Filter, want int) {
	t.Helper()
	if n, err := c.CountWhere(context.Background(), f); err != nil || n != want {
		t.Errorf("%s: counted %d, %v; want %d", text(t, f), n, err, want)
	}
}

// scanned returns the fields of a filter that no index answers.
func scanned(t *testing.T, c *Collection, f Filter) []string {
	t.Helper()
	var stats QueryStats
	mustQuery(t, c, Query{Near: [][]float32{{0, 0, 0, 0}}, Filter: f, Stats: &stats})
	return stats.Scanned
}

// TestCreateIndexGoesOn gives up making an index, opens the collection again, and goes on.
func TestCreateIndexGoesOn(t *testing.T) {
	ctx, over := context.WithCancel(context.Background())
	over()
	c := created(t, plain(vector.L2), Options{SegmentRows: 40})
	for i := range 100 {
		mustUpsert(t, c, document(NumberID(uint64(i)), i, 1, 2, 3, 4))
	}
	if err := c.Seal(context.Background()); err != nil {
		t.Fatal(err)
	}
	x := PayloadIndex{"number", Integer}
	if err := c.CreatePayloadIndex(ctx, x); !errors.Is(err, context.Canceled) {
		t.Fatalf("an index was made in a context that is over: %v", err)
	}
	check := func(when string, indexes int) {
		t.Helper()
		if all, err := c.PayloadIndexes(); err != nil || len(all) != indexes {
			t.Errorf("%s: there are %d indexes, %v", when, len(all), err)
		}
		if fields := scanned(t, c, numbered(20, 50)); len(fields) != 1-indexes {
			t.Errorf("%s: %q were scanned", when, fields)
		}
		mustCount(t, c, numbered(20, 50), 30)
	}
	check("given up", 0)
	c = reopened(t, c)
	check("opened again", 0)
	mustUpsert(t, c, document(NumberID(20), 1000, 1, 2, 3, 4), document(NumberID(200), 20, 1, 2, 3, 4))
	if _, err := c.Update(ctx, []Update{{ID: NumberID(21), Payload: []byte(`{"number":1000}`)}}); err == nil {
		t.Error("an update was made in a context that is over")
	}
	mustUpdate(t, c, 1, Update{ID: NumberID(21), Payload: []byte(`{"number":1000}`)})
	mustUpdate(t, c, 1, Update{ID: NumberID(99), Payload: []byte(`{"number":21}`)})
	check("changed", 0)
	for range 2 {
		if err := c.CreatePayloadIndex(context.Background(), x); err != nil {
			t.Fatal(err)
		}
		check("made", 1)
	}
	if dropped, err := c.DropPayloadIndex(x); err != nil || !dropped {
		t.Errorf("dropped: %v, %v", dropped, err)
	}
	check("dropped", 0)
	if dropped, err := c.DropPayloadIndex(x); err != nil || dropped {
		t.Errorf("dropped twice: %v, %v", dropped, err)
	}
	for _, wrong := range []PayloadIndex{{"number", "int"}, {"a..b", Text}, {"", Text}} {
		if err := c.CreatePayloadIndex(context.Background(), wrong); !errors.Is(err, ErrInvalid) {
			t.Errorf("the index %+v: %v", wrong, err)
		}
		s := plain(vector.L2)
		s.Indexes = []PayloadIndex{wrong}
		if err := Create(filepath.Join(t.TempDir(), "c"), s); err == nil {
			t.Errorf("a collection with the index %+v was made", wrong)
		}
	}
	verified(t, c, 101)
}

// TestIndexesWhileWriting makes and drops indexes while documents are written, updated, deleted and counted. What is
// counted never changes.
func TestIndexesWhileWriting(t *testing.T) {
	const documents, rounds = 60, 6
	ctx := context.Background()
	c := created(t, plain(vector.L2), Options{SegmentRows: 50})
	write := func(version int) error {
		var batch []Document
		for i := range documents {
			batch = append(batch, document(NumberID(uint64(i)), 100*(version%2)+i, float32(i), 0, 0, 0))
		}
		return c.Upsert(ctx, batch)
	}
	if err := write(0); err != nil {
		t.Fatal(err)
	}
	// Half of the documents have a number below 30, or from 100 to 129.
	f := Any(InRange("number", Range{Lt: 30}), numbered(100, 130))
	var over atomic.Bool
	var others sync.WaitGroup
	others.Go(func() {
		for version := 1; !over.Load(); version++ {
			if err := write(version); err != nil {
				t.Error(err)
				return
			}
			var batch []Update
			for i := range documents {
				payload := fmt.Appendf(nil, `{"number":%d}`, 100*(version/2%2)+i)
				batch = append(batch, Update{ID: NumberID(uint64(i)), Payload: payload})
			}
			if _, err := c.Update(ctx, batch); err != nil {
				t.Error(err)
				return
			}
		}
	})
	others.Go(func() {
		for !over.Load() {
			if n, err := c.CountWhere(ctx, f); err != nil || n != documents/2 {
				t.Errorf("counted %d, %v", n, err)
				return
			}
		}
	})
	for i := range rounds {
		x := PayloadIndex{"number", Integer}
		if err := c.CreatePayloadIndex(ctx, x); err != nil {
			t.Error(err)
		}
		if err := c.Seal(ctx); err != nil {
			t.Error(err)
		}
		if i+1 < rounds {
			if _, err := c.DropPayloadIndex(x); err != nil {
				t.Error(err)
			}
		}
	}
	over.Store(true)
	others.Wait()
	mustCount(t, c, f, documents/2)
	verified(t, c, documents)
}

// TestDamagedPostings changes postings: Verify reports it, and filters don't panic.
func TestDamagedPostings(t *testing.T) {
	s := plain(vector.L2)
	s.Indexes = []PayloadIndex{{"number", Integer}, {"word", Keyword}}
	c := created(t, s, Options{})
	for i := range 10 {
		d := document(NumberID(uint64(i)), i, float32(i), 0, 0, 0)
		d.Payload = fmt.Appendf(nil, `{"number":%d,"word":"w%d"}`, i, i%2)
		mustUpsert(t, c, d)
	}
	if err := c.Seal(context.Background()); err != nil {
		t.Fatal(err)
	}
	verified(t, c, 10)
	word, ok := payload.Keyword.Term("w1")
	if !ok {
		t.Fatal("no term")
	}
	for name, damage := range map[string]struct {
		key         []byte
		value, want string
	}{
		"set":           {keyOfPosting(1, 0, word), "\x00\x01\x00", "isn't what the payloads say"},
		"form":          {keyOfPosting(1, 0, word), "\x09", "isn't what the payloads say"},
		"new term":      {keyOfPosting(1, 0, "\x01other"), "\x00\x01\x00", "isn't what the payloads say"},
		"directory":     {keyOfPosting(0, 0, postings.DirectoryTerm), "123", "the postings are damaged"},
		"no directory":  {keyOfPosting(0, 0, postings.DirectoryTerm), "", "isn't what the payloads say"},
		"group":         {keyOfPosting(0, 0, postings.GroupTerm(0, 0)), "\xff\xff1", "the postings are damaged"},
		"change":        {keyOfPosting(0, 0, postings.NumbersTerm), "\xff\xff\xff\xff\x01", "the postings are damaged"},
		"no index":      {keyOfPosting(7, 0, word), "\x00\x01\x00", "there is no such payload index"},
		"index":         {keyOfNumber(indexKey, 0), "{}", "payload index of field"},
		"record":        {keyOfNumber(indexKey, 0), "{", "the payload index is damaged"},
		"documents":     {keyOfNumber(thereKey, 0), "\x00\x01\x00", "the set of documents isn't that"},
		"documents cut": {keyOfNumber(thereKey, 0), "\x00\x01", "the set of documents is damaged"},
	} {
		dir := filepath.Join(t.TempDir(), "c")
		if err := crashfs.Copy(c.dir, dir); err != nil {
			t.Fatal(err)
		}
		db, err := openStore(dir, storeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.Set(damage.key, []byte(damage.value), pebble.Sync), db.Close()); err != nil {
			t.Fatal(err)
		}
		checkDamage(t, name, dir, damage.want)
		if d, err := Open(context.Background(), dir, Options{}); err == nil {
			f := Equal("word", "w1")
			_, _ = d.CountWhere(context.Background(), f)
			_, _ = d.CountWhere(context.Background(), numbered(3, 9))
			_, _ = d.Facets(context.Background(), FacetOptions{Field: "number"})
			_, _ = d.DeleteWhere(context.Background(), numbered(3, 5))
			_ = d.Compact(context.Background())
			if err := d.Close(); err != nil {
				t.Errorf("%s: Close gave %v", name, err)
			}
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
}
