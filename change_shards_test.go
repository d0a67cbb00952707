package shale_test

import (
	"cmp"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/inside"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// kept is what an index should hold: a plain table of rows.
type kept struct {
	rows    map[uint64][]float32
	deleted map[uint64]bool
	largest uint64
}

func keep(rows vector.Matrix) *kept {
	k := &kept{rows: map[uint64][]float32{}, deleted: map[uint64]bool{}}
	for i := range rows.Rows() {
		k.put(uint64(i), vector.Row[float32](rows, i))
	}
	return k
}

func (k *kept) put(label uint64, row []float32) {
	k.rows[label] = slices.Clone(row)
	delete(k.deleted, label)
	k.largest = max(k.largest, label)
}

// nearest are the labels of the n rows nearest to query that aren't deleted, nearest first.
func (k *kept) nearest(query []float32, n int) []uint64 {
	var all []search.Neighbor
	for label, row := range k.rows {
		if k.deleted[label] {
			continue
		}
		var d float64
		for j, v := range row {
			d += float64(v-query[j]) * float64(v-query[j])
		}
		all = append(all, search.Neighbor{Label: label, Distance: float32(d)})
	}
	slices.SortFunc(all, func(a, b search.Neighbor) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Label, b.Label))
	})
	labels := make([]uint64, 0, n)
	for _, r := range all[:min(n, len(all))] {
		labels = append(labels, r.Label)
	}
	return labels
}

// check tests an index against what it should hold: searches of all shards find the true neighbours, and default ones
// each row of own by its vector.
func (k *kept) check(t *testing.T, x *shale.Index, own ...uint64) {
	t.Helper()
	if x.Len() != len(k.rows)-len(k.deleted) || x.Deleted() != len(k.deleted) {
		t.Fatalf("%d rows and %d deleted ones, not %d and %d", x.Len(), x.Deleted(),
			len(k.rows)-len(k.deleted), len(k.deleted))
	}
	queries := random(t, 10, x.Dim(), 99)
	for i := range queries.Rows() {
		query := vector.Row[float32](queries, i)
		all := search.FilterRange(0, search.NoLabel, 1) // few rows behind a filter are all compared
		found, err := x.Search(query, 8, search.Options{Ef: 4 * len(k.rows), Filter: all})
		if err != nil {
			t.Fatal(err)
		}
		if want := k.nearest(query, 8); !slices.Equal(labelsOf(found), want) {
			t.Fatalf("query %d found %v, the nearest are %v", i, labelsOf(found), want)
		}
	}
	for _, label := range own {
		found, err := x.Search(k.rows[label], 1, search.Options{})
		if err != nil || len(found) != 1 || found[0].Label != label || found[0].Distance > 1e-6 {
			t.Fatalf("the vector of label %d found %v, %v", label, found, err)
		}
	}
	var labels []uint64
	err := x.EachVector(ctx, func(l []uint64, rows vector.Matrix) error {
		labels = append(labels, l...)
		for i, label := range l {
			if !slices.Equal(vector.Row[float32](rows, i), k.rows[label]) || k.deleted[label] {
				t.Errorf("label %d has another vector, or is deleted", label)
			}
		}
		return nil
	})
	if slices.Sort(labels); err != nil || len(slices.Compact(labels)) != x.Len() {
		t.Fatalf("%d vectors, %v", len(labels), err)
	}
}

// checkLabels tests the look-ups by label of an index against what it should hold.
func (k *kept) checkLabels(t *testing.T, x *shale.Index) {
	t.Helper()
	var there, asked []uint64
	for label := range k.largest + 3 {
		if asked = append(asked, label); k.rows[label] != nil && !k.deleted[label] {
			there = append(there, label)
		}
	}
	labels, err := x.Labels()
	if slices.Sort(labels); err != nil || !slices.Equal(labels, there) {
		t.Fatalf("labels %v, %v, not %v", labels, err, there)
	}
	has, err := x.Contains(asked...)
	if err != nil {
		t.Fatal(err)
	}
	for i, label := range asked {
		if has[i] != slices.Contains(there, label) {
			t.Fatalf("label %d is there: %v", label, has[i])
		}
	}
	rows, err := x.Vectors(there...)
	if err != nil {
		t.Fatal(err)
	}
	for i, label := range there {
		if !slices.Equal(vector.Row[float32](rows, i), k.rows[label]) {
			t.Fatalf("label %d has the vector %v, not %v", label, vector.Row[float32](rows, i), k.rows[label])
		}
	}
	if _, err := x.Vectors(there[0], k.largest+1); !errors.Is(err, shale.ErrLabel) {
		t.Fatalf("the vector of a label that isn't there: %v", err)
	}
}

