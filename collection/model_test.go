package collection

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/vector"
)

// TestMain makes the sequences of models the same every time, unless flags say otherwise.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.seed": "1", "rapid.checks": "10", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	flag.Parse()
	os.Exit(m.Run())
}

// modelDocument is a document of the model. Its vectors hold whole numbers, so that most distances are exact.
type modelDocument struct {
	number  int
	vectors map[string][]float32
}

func (d modelDocument) document(id ID) Document {
	x := Document{ID: id, Vectors: d.vectors, Payload: fmt.Appendf(nil, `{"number":%d}`, d.number)}
	if v, unnamed := d.vectors[""]; unnamed {
		x.Vector, x.Vectors = v, nil
	}
	return x
}

// model is what a collection should hold. A change makes another one.
type model map[ID]modelDocument

// modelRun is a collection that random things are done to, and what it should hold.
type modelRun struct {
	*rapid.T
	dir     string
	schema  Schema
	options Options
	c       *Collection
	steps   int
	model   model
	before  []model    // those before the changes since the collection was opened
	disk    *crashDisk // nil: the system's, without faults
	cut     bool       // the power was cut during the last change
}

// TestModel does random things to a collection and to a model, and compares them.
func TestModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		x := newModelRun(t, r)
		x.open()
		for range rapid.IntRange(1, 25).Draw(r, "steps") {
			x.steps++
			switch rapid.IntRange(0, 11).Draw(r, "what") {
			default:
				x.change()
			case 8:
				x.close()
				x.open()
			case 9:
				x.compare()
				x.compareSearch()
			case 10:
				x.takeSnapshot()
			}
		}
		x.compare()
		x.compareSearch()
		x.close()
		x.verify()
	})
}

// newModelRun makes a collection of a random schema, to be opened with random options.
func newModelRun(t *testing.T, r *rapid.T) *modelRun {
	x := &modelRun{T: r, dir: modelDir(t, r), schema: anyModelSchema(r), model: model{}}
	if err := Create(x.dir, x.schema); err != nil {
		r.Fatal(err)
	}
	x.options = Options{
		SegmentRows:  rapid.IntRange(1, 40).Draw(r, "segment rows"),
		MergeThreads: rapid.IntRange(0, 2).Draw(r, "merge threads"),
		shards:       rapid.SampledFrom([]int{0, 0, 2, 3}).Draw(r, "shards"),
		Memory:       rapid.SampledFrom([]int64{0, leastMemory}).Draw(r, "memory"),
		apartAbove:   rapid.SampledFrom([]int64{0, 1}).Draw(r, "apart"),
	}
	if rapid.IntRange(0, 3).Draw(r, "window") == 0 {
		x.options.SyncWindow = time.Hour
	}
	return x
}

// anyModelSchema draws a schema of one vector without a name, or of several with names.
func anyModelSchema(r *rapid.T) (s Schema) {
	for _, name := range rapid.SampledFrom([][]string{{""}, {"a"}, {"a", "b"}, {"a", "b", "c"}}).Draw(r, "names") {
		v := anyModelVector().Draw(r, "vector")
		v.Name = name
		s.Vectors = append(s.Vectors, v)
	}
	if rapid.Bool().Draw(r, "indexed") {
		s.Indexes = []PayloadIndex{{"number", Integer}}
	}
	return s
}

func anyModelVector() *rapid.Generator[Vector] {
	return rapid.Custom(func(r *rapid.T) Vector {
		return Vector{
			Dim:    rapid.SampledFrom([]int{testDim, 2, 9}).Draw(r, "dim"),
			Metric: rapid.SampledFrom([]vector.Metric{vector.L2, vector.IP, vector.Cosine}).Draw(r, "metric"),
			Codes: rapid.SampledFrom([]shale.Codes{shale.Float32, "", shale.Float16, shale.RaBitQ1, shale.RaBitQ4, shale.SQ4,
				shale.SQ8, shale.PQ}).Draw(r, "codes"),
			Rows: rapid.SampledFrom([]shale.Rows{"", shale.RowsFloat32, shale.RowsFloat16, shale.RowsSQ8,
				shale.RowsNone}).Draw(r, "rows"),
			M: rapid.SampledFrom([]int{0, 2}).Draw(r, "m"),
		}
	}).Filter(func(v Vector) bool { return v.check() == nil })
}

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

func modelOpen(r *rapid.T, dir string, o Options) *Collection {
	c, err := Open(context.Background(), dir, o)
	if err != nil {
		r.Fatal(err)
	}
	return c
}

func modelClose(r *rapid.T, c *Collection) {
	if err := c.Close(); err != nil {
		r.Fatal(err)
	}
}

func (r *modelRun) open() {
	r.c = modelOpen(r.T, r.dir, r.options)
}

func (r *modelRun) close() { modelClose(r.T, r.c) }

// verify verifies the collection, which is closed.
func (r *modelRun) verify() {
	report, err := Verify(context.Background(), r.dir, Options{})
	if err != nil || len(report.Problems) > 0 || report.Documents != len(r.model) {
		r.Fatalf("verify: %+v, %v; the model has %d documents", report, err, len(r.model))
	}
}

// takeSnapshot goes on with a snapshot of the collection, or with what is restored of it.
func (r *modelRun) takeSnapshot() {
	ctx, snapshot := context.Background(), fmt.Sprintf("%s of %d", r.dir, r.steps)
	if err := r.c.Snapshot(ctx, snapshot); err != nil {
		r.Fatal(err)
	}
	then := r.model
	r.change() // which isn't in it
	r.close()
	if err := os.RemoveAll(r.dir); err != nil {
		r.Fatal(err)
	}
	if r.dir, r.model = snapshot, then; rapid.Bool().Draw(r.T, "restored") {
		r.dir += " restored"
		if err := Restore(ctx, snapshot, r.dir); err != nil {
			r.Fatal(err)
		}
	}
	r.open()
	r.compare()
}

// compare compares the contents, in the order of IDs.
func (r *modelRun) compare() {
	got, err := r.c.Scroll(context.Background(), ScrollOptions{Fields: Fields{Payload: true, Vectors: true}})
	if err != nil {
		r.Fatal(err)
	}
	if problem := r.differs(r.model, got); problem != "" {
		r.Fatal(problem)
	}
	if n, err := r.c.Count(); err != nil || n != len(r.model) {
		r.Fatalf("counted %d, %v; the model has %d", n, err, len(r.model))
	}
}

// differs tells how documents, in the order of IDs, differ from those of a model, or returns nothing.
func (r *modelRun) differs(m model, got []Document) string {
	inOrder := func(a, b ID) int { return slices.Compare(appendID(nil, a), appendID(nil, b)) }
	want := slices.SortedFunc(maps.Keys(m), inOrder)
	if len(got) != len(want) {
		return fmt.Sprintf("%d documents, the model has %d", len(got), len(want))
	}
	for i, d := range got {
		if d.ID != want[i] || !r.same(m[want[i]], d) {
			return fmt.Sprintf("document %d is %s, of the model %s", i, text(r, d), text(r, m[want[i]].document(want[i])))
		}
	}
	return ""
}

// same reports whether a document is that of the model, as far as the rows that are kept tell.
func (r *modelRun) same(d modelDocument, x Document) bool {
	got := x.Vectors
	if x.Vector != nil {
		got = map[string][]float32{"": x.Vector}
	}
	if string(x.Payload) != string(d.document(x.ID).Payload) || len(got) != len(d.vectors) {
		return false
	}
	for _, v := range r.schema.Vectors {
		if !sameModelVector(v, d.vectors[v.Name], got[v.Name]) {
			return false
		}
	}
	return true
}
