package shale_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/location"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// What is built is what was planned, over memory limits, sizes and metrics, from a file and from memory.
func TestPlanIsWhatIsBuilt(t *testing.T) {
	race.SkipSequential(t)
	cases, divided := 0, 0
	for _, metric := range []vector.Metric{vector.L2, vector.IP, vector.Cosine} {
		for _, rows := range []int{300, 3500} {
			for _, memory := range []int64{0, 97<<20 + 1<<18, 200 << 20} {
				given := random(t, rows, 64, 3)
				o := shale.BuildOptions{
					Path: filepath.Join(t.TempDir(), "index"), Metric: metric, Memory: memory, M: 6, EfConstruction: 20,
				}
				if cases++; cases%2 == 0 {
					o.Labels = labelsFrom(7, rows)
				}
				for _, src := range []shale.Source{given, npyOf(t, given)} {
					o.Replace = true
					if checkPlan(t, fmt.Sprintf("%v, %d rows, %d MiB", metric, rows, memory>>20), src, o).Shards > 1 {
						divided++
					}
				}
			}
		}
	}
	if divided == 0 {
		t.Error("no plan has several shards")
	}
}

// checkPlan builds an index and compares it with its plan.
func checkPlan(t *testing.T, name string, src shale.Source, o shale.BuildOptions) *shale.Plan {
	t.Helper()
	p, err := shale.NewPlan(ctx, src, o)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	x, err := shale.Build(ctx, src, o)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	defer x.Close()
	info, err := x.Info()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if info.Storage != p.Codes || info.Keep != p.Rows || info.Shards != p.Shards {
		t.Errorf("%s: planned %+v, built %+v", name, p, info)
	}
	if o.Memory > 0 && p.MemoryBytes > o.Memory {
		t.Errorf("%s: %d bytes of memory are planned", name, p.MemoryBytes)
	}
	if p.CodesWhy == "" || p.RowsWhy == "" || p.ShardsWhy == "" {
		t.Errorf("%s: reasons are missing: %+v", name, p)
	}
	size, err := store.SizeOnDisk(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	// The files also hold headers, checksums and centroids of the routing.
	if most := p.IndexBytes + int64(p.Shards)*(700<<10); size > most || size < p.IndexBytes/2 {
		t.Errorf("%s: %d bytes on disk, planned %d", name, size, p.IndexBytes)
	}
	return p
}

// Memory that one graph exceeds is refused where there can't be several: the reason is in the error.
func TestOneGraphKeepsWithinMemoryOrIsRefused(t *testing.T) {
	rows := random(t, 20_000, 32, 1)
	dir := t.TempDir()
	for want, o := range map[string]shale.BuildOptions{
		"a live file is one graph":               {Path: filepath.Join(dir, "x"), Live: true},
		"an external index is one graph: build":  {Path: filepath.Join(dir, "x"), External: true},
		"a shale file is one graph":              {Path: filepath.Join(dir, "x.shale")},
		"several shards need a directory":        {Path: filepath.Join(dir, "x.shale"), Shards: 2},
		"a live file is one graph with its rows": {Path: filepath.Join(dir, "x"), Live: true, Shards: 2},
		"an external index is one graph, and":    {Path: filepath.Join(dir, "x"), External: true, Shards: 2},
		"is built on disk":                       {},
		"a build needs 97 MiB and more":          {Path: filepath.Join(dir, "x"), Memory: 5 << 20},
	} {
		if o.Memory == 0 {
			o.Memory = 98 << 20
		}
		_, err := shale.Build(ctx, rows, o)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
		if o.Shards == 0 && o.Path != "" && !errors.Is(err, shard.ErrMemory) {
			t.Errorf("%q isn't told as a lack of memory: %v", want, err)
		}
	}
}

// Labels and the tables of a growing graph count.
func TestPlansCountLabelsAndTables(t *testing.T) {
	rows := random(t, 4000, 16, 1)
	plan := func(o shale.BuildOptions) int64 {
		p, err := shale.NewPlan(ctx, rows, o)
		if err != nil {
			t.Fatal(err)
		}
		return p.MemoryBytes
	}
	bare := plan(shale.BuildOptions{})
	if with := plan(shale.BuildOptions{Labels: labelsFrom(1, 4000)}); with-bare != 16*4000 {
		t.Errorf("labels take %d bytes", with-bare)
	}
	x, err := shale.Build(ctx, rows, shale.BuildOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	info, err := x.Info()
	if err != nil || info.MemoryBytes > bare-96<<20 {
		t.Errorf("%d bytes, planned %d beside the program: %v", info.MemoryBytes, bare-96<<20, err)
	}
}

// An index that memory doesn't hold is refused where its rows can't stay on disk.
func TestOpeningKeepsWithinMemoryOrIsRefused(t *testing.T) {
	dir := t.TempDir()
	rows := random(t, 3000, 64, 1)
	for name, o := range map[string]shale.BuildOptions{"x.live": {Live: true, Capacity: 1 << 16},
		"x.shale": {}, "x.bin": {}} {
		path := filepath.Join(dir, name)
		format := shale.Hnswlib
		o.Codes, o.M, o.EfConstruction, o.Threads = shale.Float32, 6, 20, 1
		if name != "x.bin" {
			o.Path, format = path, location.Auto
		}
		x, err := shale.Build(ctx, rows, o)
		if err == nil && format == shale.Hnswlib {
			err = x.Save(ctx, path, shale.SaveOptions{Format: format})
		}
		if err := errors.Join(err, x.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := shale.Open(ctx, path, shale.OpenOptions{Memory: 24 << 20}); !errors.Is(err, shard.ErrMemory) {
			t.Errorf("%s: %v", name, err)
		}
		x = reopened(t, path, shale.OpenOptions{Memory: 27 << 20})
		if found, err := x.Search(vector.Row[float32](rows, 5), 1, search.Options{Ef: 200}); err != nil ||
			found[0].Label != 5 {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
}
