package shard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// growRound leaves out about a quarter of the rows and adds others.
func growRound(t *testing.T, from string, all vector.Matrix, there []uint64, next, added int, o GrowOptions,
) (dir string, now []uint64) {
	t.Helper()
	dead := func(l uint64) bool { return (l/7+uint64(next))%4 == 0 }
	now = slices.DeleteFunc(slices.Clone(there), dead)
	o.Dead, o.Rows = dead, all.Slice(next, next+added)
	for l := next; l < next+added; l++ {
		o.Labels = append(o.Labels, uint64(l))
	}
	dir = filepath.Join(t.TempDir(), "grown")
	now = append(now, o.Labels...)
	if rows, err := Grow(context.Background(), from, dir, o); err != nil || rows != len(now) {
		t.Fatalf("%d rows, not %d: %v", rows, len(now), err)
	}
	return dir, now
}

// TestGrow replaces a part of the rows several times, in one graph and in several. The index then holds the rows that
// it should, and searches find as much as in an index that is built of them.
func TestGrow(t *testing.T) {
	const n, dim, rounds = 1500, 16, 3
	for _, shards := range []int{1, 4} {
		t.Run(fmt.Sprintf("%d shards", shards), func(t *testing.T) {
			all := clustered(2*n, dim, 5)
			b := BuildOptions{Config: codes2(vector.Cosine), Shards: shards, Centroids: 32, Threads: 1}
			dir := built(t, all.Slice(0, n), b)
			var there []uint64
			for l := range uint64(n) {
				there = append(there, l)
			}
			for r := range rounds {
				added := n / 3
				dir, there = growRound(t, dir, all, there, n+r*added, added, GrowOptions{Threads: 1})
				checkGrown(t, dir, all, there, b)
			}
		})
	}
}

// checkGrown compares an index with the rows that it should hold.
func checkGrown(t *testing.T, dir string, all vector.Matrix, there []uint64, b BuildOptions) {
	t.Helper()
	x := opened(t, dir, OpenOptions{}) // which reads and checks all
	if errs := x.CheckLabels(); len(errs) > 0 {
		t.Fatal(errs)
	}
	if lost := must(x.Unreachable()); lost > 0 {
		t.Errorf("%d rows are out of reach", lost)
	}
	labels := must(x.Findable())
	slices.Sort(labels)
	slices.Sort(there)
	if !slices.Equal(labels, there) || x.Deleted() != 0 || x.Len() != len(there) {
		t.Fatalf("%d labels, %d rows, %d deleted, want %d", len(labels), x.Len(), x.Deleted(), len(there))
	}
	rows := make([]float32, len(there)*all.Dim())
	for i, l := range there {
		all.Decode(int(l), rows[i*all.Dim():(i+1)*all.Dim()])
	}
	m := must(vector.Of(rows, all.Dim()))
	b.Labels = there
	fresh := opened(t, built(t, m, b), OpenOptions{})
	got, want := grownRecall(t, x, m), grownRecall(t, fresh, m)
	if got < want-0.02 {
		t.Errorf("%d rows: recall %.4f, that of an index built anew is %.4f", len(there), got, want)
	}
}

// grownRecall is the share of the 10 nearest rows that searches for some of the rows find.
func grownRecall(t *testing.T, x *Index, rows vector.Matrix) float64 {
	t.Helper()
	found, all, query := 0, 0, make([]float32, rows.Dim())
	for row := 0; row < rows.Rows(); row += 9 {
		rows.Decode(row, query)
		exact := must(x.SearchInto(nil, query, 10, search.Options{Exact: true}))
		found += hits(must(x.SearchInto(nil, query, 10, search.Options{Ef: 40})), exact)
		all += len(exact)
	}
	return float64(found) / float64(all)
}

// TestGrowLinksWhatStays adds nothing and leaves out rows of one shard: the files of the others are the same files.
func TestGrowLinksWhatStays(t *testing.T) {
	all := clustered(1000, 12, 3)
	from := built(t, all, BuildOptions{Config: codes2(vector.L2), Shards: 5, Centroids: 16, Threads: 1})
	x := opened(t, from, OpenOptions{Mapped: true})
	gone := must(x.parts[2].Findable())[:20]
	dir := filepath.Join(t.TempDir(), "grown")
	_, err := Grow(context.Background(), from, dir, GrowOptions{
		Dead: func(l uint64) bool { return slices.Contains(gone, l) },
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		same := os.SameFile(must(os.Stat(filepath.Join(from, ShardFile(i)))), must(os.Stat(filepath.Join(dir, ShardFile(i)))))
		if same != (i != 2) {
			t.Errorf("shard %d is the same file: %v", i, same)
		}
	}
	if n := opened(t, dir, OpenOptions{}).Len(); n != 980 {
		t.Errorf("%d rows, want 980", n)
	}
}

// TestGrowRefuses has indexes that must be built anew. Nothing is left at the place of the new one.
func TestGrowRefuses(t *testing.T) {
	all := clustered(600, 8, 1)
	none := func(uint64) bool { return true }
	plain := BuildOptions{Config: codes2(vector.L2), Shards: 2, Centroids: 16}
	copies, blocks, alone := plain, plain, plain
	copies.Copies, blocks.Blocks, alone.Config.Storage = 1.5, true, rowtype.NoRows
	for name, c := range map[string]struct {
		b BuildOptions
		o GrowOptions
	}{
		"copies":            {copies, GrowOptions{}},
		"blocks":            {blocks, GrowOptions{}},
		"no rows":           {alone, GrowOptions{}},
		"all dead":          {plain, GrowOptions{Dead: none}},
		"not enough memory": {plain, GrowOptions{Memory: buildMemory}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "grown")
			if _, err := Grow(context.Background(), built(t, all, c.b), dir, c.o); !errors.Is(err, ErrGrow) {
				t.Errorf("%v", err)
			}
			if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("something is left: %v", err)
			}
		})
	}
}
