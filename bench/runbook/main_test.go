package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shale-search/shale/dataset"
	"github.com/shale-search/shale/vector"
)

// rowsFile writes 2,000 rows in groups.
func rowsFile(t *testing.T, path string) {
	t.Helper()
	data := make([]float32, 2000*8)
	for i := range data {
		data[i] = float32((i*7919)%997)/997 + float32((i/8)%5)
	}
	rows, err := vector.Of(data, 8)
	if err != nil {
		t.Fatal(err)
	}
	err = dataset.Write(path, vector.Float32, 8, func(put func(vector.Matrix) error) error { return put(rows) })
	if err != nil {
		t.Fatal(err)
	}
}

// TestRunbooks makes runbooks of both kinds and follows them: the documents at the end are those that the steps leave.
func TestRunbooks(t *testing.T) {
	dir := t.TempDir()
	input, sorted := filepath.Join(dir, "rows.npy"), filepath.Join(dir, "sorted.npy")
	rowsFile(t, input)
	ctx := context.Background()
	for kind, rows := range map[string]string{"expiration": input, "clustered": sorted} {
		book := filepath.Join(dir, kind+".yaml")
		s := settings{
			make: kind, input: input, sorted: sorted, queries: input, book: book, dir: filepath.Join(dir, kind),
			metric: "l2", rows: 2000, clusters: 9, checked: 20, k: 5, ef: 100, segmentRows: 300,
		}
		if err := run(ctx, nil, s); err != nil {
			t.Fatal(err)
		}
		s.make, s.input = "", rows
		var out bytes.Buffer
		if err := run(ctx, &out, s); err != nil {
			t.Fatal(err)
		}
		var r report
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if want := left(t, book); r.Documents != want || len(r.Recalls) < 5 || r.MeanRecall < 0.9 {
			t.Errorf("%s: %d documents and recall %v, want %d documents", kind, r.Documents, r.Recalls, want)
		}
	}
}

// left returns the number of documents that a runbook leaves, each of which it inserts and deletes once at most.
func left(t *testing.T, book string) (rows int) {
	t.Helper()
	steps, err := readBook(book)
	if err != nil {
		t.Fatal(err)
	}
	there := map[int]bool{}
	for _, s := range steps {
		for i := s.Start; i < s.End; i++ {
			if there[i] != (s.Operation == "delete") {
				t.Fatalf("%s: row %d is in the way of %+v", book, i, s)
			}
			there[i] = s.Operation == "insert"
			if there[i] {
				rows++
			} else {
				rows--
			}
		}
	}
	return rows
}

func TestBadRunbooks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "book.yaml")
	for text, want := range map[string]string{
		"a: {1: {operation: search}}\nb: {}":            "2 data sets",
		"a: {1: {operation: replace}}":                  `step 1: the operation "replace"`,
		"a: {2: {operation: insert, start: 5, end: 5}}": "step 2: rows 5 to 5",
		"a: [1": "yaml",
	} {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := readBook(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives %v", text, err)
		}
	}
}
