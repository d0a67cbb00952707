package main

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/shale-search/shale/dataset"
	"github.com/shale-search/shale/vector"
)

// TestRun measures a small collection, and then goes on with it.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	data := make([]float32, 300*8)
	for i := range data {
		data[i] = float32((i*i)%101) + 1
	}
	rows, err := vector.Of(data, 8)
	if err != nil {
		t.Fatal(err)
	}
	input := filepath.Join(dir, "rows.npy")
	err = dataset.Write(input, vector.Float32, 8, func(put func(vector.Matrix) error) error { return put(rows) })
	if err != nil {
		t.Fatal(err)
	}
	s := settings{
		input: input, queries: input, dir: filepath.Join(dir, "c"), seconds: 1, rate: 100, batch: 10, segmentRows: 100,
		ef: 50, k: 5, checked: 10,
	}
	for range 2 {
		var out bytes.Buffer
		if err := run(context.Background(), &out, s); err != nil {
			t.Fatal(err)
		}
		var r report
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if r.Documents != 300 || r.Upserts == 0 || r.WritesPerSec <= 0 || r.Busy.Searches == 0 || r.Recall <= 0 ||
			r.DiskMiB <= 0 {
			t.Errorf("the report is %+v", r)
		}
	}
}
