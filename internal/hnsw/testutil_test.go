package hnsw

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"unsafe"

	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// engine is what the growing index and the flat one have in common.
type engine interface {
	Add(label uint64, vec []float32, o AddOptions) error
	AddBatch(ctx context.Context, rows vector.Matrix, labels []uint64, o BatchOptions) error
	Delete(label uint64) error
	Search(query []float32, k int, o search.Options) ([]search.Neighbor, error)
	SearchInto(dst []search.Neighbor, query []float32, k int, o search.Options) ([]search.Neighbor, error)
	SearchBatch(ctx context.Context, queries vector.Matrix, k int, o search.Options) (*search.Results, error)
	Vector(label uint64, dst []float32) error
	Labels() ([]uint64, error)
	Len() int
	Capacity() int
	Resize(capacity int) error
	Stats() (Stats, error)
	Close() error
}

// engines makes each kind of index.
var engines = map[string]func(Config) (engine, error){
	"graph": func(c Config) (engine, error) { return New(c) },
	"flat":  func(c Config) (engine, error) { return NewFlat(c) },
}

// eachEngine runs test on an empty index of each kind.
func eachEngine(t *testing.T, c Config, test func(t *testing.T, x engine)) {
	for name, make := range engines {
		t.Run(name, func(t *testing.T) {
			x, err := make(c)
			must(t, err)
			defer x.Close()
			test(t, x)
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// randomRows are n rows of normally distributed values.
func randomRows(n, dim int, seed uint64) []float32 {
	rnd := newRand(seed)
	rows := make([]float32, n*dim)
	for i := range rows {
		rows[i] = float32(rnd.NormFloat64())
	}
	return rows
}

// integerRows are n rows of small whole numbers, whose distances float32 holds exactly.
func integerRows(n, dim int, seed uint64) []float32 {
	rnd := newRand(seed)
	rows := make([]float32, n*dim)
	for i := range rows {
		rows[i] = float32(rnd.IntN(17) - 8)
	}
	return rows
}

// clusteredRows are n rows around few centres that lie far apart.
func clusteredRows(n, dim, clusters int, seed uint64) []float32 {
	centres := randomRows(clusters, dim, seed)
	rows := randomRows(n, dim, seed+1)
	for i := range n {
		c := centres[i%clusters*dim:][:dim]
		for j := range dim {
			rows[i*dim+j] = 10*c[j] + rows[i*dim+j]
		}
	}
	return rows
}

func matrix[T float32 | uint16 | int8 | uint8](t testing.TB, data []T, dim int) vector.Matrix {
	t.Helper()
	m, err := vector.Of(data, dim)
	must(t, err)
	return m
}

// decoded is row i as float32.
func decoded(m vector.Matrix, i int) []float32 {
	v := make([]float32, m.Dim())
	m.Decode(i, v)
	return v
}

// oracle is the distance by the metric's definition.
func oracle(c Config, a, b []float32) float64 {
	if c.Custom != nil {
		return float64(c.Custom(a, b))
	}
	var l2, dot, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		l2 += (x - y) * (x - y)
		dot += x * y
		aa += x * x
		bb += y * y
	}
	switch c.Metric {
	case vector.L2:
		return l2
	case vector.IP:
		return 1 - dot
	default:
		if aa == 0 || bb == 0 {
			return 1
		}
		return 1 - dot/math.Sqrt(aa)/math.Sqrt(bb)
	}
}

// nearest is the k allowed rows nearest to query by the oracle, ties by smaller label. labels nil means row numbers.
func nearest(c Config, rows vector.Matrix, labels []uint64, allow func(uint64) bool,
	query []float32, k int) []search.Neighbor {
	var all []search.Neighbor
	v := make([]float32, rows.Dim())
	for i := range rows.Rows() {
		label := uint64(i)
		if labels != nil {
			label = labels[i]
		}
		if allow == nil || allow(label) {
			rows.Decode(i, v)
			all = append(all, search.Neighbor{Label: label, Distance: float32(oracle(c, query, v))})
		}
	}
	sortNeighbors(all)
	return all[:min(k, len(all))]
}

func sortNeighbors(all []search.Neighbor) {
	slices.SortFunc(all, func(a, b search.Neighbor) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Label, b.Label))
	})
}

// sameResults demands equal labels and distances.
func sameResults(t testing.TB, got, want []search.Neighbor) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d results, want %d", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("result %d is %v, want %v", i, got[i], want[i])
		}
	}
}

// sameNeighbors demands equal labels and distances equal up to rounding.
func sameNeighbors(t testing.TB, got, want []search.Neighbor, tolerance float64) {
	t.Helper()
	sameDistances(t, got, want, tolerance)
	for i := range got {
		if got[i].Label != want[i].Label {
			t.Fatalf("result %d is %v, want %v", i, got[i], want[i])
		}
	}
}

// sameDistances demands distances equal up to rounding, place by place.
func sameDistances(t testing.TB, got, want []search.Neighbor, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d results, want %d", len(got), len(want))
	}
	for i := range got {
		g, w := float64(got[i].Distance), float64(want[i].Distance)
		if !(math.Abs(g-w) <= tolerance*(1+math.Abs(w))) {
			t.Fatalf("result %d: distance %v, want %v", i, g, w)
		}
	}
}

// hits counts the labels of want that are in got.
func hits(got, want []search.Neighbor) int {
	n := 0
	for _, w := range want {
		if slices.ContainsFunc(got, func(g search.Neighbor) bool { return g.Label == w.Label }) {
			n++
		}
	}
	return n
}

// wordnet is the real data set: embeddings of dictionary entries.
var wordnet = sync.OnceValues(func() (vector.Matrix, error) {
	const header, dim = 128, 384
	b, err := os.ReadFile(filepath.Join("..", "wordnet", "wordnet-10k-minilm384.fp16.npy"))
	if err != nil {
		return vector.Matrix{}, err
	}
	halves := unsafe.Slice((*uint16)(unsafe.Pointer(&b[header])), (len(b)-header)/2)
	return vector.Of(halves[:realRows*dim], dim)
})

// realIndex is a graph of default options over the real data set, the same every time, for tests that don't change it.
var realIndex = sync.OnceValues(func() (*Index, error) {
	rows, err := wordnet()
	if err != nil {
		return nil, err
	}
	x, err := New(Config{Dim: rows.Dim(), Metric: vector.Cosine, Capacity: rows.Rows()})
	if err != nil {
		return nil, err
	}
	return x, x.AddBatch(context.Background(), rows, nil, BatchOptions{Threads: 1})
})

// realFlat is the truth about the real data set.
var realFlat = sync.OnceValues(func() (*Flat, error) {
	rows, err := wordnet()
	if err != nil {
		return nil, err
	}
	x, err := NewFlat(Config{Dim: rows.Dim(), Metric: vector.Cosine, Capacity: rows.Rows()})
	if err != nil {
		return nil, err
	}
	return x, x.AddBatch(context.Background(), rows, nil, BatchOptions{})
})

func realData(t testing.TB) (*Index, vector.Matrix) {
	t.Helper()
	rows, err := wordnet()
	must(t, err)
	x, err := realIndex()
	must(t, err)
	return x, rows
}

// build makes a graph of rows, labelled by row number, on one thread.
func build(t testing.TB, c Config, rows vector.Matrix) *Index {
	t.Helper()
	c.Dim = rows.Dim()
	x, err := New(c)
	must(t, err)
	t.Cleanup(func() { x.Close() })
	must(t, x.AddBatch(context.Background(), rows, nil, BatchOptions{Threads: 1}))
	return x
}
