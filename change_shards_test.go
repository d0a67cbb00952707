package shale_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/inside"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

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

// memoryFor returns the memory in which rows of an index with codes stay on disk, and with blocks links too.
func memoryFor(t *testing.T, path string) int64 {
	t.Helper()
	m, err := manifest.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	all, err := shard.PlanSearch(path, m, 0, shard.SearchLoad{})
	if err != nil {
		t.Fatal(err)
	}
	memory := all.MemoryBytes - 1
	for _, s := range m.Shards {
		info, err := store.Inspect(filepath.Join(path, s.File))
		if err != nil {
			t.Fatal(err)
		}
		if s.Blocks != nil {
			memory -= info.Section(store.Links0).Length + int64(info.Count*info.RowStride) - 1
		}
	}
	return memory
}

func TestSeveralShardsChangeAsATableDoes(t *testing.T) {
	race.SkipSequential(t)
	coded := shale.BuildOptions{Shards: 2, Codes: shale.RaBitQ2, Rows: shale.RowsFloat32}
	blocks := coded
	blocks.Blocks = true
	for _, o := range []struct {
		name  string
		n     int
		build shale.BuildOptions
		open  shale.OpenOptions
		plan  string
	}{
		{"in memory", 600, shale.BuildOptions{Shards: 4}, shale.OpenOptions{}, "all in memory"},
		{"mapped", 600, shale.BuildOptions{Shards: 4}, shale.OpenOptions{Mapped: true}, "mapped"},
		{"rows in two shards", 600, shale.BuildOptions{Shards: 4, Copies: 1.5}, shale.OpenOptions{}, "all in memory"},
		{"rows in two shards, some mapped", 600, shale.BuildOptions{Shards: 4, Copies: 1.5},
			shale.OpenOptions{Mapped: true, Resident: 2}, "the first 2 of 4"},
		{"rows on disk", 2600, coded, shale.OpenOptions{Memory: 1}, "rows on disk"},
		{"rows and links on disk", 2600, blocks, shale.OpenOptions{Memory: 1}, "in blocks on disk"},
	} {
		t.Run(o.name, func(t *testing.T) {
			rows := random(t, o.n, 8, 1)
			o.build.Path = filepath.Join(t.TempDir(), "index")
			if err := buildAt(ctx, shard.MatrixSource(rows, "rows"), o.build); err != nil {
				t.Fatal(err)
			}
			path, table := o.build.Path, keep(rows)
			rnd := rand.New(rand.NewPCG(7, 7))
			for round := range 4 {
				if o.open.Memory > 0 {
					o.open.Memory = memoryFor(t, path)
				}
				x := reopened(t, path, o.open)
				if info, err := x.Info(); err != nil || !strings.Contains(info.Plan, o.plan) {
					t.Fatalf("the plan is %q, %v", info.Plan, err)
				}
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
	norows := build("norows", shale.BuildOptions{Codes: shale.RaBitQ4, Rows: shale.RowsNone})
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
