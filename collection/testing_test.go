package collection

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/vector"
)

const testDim = 4

// plain is a schema whose distances are exact.
func plain(metric vector.Metric) Schema {
	return Schema{Vectors: []Vector{{Dim: testDim, Metric: metric, Codes: shale.Float32}}}
}

// twoVectors is a schema in which documents may lack a vector.
func twoVectors() Schema {
	return Schema{Vectors: []Vector{
		{Name: "text", Dim: testDim, Metric: vector.Cosine, Codes: shale.Float32},
		{Name: "image", Dim: 2, Codes: shale.Float32},
	}}
}

// created returns a new collection, which is closed at the test's end.
func created(t testing.TB, s Schema, o Options) *Collection {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "c")
	if err := Create(dir, s); err != nil {
		t.Fatal(err)
	}
	return opened(t, dir, o)
}

// opened opens a collection, which is closed at the test's end. One thread, unless the options say otherwise, builds
// the same indexes every time.
func opened(t testing.TB, dir string, o Options) *Collection {
	t.Helper()
	o.MergeThreads = max(o.MergeThreads, 1)
	c, err := Open(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// reopened closes a collection and opens it again.
func reopened(t testing.TB, c *Collection) *Collection {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return opened(t, c.dir, c.options)
}

// verified closes a collection and fails unless it is in order and has some number of documents.
func verified(t testing.TB, c *Collection, documents int) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Verify(context.Background(), c.dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Problems {
		t.Errorf("verify: %v", p)
	}
	if r.Documents != documents {
		t.Errorf("verify found %d documents, not %d", r.Documents, documents)
	}
}

func mustUpsert(t testing.TB, c *Collection, batch ...Document) {
	t.Helper()
	if err := c.Upsert(context.Background(), batch); err != nil {
		t.Fatal(err)
	}
}

func mustGet(t testing.TB, c *Collection, ids ...ID) []Document {
	t.Helper()
	found, err := c.Get(context.Background(), Fields{Payload: true, Vectors: true}, ids...)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func mustQuery(t testing.TB, c *Collection, q Query) [][]Hit {
	t.Helper()
	hits, err := c.Query(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return hits
}

// document makes a document with one vector and a payload that holds a number.
func document(id ID, number int, values ...float32) Document {
	payload := json.RawMessage(fmt.Sprintf(`{"number":%d}`, number))
	return Document{ID: id, Vector: values, Payload: payload}
}

// text returns what is compared of documents.
func text(t interface {
	Helper()
	Fatal(...any)
}, documents any) string {
	t.Helper()
	b, err := json.Marshal(documents)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
