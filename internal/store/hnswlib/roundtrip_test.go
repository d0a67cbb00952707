package hnswlib

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

// sameContent fails unless a and b have the same graph, labels, marks and vectors. b's vectors are float32.
func sameContent(t fataler, a, b *hnsw.Index) {
	t.Helper()
	err := a.WithImage(func(x *hnsw.Image) error {
		return b.WithImage(func(y *hnsw.Image) error {
			same := x.Count == y.Count && x.TopLevel == y.TopLevel && x.Entry == y.Entry && slices.Equal(x.Levels, y.Levels) &&
				slices.Equal(x.Links0, y.Links0) && slices.Equal(x.Upper, y.Upper) && slices.Equal(x.Labels, y.Labels) &&
				slices.Equal(x.Deleted, y.Deleted)
			if !same {
				t.Fatalf("arrays differ")
			}
			v, w := make([]float32, x.Config.Dim), make([]float32, x.Config.Dim)
			for i := range x.Count {
				x.Rows.Decode(i, v)
				y.Rows.Decode(i, w)
				if !slices.Equal(v, w) {
					t.Fatalf("row %d differs", i)
				}
			}
			return nil
		})
	})
	if err != nil {
		t.Fatalf("image: %v", err)
	}
}

func TestRoundTrip(t *testing.T) {
	ctx := context.Background()
	rapid.Check(t, func(t *rapid.T) {
		c := hnsw.Config{
			Dim:            rapid.IntRange(1, 500).Draw(t, "dim"),
			Metric:         rapid.SampledFrom([]vector.Metric{vector.L2, vector.IP, vector.Cosine}).Draw(t, "metric"),
			M:              rapid.IntRange(2, 64).Draw(t, "M"),
			EfConstruction: rapid.IntRange(1, 100).Draw(t, "efConstruction"),
			Storage:        rapid.SampledFrom([]vector.Type{vector.Float32, vector.Float16}).Draw(t, "storage"),
		}
		rows, del := rapid.IntRange(0, 120).Draw(t, "rows"), rapid.IntRange(1, 5).Draw(t, "delete")
		x := fill(t, c, rows, del)
		defer x.Close()
		var b bytes.Buffer
		if err := Encode(ctx, &b, x); err != nil {
			t.Fatalf("write: %v", err)
		}
		y, err := Decode(ctx, &b, int64(b.Len()), "memory", Options{Dim: c.Dim, Metric: c.Metric})
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		defer y.Close()
		sameContent(t, x, y)
		if y.Deleted() != x.Deleted() || y.Config().EfConstruction != x.Config().EfConstruction {
			t.Fatalf("%d deleted, %+v; was %d, %+v", y.Deleted(), y.Config(), x.Deleted(), x.Config())
		}
	})
}

// fill makes an index of random rows, one in every del deleted.
func fill(t fataler, c hnsw.Config, rows, del int) *hnsw.Index {
	t.Helper()
	x, err := hnsw.New(c)
	if err != nil {
		t.Fatalf("new: %v", err)
	}
	random := rand.New(rand.NewPCG(uint64(rows), uint64(c.Dim)))
	vec := make([]float32, c.Dim)
	for i := range rows {
		for j := range vec {
			vec[j] = float32(random.NormFloat64())
		}
		label := random.Uint64()
		if err := x.Add(label, vec, hnsw.AddOptions{}); err != nil {
			t.Fatalf("add: %v", err)
		}
		if i%del == 1 {
			if err := x.Delete(label); err != nil {
				t.Fatalf("delete: %v", err)
			}
		}
	}
	return x
}

