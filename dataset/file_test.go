package dataset

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
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
	f, err := OpenFile(path)
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
		f, err := OpenFile(path)
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
	if _, err := OpenFile(filepath.Join(t.TempDir(), "none.npy")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