func TestVectorsAreLookedUpByLabel(t *testing.T) {
	rows := random(t, 400, 8, 1)
	path := shardsAt(t, rows, 1.5)
	for name, x := range map[string]*shale.Index{
		"one graph":      built(t, 400, shale.BuildOptions{Rows: shale.RowsFloat32}),
		"shards":         reopened(t, path, shale.OpenOptions{}),
		"shards, mapped": reopened(t, path, shale.OpenOptions{Mapped: true}),
	} {
		t.Run(name, func(t *testing.T) {
			table := keep(rows)
			if inside.Of(x).Shards() == 1 {
				table = tableOf(t, x)
			}
			if err := x.Delete(3, 77); err != nil {
				t.Fatal(err)
			}
			table.deleted[3], table.deleted[77] = true, true
			table.checkLabels(t, x)
			one, err := x.Compact(ctx, 1)
			if inside.Of(x).Shards() > 1 {
				if !errors.Is(err, shale.ErrReadOnly) {
					t.Fatalf("compacting shards gave %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer one.Close()
			delete(table.rows, 3)
			delete(table.rows, 77)
			clear(table.deleted)
			table.checkLabels(t, one)
			table.check(t, one)
		})
	}
}

// tableOf is what an index holds.
func tableOf(t *testing.T, x *shale.Index) *kept {
	t.Helper()
	k := &kept{rows: map[uint64][]float32{}, deleted: map[uint64]bool{}}
	err := x.EachVector(ctx, func(labels []uint64, rows vector.Matrix) error {
		for i, label := range labels {
			k.put(label, vector.Row[float32](rows, i))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func labelsOf(found []search.Neighbor) []uint64 {
	labels := make([]uint64, len(found))
	for i, n := range found {
		labels[i] = n.Label
	}
	return labels
}

// shardsAt builds an index of four shards and gives its path.
func shardsAt(t *testing.T, rows vector.Matrix, copies float64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "index")
	err := buildAt(ctx, shard.MatrixSource(rows, "rows"), shale.BuildOptions{Path: path, Shards: 4, Copies: copies})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func verified(t *testing.T, path string) {
	t.Helper()
	r, err := shale.Verify(ctx, path)
	if err := errors.Join(append(r.Problems, err)...); err != nil {
		t.Fatal(err)
	}
	if r.Unreachable > 0 {
		t.Fatalf("no links lead to %d rows", r.Unreachable)
	}
}

func TestSeveralShardsChangeAsATableDoes(t *testing.T) {
	race.SkipSequential(t)
	for _, o := range []struct {
		name   string
		copies float64
		open   shale.OpenOptions
	}{
		{"in memory", 0, shale.OpenOptions{}},
		{"mapped", 0, shale.OpenOptions{Mapped: true}},
		{"rows in two shards", 1.5, shale.OpenOptions{}},
		{"rows in two shards, some mapped", 1.5, shale.OpenOptions{Mapped: true, Resident: 2}},
	} {
		t.Run(o.name, func(t *testing.T) {
			rows := random(t, 600, 8, 1)
			path, table := shardsAt(t, rows, o.copies), keep(rows)
			rnd := rand.New(rand.NewPCG(7, 7))
			for round := range 4 {
				x := reopened(t, path, o.open)
				for step := range 3 {
					own := table.change(t, x, rnd, uint64(10*round+step))
					table.check(t, x, own...)
				}
				if err := x.Save(ctx, path, shale.SaveOptions{}); err != nil {
					t.Fatal(err)
				}
				if err := x.Close(); err != nil {
					t.Fatal(err)
				}
				verified(t, path)
				table.check(t, reopened(t, path, o.open))
			}
		})
	}
}

// change makes some changes of both, and gives the labels whose vectors are new.
func (k *kept) change(t *testing.T, x *shale.Index, rnd *rand.Rand, seed uint64) (own []uint64) {
	t.Helper()
	more := random(t, 20, x.Dim(), 1000+seed)
	labels := make([]uint64, more.Rows())
	for i := range labels {
		labels[i] = rnd.Uint64N(2 * uint64(len(k.rows)))
	}
	labels[3] = labels[11] // of which the later stays
	if err := x.AddBatch(ctx, more, shale.AddOptions{Labels: labels}); err != nil {
		t.Fatal(err)
	}
	for i, l := range labels {
		k.put(l, vector.Row[float32](more, i))
	}
	unlabelled := random(t, 5, x.Dim(), 2000+seed)
	next := k.largest + 1
	if err := x.AddBatch(ctx, unlabelled, shale.AddOptions{}); err != nil {
		t.Fatal(err)
	}
	for i := range unlabelled.Rows() {
		k.put(next+uint64(i), vector.Row[float32](unlabelled, i))
		labels = append(labels, next+uint64(i))
	}
	one := vector.Row[float32](random(t, 1, x.Dim(), 3000+seed), 0)
	if err := x.Add(labels[0], one); err != nil {
		t.Fatal(err)
	}
	k.put(labels[0], one)
	k.mark(t, x, rnd)
	for _, l := range labels {
		if !k.deleted[l] {
			own = append(own, l)
		}
	}
	return own
}

// mark deletes and undeletes labels, some of which aren't there or are so already.
func (k *kept) mark(t *testing.T, x *shale.Index, rnd *rand.Rand) {
	t.Helper()
	for range 3 {
		labels := make([]uint64, 15)
		unknown, already, deletes := false, false, rnd.IntN(3) > 0
		for i := range labels {
			labels[i] = rnd.Uint64N(2 * uint64(len(k.rows)))
			switch is := k.deleted[labels[i]]; {
			case k.rows[labels[i]] == nil:
				unknown = true
			case is == deletes:
				already = true
			case deletes:
				k.deleted[labels[i]] = true
			default:
				delete(k.deleted, labels[i])
			}
		}
		mark, so := x.Undelete, shale.ErrNotDeleted
		if deletes {
			mark, so = x.Delete, shale.ErrDeleted
		}
		err := mark(labels...)
		if errors.Is(err, shale.ErrLabel) != unknown || errors.Is(err, so) != already ||
			(err != nil) != (unknown || already) {
			t.Fatalf("unknown labels: %v, marked ones: %v, and the error is %v", unknown, already, err)
		}
	}
}

func TestShardsThatDontChangeKeepTheirFiles(t *testing.T) {
	rows := random(t, 600, 8, 1)
	path := shardsAt(t, rows, 0)
	names := func() []string {
		t.Helper()
		entries, err := os.ReadDir(path)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	before := names()
	reader := reopened(t, path, shale.OpenOptions{})
	x := reopened(t, path, shale.OpenOptions{Mapped: true})
	if err := x.Delete(5); err != nil {
		t.Fatal(err)
	}
	other := reopened(t, path, shale.OpenOptions{})
	if err := x.Save(ctx, path, shale.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	gone, come := 0, 0
	after := names()
	for _, name := range before {
		if !slices.Contains(after, name) {
			gone++
		}
	}
	for _, name := range after {
		if !slices.Contains(before, name) {
			come++
		}
	}
	if gone != 1 || come != 1 {
		t.Errorf("%d files are gone and %d have come, of one shard's change: %v, then %v", gone, come, before, after)
	}
	if reader.Deleted() != 0 || reader.Len() != 600 {
		t.Error("an index that was open before has changed")
	}
	if err := errors.Join(other.Delete(6), other.Save(ctx, path, shale.SaveOptions{})); !errors.Is(err, shale.ErrChanged) {
		t.Errorf("a save over the change of another gave %v", err)
	}
	again := reopened(t, path, shale.OpenOptions{})
	if again.Deleted() != 1 {
		t.Errorf("%d rows are deleted, not 1", again.Deleted())
	}
}

func TestSeveralShardsAreSavedElsewhere(t *testing.T) {
	rows := random(t, 500, 8, 3)
	path, table := shardsAt(t, rows, 1.4), keep(rows)
	for name, format := range map[string]shale.Format{
		"directory": shale.Directory, "file.shale": shale.File, "index.bin": shale.Hnswlib,
	} {
		t.Run(name, func(t *testing.T) {
			x, to := reopened(t, path, shale.OpenOptions{Mapped: true}), filepath.Join(t.TempDir(), name)
			own := *table
			own.rows, own.deleted = map[uint64][]float32{}, map[uint64]bool{}
			for l, row := range table.rows {
				own.rows[l] = row
			}
			if err := errors.Join(x.Delete(1, 2, 3), x.Add(900, vector.Row[float32](random(t, 1, 8, 5), 0))); err != nil {
				t.Fatal(err)
			}
			own.put(900, vector.Row[float32](random(t, 1, 8, 5), 0))
			last := 0
			err := x.Save(ctx, to, shale.SaveOptions{Format: format, Progress: func(done, total int) {
				if done < last || total != 498 {
					t.Errorf("%d of %d after %d", done, total, last)
				}
				last = done
			}})
			if err != nil {
				t.Fatal(err)
			}
			for l := range uint64(3) {
				if own.deleted[l+1] = true; format != shale.Directory {
					delete(own.rows, l+1) // which one graph leaves out
					delete(own.deleted, l+1)
				}
			}
			if (last == 498) != (format != shale.Directory) {
				t.Errorf("progress ended at %d rows", last)
			}
			verified(t, to)
			y := reopened(t, to, shale.OpenOptions{Metric: vector.L2})
			own.check(t, y, 900)
			if info, err := y.Info(); err != nil || (info.Shards == 4) != (format == shale.Directory) {
				t.Errorf("%d shards, %v", info.Shards, err)
			}
			if format == shale.Directory { // which x lies in now
				if err := errors.Join(x.Delete(8), x.Save(ctx, to, shale.SaveOptions{})); err != nil {
					t.Fatal(err)
				}
				own.deleted[8] = true
				own.check(t, reopened(t, to, shale.OpenOptions{}))
			}
		})
	}
	verified(t, path)
	table.check(t, reopened(t, path, shale.OpenOptions{}))
}

func TestChangesOfShardsThatCantBeMade(t *testing.T) {
	race.SkipSequential(t)
	rows := random(t, 1500, 32, 3)
	dir := t.TempDir()
	build := func(name string, o shale.BuildOptions) string {
		o.Shards, o.Path = 2, filepath.Join(dir, name)
		if err := buildAt(ctx, shard.MatrixSource(rows, name), o); err != nil {
			t.Fatal(err)
		}
		return o.Path
	}
	blocks := build("blocks", shale.BuildOptions{Codes: shale.RaBitQ2, Blocks: true})
	norows := build("norows", shale.BuildOptions{Codes: shale.RaBitQ4, Rows: shale.RowsNone})
	x := reopened(t, blocks, shale.OpenOptions{})
	for name, err := range map[string]error{"add": x.Add(1, make([]float32, 32)),
		"delete": x.Delete(1), "undelete": x.Undelete(1)} {
		if !errors.Is(err, shale.ErrReadOnly) || !strings.Contains(err.Error(), "blocks") {
			t.Errorf("%s of an index with blocks gave %v", name, err)
		}
	}
	y := reopened(t, norows, shale.OpenOptions{})
	to := filepath.Join(dir, "one.shale")
	if err := y.Save(ctx, to, shale.SaveOptions{}); err == nil || !strings.Contains(err.Error(), "codes without rows") {
		t.Errorf("saving shards without rows as one graph gave %v", err)
	}
	if _, err := os.Stat(to); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file is there: %v", err)
	}
	bad := random(t, 3, 32, 4)
	vector.Row[float32](bad, 2)[5] = float32(math.NaN())
	if err := y.AddBatch(ctx, bad, shale.AddOptions{}); !errors.Is(err, shale.ErrNotFinite) || y.Len() != 1500 {
		t.Errorf("a row that isn't a number gave %v, and %d rows are there", err, y.Len())
	}
	if err := y.AddBatch(ctx, random(t, 3, 31, 4), shale.AddOptions{}); !errors.Is(err, vector.ErrDim) {
		t.Errorf("rows of another length gave %v", err)
	}
	stopped, stop := context.WithCancel(ctx)
	stop()
	if err := y.AddBatch(stopped, random(t, 3, 32, 4), shale.AddOptions{}); !errors.Is(err, context.Canceled) ||
		y.Len() != 1500 {
		t.Errorf("a call that was cancelled gave %v, and %d rows are there", err, y.Len())
	}
	if err := y.Close(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(y.Add(1, make([]float32, 32))); !errors.Is(err, shale.ErrClosed) {
		t.Errorf("a closed index gave %v", err)
	}
}

func TestShardsAreSearchedWhileTheyChange(t *testing.T) {
	rows := random(t, 600, 8, 1)
	path := shardsAt(t, rows, 1.3)
	x := reopened(t, path, shale.OpenOptions{Mapped: true})
	var wg sync.WaitGroup
	done := make(chan struct{})
	for i := range 3 {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				own := uint64(100 + 50*i + n%50) // which nothing changes
				found, err := x.Search(vector.Row[float32](rows, int(own)), 3, search.Options{Probes: 4, Ef: 300})
				if err != nil || len(found) != 3 || found[0].Label != own {
					t.Errorf("label %d: %v, %v", own, found, err)
					return
				}
			}
		})
	}
	wg.Go(func() {
		defer close(done)
		for i := range 12 {
			more := random(t, 40, 8, uint64(50+i))
			labels := make([]uint64, 40)
			for j := range labels {
				labels[j] = uint64(400 + 17*i + 5*j)
			}
			if err := x.AddBatch(ctx, more, shale.AddOptions{Labels: labels}); err != nil {
				t.Error(err)
			}
			if err := errors.Join(x.Delete(uint64(i)), x.Save(ctx, path, shale.SaveOptions{})); err != nil {
				t.Error(err)
			}
			if _, err := x.Info(); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	verified(t, path)
}
