package hnswlib_test

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/hnswlib"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

const (
	copyDim   = 16
	copyCount = 150 // of each of the first rows
	copyRows  = 6
)

// rowsWithCopies are rows of which the first few are there several times, in any order, and the number of each.
func rowsWithCopies(t *testing.T) (rows vector.Matrix, of []int) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(1, 1))
	base := make([]float32, 500*copyDim)
	for i := range base {
		base[i] = float32(rnd.NormFloat64())
	}
	for i := range 500 {
		of = append(of, i)
	}
	for i := range copyRows * (copyCount - 1) {
		of = append(of, i%copyRows)
	}
	rnd.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
	var all []float32
	for _, i := range of {
		all = append(all, base[i*copyDim:(i+1)*copyDim]...)
	}
	rows, err := vector.Of(all, copyDim)
	if err != nil {
		t.Fatal(err)
	}
	return rows, of
}

type searcher interface {
	Search(query []float32, k int, o search.Options) ([]search.Neighbor, error)
	Reachable() (int, error)
	Close() error
}

// checkCopies searches for each row that is there several times.
func checkCopies(t *testing.T, x searcher, rows vector.Matrix, of []int) {
	t.Helper()
	query := make([]float32, copyDim)
	for i := range copyRows {
		want, at := 0, len(of)
		for label, row := range of {
			if row == i {
				want++
				at = min(at, label)
			}
		}
		rows.Decode(at, query)
		got, err := x.Search(query, want, search.Options{})
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, f := range got {
			if of[f.Label] == i {
				found++
			}
		}
		if found != want {
			t.Errorf("row %d: %d of %d copies are found", i, found, want)
		}
	}
	if n, err := x.Reachable(); err != nil || n != len(of) {
		t.Errorf("%d of %d rows are reached: %v", n, len(of), err)
	}
}

// TestCopiesInFiles writes an index with copies to files of both formats, reads it again in every way, and adds to it.
func TestCopiesInFiles(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	rows, of := rowsWithCopies(t)
	x, err := hnsw.New(hnsw.Config{Dim: copyDim, Codes: hnsw.Codes{Bits: 4}})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.AddBatch(ctx, rows, nil, hnsw.BatchOptions{}); err != nil {
		t.Fatal(err)
	}
	own, bin := filepath.Join(dir, "x.shale"), filepath.Join(dir, "index.bin")
	if err := store.Save(ctx, own, x); err != nil {
		t.Fatal(err)
	}
	if err := hnswlib.Write(ctx, bin, x); err != nil {
		t.Fatal(err)
	}
	frozen, err := x.Freeze()
	opened := map[string]searcher{"frozen": frozen}
	for name, open := range map[string]func() (searcher, error){
		"opened":        func() (searcher, error) { return store.OpenIndex(ctx, own, store.Options{}) },
		"opened frozen": func() (searcher, error) { return store.OpenFrozen(ctx, own, store.Options{}) },
		"mapped":        func() (searcher, error) { return store.OpenMapped(ctx, own, store.Options{}) },
		"hnswlib":       func() (searcher, error) { return hnswlib.Read(ctx, bin, hnswlib.Options{}) },
	} {
		if err != nil {
			t.Fatal(err)
		}
		opened[name], err = open()
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Reorder(); err != nil {
		t.Fatal(err)
	}
	opened["reordered"] = x
	for name, y := range opened {
		t.Run(name, func(t *testing.T) {
			defer y.Close()
			checkCopies(t, y, rows, of)
			grows, ok := y.(*hnsw.Index)
			if !ok {
				return
			}
			more, query := of, make([]float32, copyDim)
			for label, i := range of[:300] { // known rows again
				rows.Decode(label, query)
				if err := grows.Add(uint64(len(of)+label), query, hnsw.AddOptions{}); err != nil {
					t.Fatal(err)
				}
				more = append(more, i)
			}
			checkCopies(t, y, rows, more)
		})
	}
}

// TestCopiesInLiveFile adds copies to a file before and after it was closed.
func TestCopiesInLiveFile(t *testing.T) {
	rows, of := rowsWithCopies(t)
	half := rows.Rows() / 2
	path := filepath.Join(t.TempDir(), "live.shale")
	x, err := store.CreateLive(path, hnsw.Config{Dim: copyDim, Capacity: 2000}, store.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.AddBatch(context.Background(), rows.Slice(0, half), nil, hnsw.BatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if x, _, err = store.OpenLive(path, store.Options{}); err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if err := x.AddBatch(context.Background(), rows.Slice(half, rows.Rows()), nil, hnsw.BatchOptions{}); err != nil {
		t.Fatal(err)
	}
	checkCopies(t, x, rows, of)
}
