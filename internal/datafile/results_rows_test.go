package datafile

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"testing"
)

// TestResultRows writes more results than a row group of Parquet holds, and reads them.
func TestResultRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.parquet")
	const rows = parquetGroupRows + 1
	err := WriteResultRows(path, func(put func([]ResultRow) error) error {
		for i := range rows {
			if err := put([]ResultRow{{int64(i), 1, 1<<64 - 1 - uint64(i), float32(i) / 2}}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := tableRows(openTable(t, path))
	if !errors.Is(err, io.EOF) || len(got) != rows {
		t.Fatalf("%d rows, %v", len(got), err)
	}
	for i, row := range got {
		want := fmt.Sprintf(`{"query":%d,"rank":1,"label":%d,"distance":%v}`, i, 1<<64-1-uint64(i), float32(i)/2)
		if canonical(t, row) != canonical(t, want) {
			t.Fatalf("row %d is %s, not %s", i, row, want)
		}
	}

	gone := errors.New("gone")
	path = filepath.Join(t.TempDir(), "b.csv")
	if err := WriteResultRows(path, func(func([]ResultRow) error) error { return gone }); !errors.Is(err, gone) {
		t.Error(err)
	}
	if found, _ := filepath.Glob(path); len(found) > 0 {
		t.Error("a file is left of results that weren't written")
	}
	if err := WriteResultRows("a.txt", nil); !errors.Is(err, ErrUnknownFormat) {
		t.Error(err)
	}
}
