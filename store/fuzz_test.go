package store

import (
	"bytes"
	"context"
	"os"
	"testing"

	"github.com/shale-search/shale/hnsw"
)

// FuzzOpen opens, verifies, searches and changes whatever a file may hold. Where resummed is set the checksums are made
// right first, so that the checks behind them are reached.
func FuzzOpen(f *testing.F) {
	for _, s := range []shape{
		small(), {config: hnsw.Config{Dim: 1, M: 2}}, {config: hnsw.Config{Dim: 3, M: 2, Storage: 1, ReplaceDelete: true}, rows: 5, delete: 2},
		{config: hnsw.Config{Dim: 1, M: 3, Capacity: 2, FixedCapacity: true}, rows: 1, frozen: true},
	} {
		m := s.make(f)
		path := f.TempDir() + "/seed"
		if err := Save(context.Background(), path, m.source); err != nil {
			f.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, true)
		f.Add(b, false)
	}
	f.Fuzz(func(t *testing.T, b []byte, resummed bool) {
		if resummed {
			b = bytes.Clone(b)
			resum(b)
		}
		ctx := context.Background()
		load := func() (*loader, error) { return newLoader(ctx, bytes.NewReader(b), "fuzz", int64(len(b))) }
		if l, err := load(); err == nil {
			_, _ = l.verify(ctx)
		}
		l, err := load()
		if err != nil {
			return
		}
		o, err := l.open(Options{})
		if err != nil {
			return
		}
		defer o.Close()
		use(t, o)
	})
}

// use searches and changes an index of unknown content.
func use(t *testing.T, o Opened) {
	r := o.Reader()
	query := make([]float32, r.Dim())
	query[0] = 1
	if found, err := r.Search(query, 3, hnsw.SearchOptions{}); err != nil || len(found) > 3 {
		t.Fatalf("search gave %v, %v", found, err)
	}
	if o.Index == nil {
		return
	}
	for label := range uint64(5) {
		_ = o.Index.Add(label, query, hnsw.AddOptions{}) // a full index refuses
		_ = o.Index.Delete(label)
	}
	if _, err := r.Search(query, 3, hnsw.SearchOptions{}); err != nil {
		t.Fatalf("search gave %v", err)
	}
}
