package datafile

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/shale-search/shale/vector"
)

func TestFileIsReadMoreThanOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.npy")
	writeNpy(t, path)
	want, err := ReadAll(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if f.Rows() != want.Rows() || f.Dim() != want.Dim() || f.Type() != want.Type() {
		t.Fatalf("%d × %d %v", f.Rows(), f.Dim(), f.Type())
	}
	for range 2 {
		next := 0
		err := f.Blocks(context.Background(), func(first int, rows vector.Matrix) error {
			for i := range rows.Rows() {
				if first != next-i || !bytes.Equal(rows.RowBytes(i), want.RowBytes(next)) {
					t.Fatalf("row %d differs", next)
				}
				next++
			}
			return nil
		})
		if err != nil || next != want.Rows() {
			t.Fatalf("%d rows, %v", next, err)
		}
	}
	stop := errors.New("stop")
	if err := f.Blocks(context.Background(), func(int, vector.Matrix) error { return stop }); err != stop {
		t.Errorf("an error of fn: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := f.Blocks(ctx, func(int, vector.Matrix) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestFileIDChangesWithTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.npy")
	writeNpy(t, path)
	id := func() string {
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		return f.ID()
	}
	before := id()
	if id() != before {
		t.Error("the same file has two IDs")
	}
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if id() == before {
		t.Error("a file that has changed has the same ID")
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none.npy")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestFilesFollowEachOther(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.npy"), filepath.Join(dir, "b.fvecs")
	all := writeRows(t, a, 0, 5)
	all = append(all, writeRows(t, b, 5, 3)...)
	f, err := Open(a, b, a)
	if err != nil {
		t.Fatal(err)
	}
	all = append(all, all[:5*2]...)
	if f.Rows() != 13 || f.Dim() != 2 {
		t.Fatalf("%d × %d", f.Rows(), f.Dim())
	}
	for row, want := range map[int]filePart{0: {path: a}, 4: {path: a, rows: 4}, 5: {path: b},
		7: {path: b, rows: 2}, 12: {path: a, rows: 4}} {
		if path, of := f.At(row); path != want.path || of != want.rows {
			t.Errorf("row %d is row %d of %s, not %d of %s", row, of, path, want.rows, want.path)
		}
	}
	next := 0
	err = f.Blocks(context.Background(), func(first int, rows vector.Matrix) error {
		if first != next {
			t.Errorf("a block begins at row %d, not %d", first, next)
		}
		for i := range rows.Rows() {
			var row [2]float32
			if rows.Decode(i, row[:]); row[0] != all[2*next] || row[1] != all[2*next+1] {
				t.Errorf("row %d is %v", next, row)
			}
			next++
		}
		return nil
	})
	if err != nil || next != 13 {
		t.Fatalf("%d rows, %v", next, err)
	}
	swapped, err := Open(b, a, a)
	if err != nil || swapped.ID() == f.ID() {
		t.Errorf("files in another order have the same ID: %v", err)
	}

	writeRows(t, a, 0, 4)
	if err := f.Blocks(context.Background(), func(int, vector.Matrix) error { return nil }); err == nil ||
		!strings.Contains(err.Error(), "has changed") {
		t.Errorf("a file that has changed is read: %v", err)
	}
	wide := filepath.Join(dir, "wide.npy")
	w, err := create(wide, vector.Float16, 2)
	if err == nil {
		rows, fromErr := vector.FromBytes(make([]byte, 4), vector.Float16, 1, 2, 0)
		err = errors.Join(fromErr, w.Write(rows), w.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(a, wide); !errors.Is(err, vector.ErrDim) || !strings.Contains(err.Error(), wide) {
		t.Errorf("files of two types: %v", err)
	}
	if _, err := Open(); err == nil {
		t.Error("no files are opened")
	}
}

// writeRows writes n rows of 2 values that count up from first, and returns the values.
func writeRows(t *testing.T, path string, first, n int) []float32 {
	t.Helper()
	data := make([]float32, 2*n)
	for i := range data {
		data[i] = float32(2*first + i)
	}
	rows, err := vector.Of(data, 2)
	if err != nil {
		t.Fatal(err)
	}
	w, err := create(path, vector.Float32, 2)
	if err == nil {
		err = errors.Join(w.Write(rows), w.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}
