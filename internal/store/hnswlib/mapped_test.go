package hnswlib

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// TestMap: an index whose vectors stay in its file answers as one that was read, and writes the same file.
func TestMap(t *testing.T) {
	ctx := context.Background()
	for _, metric := range []vector.Metric{vector.L2, vector.IP, vector.Cosine} {
		data := make([]float32, 600*12)
		for i := range data {
			data[i] = float32((i*7919)%1009)/1009 - 0.5
		}
		rows, err := vector.Of(data, 12)
		if err != nil {
			t.Fatal(err)
		}
		x, err := hnsw.New(hnsw.Config{Dim: 12, Metric: metric, M: 8})
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		path := filepath.Join(t.TempDir(), "index.bin")
		for _, err := range []error{
			x.AddBatch(ctx, rows, nil, hnsw.BatchOptions{}), x.Delete(7), Write(ctx, path, x),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		m, err := Map(ctx, path, Options{Metric: metric})
		if err != nil {
			t.Fatal(err)
		}
		want, err := x.SearchBatch(ctx, rows.Slice(0, 50), 5, search.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.SearchBatch(ctx, rows.Slice(0, 50), 5, search.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range want.Labels {
			if got.Labels[i] != want.Labels[i] || got.Distances[i] != want.Distances[i] {
				t.Fatalf("%v: result %d is %d at %v, not %d at %v", metric, i, got.Labels[i], got.Distances[i],
					want.Labels[i], want.Distances[i])
			}
		}
		again := filepath.Join(t.TempDir(), "again.bin")
		if err := Write(ctx, again, m); err != nil {
			t.Fatal(err)
		}
		one, _ := os.ReadFile(path)
		if two, _ := os.ReadFile(again); len(one) == 0 || string(one) != string(two) {
			t.Errorf("%v: the file written differs", metric)
		}
		if err := m.Resize(1000); !errors.Is(err, hnsw.ErrExternal) {
			t.Errorf("resizing gave %v", err)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestMapRefusesDamage(t *testing.T) {
	ctx := context.Background()
	x, err := hnsw.New(hnsw.Config{Dim: 4, M: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	for i := range 50 {
		if err := x.Add(uint64(i), []float32{float32(i), 1, 2, 3}, hnsw.AddOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "index.bin")
	if err := Write(ctx, path, x); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damage := map[string]func([]byte) []byte{
		"cut":      func(b []byte) []byte { return b[:len(b)-1] },
		"infinity": func(b []byte) []byte { copy(b[headerSize+4+4*8:], []byte{0, 0, 0x80, 0x7f}); return b },
		"link":     func(b []byte) []byte { copy(b[headerSize+4:], []byte{0xff, 0xff, 0xff, 0xff}); return b },
	}
	for name, change := range damage {
		if err := os.WriteFile(path, change(append([]byte(nil), whole...)), 0o600); err != nil {
			t.Fatal(err)
		}
		var bad *format.Error
		if _, err := Map(ctx, path, Options{}); !errors.As(err, &bad) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