func TestFlatRoundTrip(t *testing.T) {
	ctx := context.Background()
	rapid.Check(t, func(t *rapid.T) {
		dim, rows := rapid.IntRange(1, 500).Draw(t, "dim"), rapid.IntRange(0, 50).Draw(t, "rows")
		room := rows + rapid.IntRange(1, 30).Draw(t, "room")
		x, err := hnsw.NewFlat(hnsw.Config{Dim: dim, Capacity: room})
		if err != nil {
			t.Fatalf("new: %v", err)
		}
		defer x.Close()
		random := rand.New(rand.NewPCG(uint64(rows), uint64(dim)))
		vec, got := make([]float32, dim), make([]float32, dim)
		for i := range rows {
			vec[0] = float32(i)
			if err := x.Add(random.Uint64(), vec, hnsw.AddOptions{}); err != nil {
				t.Fatalf("add: %v", err)
			}
		}
		var b bytes.Buffer
		if err := EncodeFlat(ctx, &b, x); err != nil {
			t.Fatalf("write: %v", err)
		}
		y, err := DecodeFlat(ctx, &b, int64(b.Len()), "memory", Options{Dim: dim})
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		defer y.Close()
		was, errX := x.Labels()
		is, errY := y.Labels()
		if errX != nil || errY != nil || !slices.Equal(was, is) || y.Capacity() != room {
			t.Fatalf("labels %v, %v became %v, %v, room for %d became %d", was, errX, is, errY, room, y.Capacity())
		}
		for i, label := range is {
			if err := y.Vector(label, got); err != nil || got[0] != float32(i) {
				t.Fatalf("row %d holds %v, %v", i, got, err)
			}
		}
	})
}

func TestFrozenIsWritten(t *testing.T) {
	ctx := context.Background()
	x := fill(t, hnsw.Config{Dim: 4, M: 4}, 50, 3)
	defer x.Close()
	f, err := x.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	path := filepath.Join(t.TempDir(), "index.bin")
	if err := Write(ctx, path, f); err != nil {
		t.Fatal(err)
	}
	y, err := Read(ctx, path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer y.Close()
	query := []float32{1, 0, 0, 0}
	a, err := f.Search(query, 5, search.Options{Ef: 50})
	if err != nil {
		t.Fatal(err)
	}
	b, err := y.Search(query, 5, search.Options{Ef: 50})
	if err != nil || !slices.Equal(a, b) {
		t.Fatalf("%v, %v, and %v", b, err, a)
	}
}

func TestCapacity(t *testing.T) {
	own := loadFixture(t, "l2").MaxElements
	for _, c := range []struct {
		o    Options
		want int
	}{
		{Options{}, own}, {Options{FixedCapacity: true}, own}, {Options{Capacity: 59}, own}, {Options{Capacity: 77}, 77},
	} {
		x, err := Read(context.Background(), fixturePath("l2"), c.o)
		if err != nil {
			t.Fatal(err)
		}
		if x.Capacity() != c.want {
			t.Errorf("%+v made room for %d, not %d", c.o, x.Capacity(), c.want)
		}
		_ = x.Close()
	}
}

// A write that is cancelled leaves the old file and nothing else.
func TestCancelledWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "index.bin")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	x := fill(t, hnsw.Config{Dim: 4}, 5, 3)
	defer x.Close()
	if err := Write(ctx, path, x); !errors.Is(err, context.Canceled) {
		t.Fatalf("write gave %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "old" {
		t.Fatalf("the old file became %q, %v", b, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Fatalf("left behind: %v, %v", entries, err)
	}
	if _, err := Read(ctx, fixturePath("l2"), Options{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("read gave %v", err)
	}
}

func TestNotFiniteIsRefused(t *testing.T) {
	b, err := os.ReadFile(fixturePath("one"))
	if err != nil {
		t.Fatal(err)
	}
	copy(b[headerSize+listHead+4*32:], []byte{0, 0, 0x80, 0x7f}) // +Inf
	_, err = Decode(context.Background(), bytes.NewReader(b), int64(len(b)), "memory", Options{})
	if !errors.Is(err, hnsw.ErrNotFinite) {
		t.Fatalf("got %v", err)
	}
}
