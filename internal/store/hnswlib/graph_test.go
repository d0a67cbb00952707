package hnswlib

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// graphNames are the files that hnswlib-mmap saved, each with its answers; testdata/mmap.py makes them.
var graphNames = []string{"graph_l2", "graph_ip", "graph_shuffled", "graph_deleted", "graph_empty", "graph_one"}

func graphPath(name string) string { return filepath.Join("testdata", name+".graph") }

func readGraphBytes(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(graphPath(name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// matrixOf copies a fixture's rows.
func (f *fixture) matrixOf(t *testing.T) vector.Matrix {
	t.Helper()
	m, err := vector.Of(slices.Concat(f.Rows...), f.Dim)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestGraphFixtures(t *testing.T) {
	ctx := context.Background()
	for _, name := range graphNames {
		t.Run(name, func(t *testing.T) {
			f := loadFixture(t, name)
			o := GraphOptions{Options: f.options(t)}
			x, err := ReadGraph(ctx, graphPath(name), o)
			if err != nil {
				t.Fatal(err)
			}
			defer x.Close()
			c := x.Config()
			if x.Len() != f.Count || x.Capacity() != f.MaxElements || c.M != f.M || c.Storage != rowtype.External ||
				x.Deleted() != len(f.Deleted) {
				t.Errorf("%d elements, %d deleted, room for %d, %+v; hnswlib-mmap has %+v", x.Len(),
					x.Deleted(), x.Capacity(), c, f)
			}
			if _, err := x.Search(make([]float32, c.Dim), 1, search.Options{}); !errors.Is(err, hnsw.ErrNoRows) {
				t.Errorf("a search without rows gave %v", err)
			}
			frozen, err := ReadFrozenGraph(ctx, graphPath(name), o)
			if err != nil {
				t.Fatal(err)
			}
			defer frozen.Close()
			rows := f.matrixOf(t)
			if err := errors.Join(x.Attach(rows, hnsw.AttachOptions{}), frozen.Attach(rows, hnsw.AttachOptions{})); err != nil {
				t.Fatal(err)
			}
			answersLike(t, &x.Reader, f)
			answersLike(t, &frozen.Reader, f)
		})
	}
}

// A graph that is read and written is the file that hnswlib-mmap wrote, but for what follows the lists' ends.
func TestRewrittenGraphs(t *testing.T) {
	for _, name := range graphNames {
		b := readGraphBytes(t, name)
		x, err := DecodeGraph(context.Background(), bytes.NewReader(b), int64(len(b)), name,
			GraphOptions{Options: Options{FixedCapacity: true}, ByPlace: true})
		if err != nil {
			t.Fatal(err)
		}
		var w bytes.Buffer
		if err := EncodeGraph(context.Background(), &w, x); err != nil {
			t.Fatal(err)
		}
		if size, err := GraphSize(x); err != nil || size != int64(w.Len()) || w.Len() != len(b) {
			t.Fatalf("%s: %d bytes, said to be %d, %v; hnswlib-mmap wrote %d", name, w.Len(), size, err, len(b))
		}
		y, err := DecodeGraph(context.Background(), &w, int64(len(b)), name, GraphOptions{ByPlace: true})
		if err != nil {
			t.Fatal(err)
		}
		sameLinks(t, x, y)
		x.Close()
		y.Close()
	}
}

// sameLinks fails unless a and b have the same links, labels and marks.
func sameLinks(t fataler, a, b Source) {
	t.Helper()
	err := a.WithImage(func(x *hnsw.Image) error {
		return b.WithImage(func(y *hnsw.Image) error {
			if x.Count != y.Count || x.TopLevel != y.TopLevel || x.Entry != y.Entry || !slices.Equal(x.Levels, y.Levels) ||
				!slices.Equal(x.Links0, y.Links0) || !slices.Equal(x.Upper, y.Upper) || !slices.Equal(x.Labels, y.Labels) ||
				!slices.Equal(x.Deleted, y.Deleted) {
				t.Fatalf("arrays differ")
			}
			return nil
		})
	})
	if err != nil {
		t.Fatalf("image: %v", err)
	}
}

// Whatever is written as a graph answers as before with the rows that belong to it, in the order that is promised.
func TestGraphRoundTrip(t *testing.T) {
	ctx := context.Background()
	rapid.Check(t, func(t *rapid.T) {
		n, dim := rapid.IntRange(1, 150).Draw(t, "rows"), rapid.IntRange(4, 40).Draw(t, "dim")
		c := hnsw.Config{
			Dim: dim, Metric: rapid.SampledFrom([]vector.Metric{vector.L2, vector.IP, vector.Cosine}).Draw(t, "metric"),
			M: rapid.IntRange(2, 20).Draw(t, "M"), EfConstruction: 40,
			Storage: rapid.SampledFrom([]vector.Type{vector.Float32, rowtype.External}).Draw(t, "storage"),
		}
		random := rand.New(rand.NewPCG(uint64(n), uint64(dim)))
		data := make([]float32, n*dim)
		for i := range data {
			data[i] = float32(random.NormFloat64())
		}
		for i := range n {
			vector.Normalize(data[i*dim : (i+1)*dim])
		}
		rows, err := vector.Of(data, dim)
		if err != nil {
			t.Fatalf("rows: %v", err)
		}
		kind := rapid.SampledFrom([]string{"counted", "shuffled", "from 1000"}).Draw(t, "labels")
		if kind == "shuffled" && c.Storage == rowtype.External {
			kind = "counted" // labels then say that rows lie in another order than those attached
		}
		labels := make([]uint64, n)
		for i, l := range random.Perm(n) {
			switch labels[i] = uint64(i); kind {
			case "shuffled":
				labels[i] = uint64(l)
			case "from 1000":
				labels[i] = uint64(1000 + i)
			}
		}
		x := graphOf(t, c, rows, labels)
		defer x.Close()
		if c.Storage != rowtype.External && kind != "from 1000" && rapid.Bool().Draw(t, "reorder") {
			if err := x.Reorder(); err != nil {
				t.Fatalf("reorder: %v", err)
			}
		}
		if err := x.Delete(labels[0]); err != nil {
			t.Fatalf("delete: %v", err)
		}
		var w bytes.Buffer
		if err := EncodeGraph(ctx, &w, x); err != nil {
			t.Fatalf("write: %v", err)
		}
		y, err := DecodeGraph(ctx, &w, int64(w.Len()), "memory", GraphOptions{Options: Options{Metric: c.Metric, Dim: dim}})
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		defer y.Close()
		if kind == "shuffled" { // row n is that of label n
			sorted := make([]float32, len(data))
			for i, l := range labels {
				copy(sorted[int(l)*dim:], data[i*dim:(i+1)*dim])
			}
			if rows, err = vector.Of(sorted, dim); err != nil {
				t.Fatalf("rows: %v", err)
			}
		}
		if err := y.Attach(rows, hnsw.AttachOptions{}); err != nil {
			t.Fatalf("attach: %v", err)
		}
		for range 3 {
			query := make([]float32, dim)
			for j := range query {
				query[j] = float32(random.NormFloat64())
			}
			want, err := x.Search(query, 5, search.Options{Ef: n})
			if err != nil {
				t.Fatalf("search: %v", err)
			}
			got, err := y.Search(query, 5, search.Options{Ef: n})
			if err != nil || !slices.EqualFunc(got, want, func(a, b search.Neighbor) bool {
				return a.Label == b.Label && math.Abs(float64(a.Distance-b.Distance)) < 1e-5
			}) {
				t.Fatalf("found %v, %v, was %v", got, err, want)
			}
		}
	})
}

// graphOf makes an index of rows, which keeps them or has them attached.
func graphOf(t fataler, c hnsw.Config, rows vector.Matrix, labels []uint64) *hnsw.Index {
	t.Helper()
	x, err := hnsw.New(c)
	if err != nil {
		t.Fatalf("new: %v", err)
	}
	if c.Storage != rowtype.External {
		err = x.AddBatch(context.Background(), rows, labels, hnsw.BatchOptions{Threads: 1})
	} else if err = x.Attach(rows, hnsw.AttachOptions{}); err == nil {
		err = x.AddAttached(context.Background(), rows.Rows(), labels, hnsw.BatchOptions{Threads: 1})
	}
	if err != nil {
		t.Fatalf("add: %v", err)
	}
	return x
}

func TestGraphDamage(t *testing.T) {
	for _, name := range []string{"graph_deleted", "graph_shuffled", "graph_one"} {
		b := readGraphBytes(t, name)
		for i := range b {
			for _, mask := range []byte{1 << (i % 8), 0xff} {
				b[i] ^= mask
				useGraph(t, b)
				b[i] ^= mask
			}
		}
		for n := range b {
			var bad *format.Error
			if _, err := DecodeGraph(context.Background(), bytes.NewReader(b[:n]), int64(n), "memory",
				GraphOptions{}); !errors.As(err, &bad) {
				t.Fatalf("%s cut to %d bytes: %v", name, n, err)
			}
			if _, err := DecodeGraph(context.Background(), bytes.NewReader(b[:n]), int64(len(b)), "memory",
				GraphOptions{}); !errors.As(err, &bad) {
				t.Fatalf("%s ending at %d bytes: %v", name, n, err)
			}
		}
		b = append(b, 0)
		if _, err := DecodeGraph(context.Background(), bytes.NewReader(b), int64(len(b)), "memory",
			GraphOptions{}); err == nil {
			t.Fatalf("%s: a byte too many was not seen", name)
		}
	}
}

// useGraph reads bytes of unknown content and, where they are a graph, writes and searches it.
func useGraph(t *testing.T, b []byte) {
	t.Helper()
	x, err := DecodeGraph(context.Background(), bytes.NewReader(b), int64(len(b)), "memory", GraphOptions{})
	var bad *format.Error
	if err != nil {
		if !errors.As(err, &bad) {
			t.Fatalf("not a *format.Error: %v", err)
		}
		return
	}
	defer x.Close()
	if x.Dim() > 64 || x.Len() > 1000 {
		return // the rows would take more memory than a test needs
	}
	var w bytes.Buffer
	if err := EncodeGraph(context.Background(), &w, x); err != nil {
		t.Fatalf("write: %v", err)
	}
	rows, err := vector.Of(make([]float32, x.Len()*x.Dim()), x.Dim())
	if err != nil {
		t.Fatal(err)
	}
	f, err := x.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, r := range []interface {
		Attach(vector.Matrix, hnsw.AttachOptions) error
		Search([]float32, int, search.Options) ([]search.Neighbor, error)
	}{x, f} {
		if err := r.Attach(rows, hnsw.AttachOptions{}); err != nil {
			t.Fatal(err)
		}
		if found, err := r.Search(make([]float32, x.Dim()), 3, search.Options{}); err != nil || len(found) > 3 {
			t.Fatalf("search gave %v, %v", found, err)
		}
	}
}

func TestGraphLiesAreFound(t *testing.T) {
	const count, stride = 60, 4 + 32 + 8 // of the fixture
	upper := int64(graphHeaderSize + count*stride)
	u64 := func(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }
	u32 := func(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }
	for _, c := range []struct {
		name   string
		offset int64
		value  []byte
		field  string
		at     int64
	}{
		{"magic", 0, u32(0x47524151), "magic", 0},
		{"more elements than there is room for", graphAt.maxElements, u64(59), "count", graphAt.count},
		{"room for everything", graphAt.maxElements, u64(1 << 60), "max_elements", graphAt.maxElements},
		{"more elements than the file has", graphAt.count, u64(60 + 8), "count", graphAt.count},
		{"M", graphAt.m, u64(1), "M", graphAt.m},
		{"maxM", graphAt.maxM, u64(5), "maxM", graphAt.maxM},
		{"maxM0", graphAt.maxM0, u64(9), "maxM0", graphAt.maxM0},
		{"lists that overflow", graphAt.maxM0, u64(1 << 62), "maxM0", graphAt.maxM0},
		{"ef_construction", graphAt.construct, u64(0), "ef_construction", graphAt.construct},
		{"mult", graphAt.mult, u64(math.Float64bits(math.NaN())), "mult", graphAt.mult},
		{"no level", graphAt.maxLevel, u32(math.MaxUint32), "max_level", graphAt.maxLevel},
		{"entry point past the end", graphAt.entry, u32(60), "entry point", graphAt.entry},
		{"no vector", atVectorBytes, u64(0), "vector bytes", atVectorBytes},
		{"a part of a float", atVectorBytes, u64(25), "vector bytes", atVectorBytes},
		{"vectors without end", atVectorBytes, u64(math.MaxUint64 &^ 3), "vector bytes", atVectorBytes},
		{"too many links", graphHeaderSize, []byte{9}, "number of links", graphHeaderSize},
		{"link past the end", graphHeaderSize + 4, u32(60), "link", graphHeaderSize + 4},
		{"link to itself", graphHeaderSize + stride + 4, u32(1), "link", graphHeaderSize + stride + 4},
		{"flags", graphHeaderSize + 2, []byte{2}, "flags", graphHeaderSize + 2},
		{"the same label", graphHeaderSize + stride + 36, u64(0), "label", graphHeaderSize + stride + 36},
		{"lists of no length", upper, u32(3), "length of the upper lists", upper},
	} {
		b := readGraphBytes(t, "graph_l2")
		copy(b[c.offset:], c.value)
		path := filepath.Join(t.TempDir(), "x.graph")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, grows := ReadGraph(context.Background(), path, GraphOptions{Options: Options{FixedCapacity: true}})
		_, frozen := ReadFrozenGraph(context.Background(), path, GraphOptions{Options: Options{FixedCapacity: true}})
		for _, err := range []error{grows, frozen} {
			var bad *format.Error
			if !errors.As(err, &bad) || bad.Field != c.field || bad.Offset != c.at || bad.File != path {
				t.Errorf("%s: got %v", c.name, err)
			}
		}
	}
}

// A wrong link of a file whose elements are renumbered is told with its place in the file.
func TestShuffledLinkIsLocated(t *testing.T) {
	b := readGraphBytes(t, "graph_shuffled")
	const stride, element = 4 + 32 + 8, 7
	at := int64(graphHeaderSize + element*stride + listHead)
	binary.LittleEndian.PutUint32(b[at:], element)
	_, err := DecodeGraph(context.Background(), bytes.NewReader(b), int64(len(b)), "memory", GraphOptions{})
	var bad *format.Error
	if !errors.As(err, &bad) || bad.Offset != at || bad.Field != "link" {
		t.Errorf("got %v, the link is at %d", err, at)
	}
}

func TestGraphWrongDimension(t *testing.T) {
	_, err := ReadGraph(context.Background(), graphPath("graph_l2"), GraphOptions{Options: Options{Dim: 7}})
	var bad *format.Error
	if !errors.Is(err, vector.ErrDim) || !errors.As(err, &bad) || bad.Offset != atVectorBytes {
		t.Errorf("got %v", err)
	}
}

func FuzzReadGraph(f *testing.F) {
	seeds(f, "*.graph")
	f.Fuzz(useGraph)
}

// An external index whose rows aren't attached can't be written with vectors.
func TestLinksAloneAreNoIndexBin(t *testing.T) {
	x, err := ReadGraph(context.Background(), graphPath("graph_l2"), GraphOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if err := Encode(context.Background(), &bytes.Buffer{}, x); !errors.Is(err, hnsw.ErrNoRows) {
		t.Errorf("got %v", err)
	}
}
