package shale

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// TestLiveFile makes an index in its file, changes it, closes it and opens it for changing and for searching.
func TestLiveFile(t *testing.T) {
	ctx := context.Background()
	rows := groups(1500, 24, 40, 0.5)
	path := filepath.Join(t.TempDir(), "vectors.live")
	x, err := New(rows.Dim(), BuildOptions{Path: path, Live: true, Metric: vector.Cosine, Capacity: 2000, Codes: RaBitQ2})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.AddBatch(ctx, rows, AddOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(x.Delete(3), x.Sync(), x.Add(4, make([]float32, rows.Dim())),
		x.Save(ctx, path, SaveOptions{})); err != nil {
		t.Fatal(err)
	}
	if _, err := New(3, BuildOptions{Path: path, Live: true, Capacity: 1}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("made twice: %v", err)
	}
	query := make([]float32, rows.Dim())
	rows.Decode(9, query)
	check := func(x *Index) {
		t.Helper()
		found, err := x.Search(query, 1, search.Options{})
		if err != nil || len(found) != 1 || found[0].Label != 9 || x.Len() != 1499 {
			t.Errorf("%v, %v, %d rows", found, err, x.Len())
		}
	}
	check(x)
	saved := filepath.Join(t.TempDir(), "saved.index")
	if err := x.Save(ctx, saved, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	for _, o := range []OpenOptions{{}, {Mapped: true}, {Mapped: true, Dim: rows.Dim()}} {
		y, err := Open(ctx, path, o)
		if err != nil {
			t.Fatal(err)
		}
		check(y)
		if err := y.Add(9, query); o.Mapped != errors.Is(err, hnsw.ErrFrozen) {
			t.Errorf("mapped %v: %v", o.Mapped, err)
		}
		if err := y.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := Verify(ctx, path); err != nil || r.Rows != 1500 || len(r.Problems) > 0 {
		t.Errorf("%+v, %v", r, err)
	}
	y, err := Open(ctx, saved, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer y.Close()
	check(y)
	if err := y.Save(ctx, path, SaveOptions{}); err == nil {
		t.Error("a live file was replaced")
	}
	if err := y.Sync(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("sync of an index in memory: %v", err)
	}
}
