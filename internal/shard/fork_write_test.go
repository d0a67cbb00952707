package shard

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/store/hnswlib"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// Several threads neither mislabel a row nor write to the caller's, and cosine rows needn't be normalised.
func TestBuildForkShard(t *testing.T) {
	ctx, dir := context.Background(), filepath.Join(t.TempDir(), "fork")
	rows := clustered(3000, 16, 1)
	var before []byte
	for i := range rows.Rows() {
		before = append(before, rows.RowBytes(i)...)
	}
	for i, bounds := range [][2]int{{0, 1100}, {1100, 2000}, {2000, 3000}} {
		o := ForkShardOptions{Shard: i, Start: bounds[0], Metric: vector.Cosine, Threads: 4}
		if err := BuildForkShard(ctx, dir, rows.Slice(bounds[0], bounds[1]), o); err != nil {
			t.Fatal(err)
		}
	}
	m := hnswlib.IndexMeta{Shards: 3, Total: 3000, Dim: 16, M: 8, EfConstruction: 200, Metric: vector.Cosine}
	if err := WriteForkMeta(dir, m); err != nil {
		t.Fatal(err)
	}
	var after []byte
	for i := range rows.Rows() {
		after = append(after, rows.RowBytes(i)...)
	}
	if !slices.Equal(before, after) {
		t.Fatal("the rows were written to")
	}
	x := openFork(t, dir, ForkOptions{})
	unit := unitRows(rows)
	if err := x.Attach(rows, hnsw.AttachOptions{}); err == nil {
		t.Fatal("rows that aren't normalised were taken")
	}
	if err := x.Attach(unit, hnsw.AttachOptions{}); err != nil {
		t.Fatal(err)
	}
	query := make([]float32, 16)
	for i := range 3000 {
		unit.Decode(i, query)
		found, err := x.SearchInto(nil, query, 1, search.Options{Ef: 1000})
		if err != nil || len(found) != 1 || found[0].Label != uint64(i) {
			t.Fatalf("row %d is found as %v, %v", i, found, err)
		}
	}
}

func unitRows(rows vector.Matrix) vector.Matrix {
	data := make([]float32, rows.Rows()*rows.Dim())
	for i := range rows.Rows() {
		row := data[i*rows.Dim() : (i+1)*rows.Dim()]
		rows.Decode(i, row)
		vector.Normalize(row)
	}
	return must(vector.Of(data, rows.Dim()))
}

// What was opened is written as it was, whatever labels it was opened with.
func TestWriteFork(t *testing.T) {
	a, rows := readAnswers(t)
	for _, o := range []ForkOptions{{}, {Mapped: true}, {LabelsAreGlobal: true}} {
		dir := filepath.Join(t.TempDir(), "fork")
		for range 2 { // the second time in the place of the first
			if err := WriteFork(context.Background(), dir, openFork(t, forkFixture, o).forkShards()); err != nil {
				t.Fatal(err)
			}
		}
		x := openFork(t, dir, ForkOptions{})
		if err := x.Attach(rows, hnsw.AttachOptions{}); err != nil {
			t.Fatal(err)
		}
		sameAnswers(t, x, a, 1e-6)
		for i := range 3 {
			name := hnswlib.ShardMetaName(i)
			want, got := must(os.ReadFile(filepath.Join(forkFixture, name))), must(os.ReadFile(filepath.Join(dir, name)))
			if !slices.Equal(want, got) {
				t.Errorf("%s differs", name)
			}
		}
		if want, got := must(os.ReadFile(filepath.Join(forkFixture, "index.meta"))),
			must(os.ReadFile(filepath.Join(dir, "index.meta"))); !slices.Equal(want, got) {
			t.Error("index.meta differs")
		}
		if left, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(left) != 1 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}
