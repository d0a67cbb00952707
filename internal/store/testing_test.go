package store

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// shape says what index to make for a test.
type shape struct {
	config hnsw.Config
	rows   int
	delete int // of every so many, one is marked deleted
	frozen bool
}

type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

// made is an index made for a test, with vectors to ask it for.
type made struct {
	source  Source
	reader  *hnsw.Reader
	queries [][]float32
}

func (s shape) make(t fataler) made {
	t.Helper()
	random := rand.New(rand.NewPCG(uint64(s.rows), uint64(s.config.Dim)))
	vec := func() []float32 {
		v := make([]float32, s.config.Dim)
		for i := range v {
			v[i] = float32(random.NormFloat64())
		}
		return v
	}
	x, err := hnsw.New(s.config)
	if err != nil {
		t.Fatalf("new: %v", err)
	}
	for i := range s.rows {
		label := uint64(i)*7919 + 3
		if err := x.Add(label, vec(), hnsw.AddOptions{}); err != nil {
			t.Fatalf("add: %v", err)
		}
		if s.delete > 0 && i%s.delete == 0 {
			if err := x.Delete(label); err != nil {
				t.Fatalf("delete: %v", err)
			}
		}
	}
	m := made{source: x, reader: &x.Reader, queries: [][]float32{vec(), vec(), vec()}}
	if s.frozen {
		f, err := x.Freeze()
		if err != nil {
			t.Fatalf("freeze: %v", err)
		}
		_ = x.Close()
		m.source, m.reader = f, &f.Reader
	}
	return m
}

// sameContent fails unless a and b have the same arrays.
func sameContent(t fataler, a, b Source) {
	t.Helper()
	err := a.WithImage(func(x *hnsw.Image) error {
		return b.WithImage(func(y *hnsw.Image) error {
			same := x.Count == y.Count && x.TopLevel == y.TopLevel && x.Entry == y.Entry &&
				slices.Equal(x.Levels, y.Levels) && slices.Equal(x.Links0, y.Links0) && slices.Equal(x.UpperAt, y.UpperAt) &&
				slices.Equal(x.Quantizer, y.Quantizer) && slices.Equal(x.Codes, y.Codes) &&
				slices.Equal(x.Upper, y.Upper) && slices.Equal(x.Labels, y.Labels) && slices.Equal(x.Deleted, y.Deleted)
			if !same {
				t.Fatalf("arrays differ")
			}
			for i := range x.Count {
				if !slices.Equal(x.Rows.RowBytes(i), y.Rows.RowBytes(i)) {
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

// sameAnswers fails unless a and b answer alike.
func sameAnswers(t fataler, a, b *hnsw.Reader, queries [][]float32) {
	t.Helper()
	for _, q := range queries {
		x, err := a.Search(q, 5, search.Options{})
		if err != nil {
			t.Fatalf("search: %v", err)
		}
		y, err := b.Search(q, 5, search.Options{})
		if err != nil {
			t.Fatalf("search: %v", err)
		}
		if !slices.Equal(x, y) {
			t.Fatalf("answers differ: %v and %v", x, y)
		}
	}
}

// small is an index with elements on several levels whose file is short.
func small() shape {
	return shape{config: hnsw.Config{Dim: 2, M: 2, Capacity: 12}, rows: 12, delete: 5}
}

func saved(t *testing.T, s shape) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "index.shale")
	if err := Save(context.Background(), path, s.make(t).source); err != nil {
		t.Fatal(err)
	}
	return path
}

var metrics = []vector.Metric{vector.L2, vector.IP, vector.Cosine}
