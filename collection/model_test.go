package collection

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/shale-search/shale/vector"
)

// TestMain makes the sequences of TestModel the same every time, unless flags say otherwise.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.seed": "1", "rapid.checks": "10", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	flag.Parse()
	os.Exit(m.Run())
}

// modelDocument is a document of the model. Its vector holds whole numbers, so that distances are exact.
type modelDocument struct {
	number int
	values [testDim]float32
}

// model is what a collection should hold.
type model map[ID]modelDocument

// anyModelID draws one of few IDs, so that documents are overwritten often.
func anyModelID() *rapid.Generator[ID] {
	return rapid.Map(rapid.IntRange(0, 29), func(i int) ID {
		switch i % 3 {
		case 0:
			return NumberID(uint64(i))
		case 1:
			return StringID(fmt.Sprintf("%08d-0000-4000-8000-000000000000", i))
		}
		return StringID(fmt.Sprint("document ", i))
	})
}

// TestModel does random things to a collection and to a model, and compares them.
func TestModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		dir := modelDir(t, r)
		metric := rapid.SampledFrom([]vector.Metric{vector.L2, vector.IP}).Draw(r, "metric")
		if err := Create(dir, plain(metric)); err != nil {
			r.Fatal(err)
		}
		o := Options{SegmentRows: rapid.IntRange(1, 40).Draw(r, "segment rows")}
		c := modelOpen(r, dir, o)
		m := model{}
		for step := range rapid.IntRange(1, 25).Draw(r, "steps") {
			switch rapid.IntRange(0, 10).Draw(r, "what") {
			case 0, 1, 2, 3, 4:
				m.upsert(r, c, step)
			case 5, 6:
				m.delete(r, c)
			case 7:
				files := c.Seal
				if rapid.Bool().Draw(r, "compact") {
					files = c.Compact
				}
				if err := files(context.Background()); err != nil {
					r.Fatal(err)
				}
			case 8:
				modelClose(r, c)
				c = modelOpen(r, dir, o)
			case 9:
				m.compare(r, c)
				m.compareSearch(r, c, metric)
			case 10:
				m.update(r, c, step)
			}
		}
		m.compare(r, c)
		m.compareSearch(r, c, metric)
		modelClose(r, c)
		report, err := Verify(context.Background(), dir, Options{})
		if err != nil || len(report.Problems) > 0 || report.Documents != len(m) {
			r.Fatalf("verify: %+v, %v; the model has %d documents", report, err, len(m))
		}
	})
}

func modelOpen(r *rapid.T, dir string, o Options) *Collection {
	c, err := Open(context.Background(), dir, o)
	if err != nil {
		r.Fatal(err)
	}
	return c
}

