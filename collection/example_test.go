package collection_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/collection"
	"github.com/shale-search/shale/vector"
)

var ctx = context.Background()

// check ends an example that fails.
func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// books makes a collection of three books in a new directory.
func books() (c *collection.Collection, dir string) {
	parent, err := os.MkdirTemp("", "shale")
	check(err)
	dir = filepath.Join(parent, "books")
	check(collection.Create(dir, collection.Schema{Vectors: []collection.Vector{{Dim: 2, Metric: vector.L2}}}))
	c, err = collection.Open(ctx, dir, collection.Options{})
	check(err)
	check(c.Upsert(ctx, []collection.Document{
		{ID: collection.NumberID(7), Vector: []float32{0, 1}, Payload: json.RawMessage(`{"title":"On ants","price":12}`)},
		{ID: collection.StringID("a"), Vector: []float32{1, 1}, Payload: json.RawMessage(`{"title":"On bees","price":8}`)},
		{ID: collection.StringID("b"), Vector: []float32{5, 5}, Payload: json.RawMessage(`{"title":"Ships"}`)},
	}))
	return c, dir
}

// done closes what books has made, and removes it.
func done(c *collection.Collection, dir string) {
	check(c.Close())
	check(os.RemoveAll(filepath.Dir(dir)))
}

// A collection is created, opened, written to and searched.
func Example() {
	parent, err := os.MkdirTemp("", "shale")
	check(err)
	defer os.RemoveAll(parent)
	dir := filepath.Join(parent, "docs")
	check(collection.Create(dir, collection.Schema{Vectors: []collection.Vector{{Dim: 3, Metric: vector.Cosine}}}))
	docs, err := collection.Open(ctx, dir, collection.Options{})
	check(err)
	defer docs.Close()
	check(docs.Upsert(ctx, []collection.Document{
		{ID: collection.StringID("bees"), Vector: []float32{1, 0, 0}, Payload: json.RawMessage(`{"legs":6}`)},
		{ID: collection.StringID("cats"), Vector: []float32{0, 1, 0}, Payload: json.RawMessage(`{"legs":4}`)},
	}))
	hits, err := docs.Query(ctx, collection.Query{
		Near: [][]float32{{2, 1, 0}}, K: 1, Fields: collection.Fields{Payload: true},
	})
	check(err)
	for _, hit := range hits[0] { // of the first query
		fmt.Printf("%s %.2f %s\n", hit.ID, hit.Distance, hit.Payload)
	}
	// Output: "bees" 0.11 {"legs":6}
}

func ExampleFilter() {
	c, dir := books()
	defer done(c, dir)
	cheap := collection.InRange("price", collection.Range{Lt: 10})
	for _, f := range []collection.Filter{
		cheap,
		collection.Any(cheap, collection.Empty("price")),
		collection.All(collection.Words("title", "on"), collection.Not(cheap)),
	} {
		n, err := c.CountWhere(ctx, f)
		check(err)
		hits, err := c.Query(ctx, collection.Query{Near: [][]float32{{5, 5}}, K: 1, Filter: f})
		check(err)
		fmt.Println(n, hits[0][0].ID)
	}
	// Output:
	// 1 "a"
	// 2 "b"
	// 1 7
}

func ExampleParseFilter() {
	f, err := collection.ParseFilter([]byte(`{"price": {"$gte": 10}}`))
	check(err)
	text, err := json.Marshal(f)
	check(err)
	fmt.Println(string(text))
	// Output: {"must":[{"key":"price","range":{"gte":10}}]}
}

// All documents are listed, two at a time.
func ExampleCollection_Scroll() {
	c, dir := books()
	defer done(c, dir)
	o := collection.ScrollOptions{Limit: 2}
	for {
		page, err := c.Scroll(ctx, o)
		check(err)
		if len(page) == 0 {
			break
		}
		for _, d := range page {
			fmt.Println(d.ID)
		}
		o.After = &page[len(page)-1].ID
	}
	// Output:
	// 7
	// "a"
	// "b"
}

func ExampleCollection_Update() {
	c, dir := books()
	defer done(c, dir)
	n, err := c.Update(ctx, []collection.Update{
		{ID: collection.NumberID(7), Set: json.RawMessage(`{"price":10,"sold":true}`)},
		{ID: collection.StringID("a"), Unset: []string{"title"}},
		{ID: collection.StringID("nobody"), Clear: true},
	})
	check(err)
	found, err := c.Get(ctx, collection.Fields{Payload: true}, collection.NumberID(7), collection.StringID("a"))
	check(err)
	fmt.Println(n, string(found[0].Payload), string(found[1].Payload))
	// Output: 2 {"title":"On ants","price":10,"sold":true} {"price":8}
}

// A snapshot stays as it is, and is a collection itself.
func ExampleCollection_Snapshot() {
	c, dir := books()
	defer done(c, dir)
	monday := filepath.Join(filepath.Dir(dir), "monday")
	check(c.Snapshot(ctx, monday))
	_, err := c.Delete(ctx, collection.StringID("a"))
	check(err)

	restored := filepath.Join(filepath.Dir(dir), "restored")
	check(collection.Restore(ctx, monday, restored))
	before, err := collection.Open(ctx, restored, collection.Options{})
	check(err)
	defer before.Close()
	now, err := c.Count()
	check(err)
	then, err := before.Count()
	check(err)
	fmt.Println(now, then)
	// Output: 2 3
}

// An index that is there becomes a collection without being built again. Its labels are the IDs.
func ExampleCreateFrom() {
	parent, err := os.MkdirTemp("", "shale")
	check(err)
	defer os.RemoveAll(parent)
	rows, err := vector.Of([]float32{0, 0, 1, 1, 2, 2}, 2)
	check(err)
	base := filepath.Join(parent, "base.index")
	index, err := shale.Build(ctx, rows, shale.BuildOptions{Path: base, Labels: []uint64{10, 11, 12}})
	check(err)
	check(index.Close())

	dir := filepath.Join(parent, "docs")
	check(collection.CreateFrom(ctx, dir, collection.Schema{}, base))
	c, err := collection.Open(ctx, dir, collection.Options{})
	check(err)
	defer c.Close()
	hits, err := c.Query(ctx, collection.Query{Near: [][]float32{{2, 2}}, K: 2})
	check(err)
	fmt.Println(hits[0][0].ID, hits[0][1].ID)
	// Output: 12 11
}
