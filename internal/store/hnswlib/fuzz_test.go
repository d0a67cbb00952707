package hnswlib

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/search"
)

// seeds adds hnswlib's own small files to the corpus.
func seeds(f *testing.F, pattern string) {
	names, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(names) == 0 {
		f.Fatalf("no seeds %s: %v", pattern, err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if len(b) <= 8<<10 {
			f.Add(b)
		}
	}
}

func FuzzReadIndex(f *testing.F) {
	seeds(f, "*.bin")
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, fixed := range []bool{false, true} {
			x, err := Decode(context.Background(), bytes.NewReader(b), int64(len(b)), "fuzz",
				Options{FixedCapacity: fixed, ReplaceDelete: fixed})
			if err != nil {
				return
			}
			use(t, x)
			_ = x.Close()
		}
	})
}

// use writes, searches and changes an index of unknown content.
func use(t *testing.T, x *hnsw.Index) {
	var w bytes.Buffer
	if err := Encode(context.Background(), &w, x); err != nil {
		t.Fatalf("write: %v", err)
	}
	if size, err := Size(x); err != nil || size != int64(w.Len()) {
		t.Fatalf("wrote %d bytes, the size is said to be %d, %v", w.Len(), size, err)
	}
	query := make([]float32, x.Dim())
	query[0] = 1
	if found, err := x.Search(query, 3, search.Options{}); err != nil || len(found) > 3 {
		t.Fatalf("search gave %v, %v", found, err)
	}
	for label := range uint64(5) {
		_ = x.Add(label, query, hnsw.AddOptions{ReplaceDeleted: x.Config().ReplaceDelete}) // a full index refuses
		_ = x.Delete(label)
	}
	if _, err := x.Search(query, 3, search.Options{}); err != nil {
		t.Fatalf("search gave %v", err)
	}
}

func FuzzReadFlat(f *testing.F) {
	seeds(f, "*.flat")
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := DecodeFlat(context.Background(), bytes.NewReader(b), int64(len(b)), "fuzz", Options{})
		if err != nil {
			return
		}
		defer x.Close()
		var w bytes.Buffer
		if err := EncodeFlat(context.Background(), &w, x); err != nil {
			t.Fatalf("write: %v", err)
		}
		if w.Len() != len(b) {
			t.Fatalf("%d bytes became %d", len(b), w.Len())
		}
		query := make([]float32, x.Dim())
		if found, err := x.Search(query, 3, search.Options{}); err != nil || len(found) > 3 {
			t.Fatalf("search gave %v, %v", found, err)
		}
	})
}