// modelDir returns a path for a collection, which is removed at the end of the check: there may be very many.
func modelDir(t *testing.T, r *rapid.T) string {
	parent, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() {
		if err := os.RemoveAll(parent); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(parent, "c")
}

func modelClose(r *rapid.T, c *Collection) {
	if err := c.Close(); err != nil {
		r.Fatal(err)
	}
}

func (m model) upsert(r *rapid.T, c *Collection, step int) {
	ids := rapid.SliceOfNDistinct(anyModelID(), 1, 12, rapid.ID[ID]).Draw(r, "ids")
	var batch []Document
	for _, id := range ids {
		d := modelDocument{number: step}
		for i := range d.values {
			d.values[i] = float32(rapid.IntRange(-9, 9).Draw(r, "value"))
		}
		m[id] = d
		batch = append(batch, document(id, d.number, d.values[:]...))
	}
	if err := c.Upsert(context.Background(), batch); err != nil {
		r.Fatal(err)
	}
}

func (m model) delete(r *rapid.T, c *Collection) {
	ids := rapid.SliceOfN(anyModelID(), 1, 6).Draw(r, "deleted")
	before := len(m)
	for _, id := range ids {
		delete(m, id)
	}
	if n, err := c.Delete(context.Background(), ids...); err != nil || n != before-len(m) {
		r.Fatalf("%d documents were deleted, %v; the model had %d of them", n, err, before-len(m))
	}
}

// update changes payloads of some documents and vectors of others.
func (m model) update(r *rapid.T, c *Collection, step int) {
	ids := rapid.SliceOfNDistinct(anyModelID(), 1, 12, rapid.ID[ID]).Draw(r, "updated")
	var batch []Update
	there := 0
	for _, id := range ids {
		d, ok := m[id]
		u := Update{ID: id}
		if rapid.Bool().Draw(r, "payload") {
			d.number = step
			u.Set = document(id, step).Payload
		} else {
			d.values[0] = float32(rapid.IntRange(-9, 9).Draw(r, "value"))
			u.Vectors = map[string][]float32{"": d.values[:]}
		}
		if ok {
			m[id] = d
			there++
		}
		batch = append(batch, u)
	}
	if n, err := c.Update(context.Background(), batch); err != nil || n != there {
		r.Fatalf("%d documents were updated, %v; the model had %d of them", n, err, there)
	}
}

// compare compares the contents, in the order of IDs.
func (m model) compare(r *rapid.T, c *Collection) {
	var want []ID
	for id := range m {
		want = append(want, id)
	}
	slices.SortFunc(want, func(a, b ID) int { return slices.Compare(appendID(nil, a), appendID(nil, b)) })
	got, err := c.Scroll(context.Background(), ScrollOptions{Fields: Fields{Payload: true, Vectors: true}})
	if err != nil || len(got) != len(want) {
		r.Fatalf("%d documents, %v; the model has %d", len(got), err, len(want))
	}
	for i, d := range got {
		if d.ID != want[i] || !m[want[i]].is(d) {
			r.Fatalf("document %d is %+v, of the model %v: %+v", i, d, want[i], m[want[i]])
		}
	}
	if n, err := c.Count(); err != nil || n != len(m) {
		r.Fatalf("counted %d, %v; the model has %d", n, err, len(m))
	}
}

func (d modelDocument) is(x Document) bool {
	return slices.Equal(x.Vectors[""], d.values[:]) && string(x.Payload) == fmt.Sprintf(`{"number":%d}`, d.number)
}

// compareSearch compares queries with an exact search, whose distances are whole numbers.
func (m model) compareSearch(r *rapid.T, c *Collection, metric vector.Metric) {
	var query [testDim]float32
	for i := range query {
		query[i] = float32(rapid.IntRange(-9, 9).Draw(r, "query"))
	}
	k := rapid.IntRange(1, 40).Draw(r, "k")
	q := Query{Near: [][]float32{query[:]}, K: k, Exact: true, Fields: Fields{Payload: true, Vectors: true}}
	hits, err := c.Query(context.Background(), q)
	if err != nil {
		r.Fatal(err)
	}
	var distances []float32
	for _, d := range m {
		distances = append(distances, modelDistance(metric, query, d.values))
	}
	slices.SortFunc(distances, cmp.Compare)
	if len(hits[0]) != min(k, len(m)) {
		r.Fatalf("%d documents of %d were found, k is %d", len(hits[0]), len(m), k)
	}
	seen := map[ID]bool{}
	for i, h := range hits[0] {
		d := m[h.ID]
		exact := modelDistance(metric, query, d.values)
		if seen[h.ID] || !d.is(h.Document) || h.Distance != distances[i] || h.Distance != exact {
			r.Fatalf("hit %d is %+v, of the model %+v at %g; distances %v", i, h, d, distances[i], distances)
		}
		seen[h.ID] = true
	}
}

func modelDistance(metric vector.Metric, a, b [testDim]float32) (d float32) {
	if metric == vector.IP {
		d = 1
	}
	for i := range a {
		if metric == vector.IP {
			d -= a[i] * b[i]
		} else {
			d += (a[i] - b[i]) * (a[i] - b[i])
		}
	}
	return d
}
