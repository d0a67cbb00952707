package shale_test

import (
	"cmp"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/testrows"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// chebyshev is the largest difference of two values.
func chebyshev(a, b []float32) (d float32) {
	for i := range a {
		d = max(d, a[i]-b[i], b[i]-a[i])
	}
	return d
}

// byChebyshev are the options of an index searched by chebyshev, and of opening it.
var (
	byChebyshev = shale.BuildOptions{
		Distance: chebyshev, DistanceName: "chebyshev", M: 8, EfConstruction: 60, Threads: 1, // the same graph every time
	}
	openByChebyshev = shale.OpenOptions{Distance: chebyshev, DistanceName: "chebyshev"}
)

// nearestBy returns all rows whose labels keep lets pass, nearest first, ties by smaller label.
func nearestBy(d func(a, b []float32) float32, rows vector.Matrix, query []float32,
	keep func(label uint64) bool) (all []search.Neighbor) {
	for i := range rows.Rows() {
		if keep(uint64(i)) {
			all = append(all, search.Neighbor{Label: uint64(i), Distance: d(query, vector.Row[float32](rows, i))})
		}
	}
	slices.SortFunc(all, func(a, b search.Neighbor) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Label, b.Label))
	})
	return all
}

// checkByChebyshev compares searches with an exact oracle: walks that hold all rows, searches without a walk and those
// for all within a radius.
func checkByChebyshev(t *testing.T, x *shale.Index, rows, queries vector.Matrix, keep func(label uint64) bool) {
	t.Helper()
	for q := range queries.Rows() {
		query := vector.Row[float32](queries, q)
		want := nearestBy(chebyshev, rows, query, keep)
		for _, o := range []search.Options{{Ef: rows.Rows()}, {Exact: true}} {
			found, err := x.Search(query, 10, o)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(found, want[:10]) {
				t.Fatalf("query %d, %+v: %v, want %v", q, o, found, want[:10])
			}
		}
		radius := want[20].Distance
		within := slices.DeleteFunc(slices.Clone(want), func(n search.Neighbor) bool { return n.Distance > radius })
		found, err := x.Range(query, radius, 0, search.Options{Ef: rows.Rows()})
		if err != nil || !slices.Equal(found, within) {
			t.Fatalf("query %d: %d within %v, %v, want %d", q, len(found), radius, err, len(within))
		}
	}
}

// distanceIndexes are indexes of rows by chebyshev in each format, built and opened.
func distanceIndexes(t *testing.T, rows vector.Matrix) map[string]*shale.Index {
	t.Helper()
	dir := t.TempDir()
	all := map[string]*shale.Index{}
	build := func(name string, change func(*shale.BuildOptions)) *shale.Index {
		o := byChebyshev
		change(&o)
		x, err := shale.Build(ctx, rows, o)
		if err != nil {
			t.Fatal(name, err)
		}
		t.Cleanup(func() { _ = x.Close() })
		all[name] = x
		return x
	}
	open := func(name, path string, change func(*shale.OpenOptions)) *shale.Index {
		o := openByChebyshev
		change(&o)
		all[name] = reopened(t, path, o)
		return all[name]
	}
	asIs := func(*shale.OpenOptions) {}

	memory := build("memory", func(o *shale.BuildOptions) {})
	build("halves", func(o *shale.BuildOptions) { o.Codes = shale.Float16 })
	for name, format := range map[string]shale.Format{
		"directory": shale.Directory, "file.shale": shale.File, "hnswlib": shale.Hnswlib,
	} {
		path := filepath.Join(dir, name)
		if err := memory.Save(ctx, path, shale.SaveOptions{Format: format}); err != nil {
			t.Fatal(err)
		}
		open(name, path, asIs)
	}
	open("mapped", filepath.Join(dir, "directory"), func(o *shale.OpenOptions) { o.Mapped = true })
	build("bounded", func(o *shale.BuildOptions) { o.Path, o.Memory = filepath.Join(dir, "bounded"), 256<<20 })

	live := filepath.Join(dir, "live")
	x := build("live, built", func(o *shale.BuildOptions) { o.Path, o.Live, o.Capacity = live, true, 2*rows.Rows() })
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	delete(all, "live, built")
	open("live", live, func(o *shale.OpenOptions) { o.Mapped = true })

	external := filepath.Join(dir, "external")
	x = build("external", func(o *shale.BuildOptions) { o.External = true })
	if err := x.Save(ctx, external, shale.SaveOptions{Format: shale.Directory}); err != nil {
		t.Fatal(err)
	}
	if err := open("external, opened", external, asIs).Attach(rows, false); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestDistanceIsExactInEveryFormat searches indexes of a distance of the program's own.
func TestDistanceIsExactInEveryFormat(t *testing.T) {
	rows, queries := testrows.WholeNumbers(t, 400, 6, 20, 1), testrows.WholeNumbers(t, 8, 6, 20, 2)
	for name, x := range distanceIndexes(t, rows) {
		t.Run(name, func(t *testing.T) {
			checkByChebyshev(t, x, rows, queries, func(uint64) bool { return true })
			i, err := x.Info()
			if err != nil || i.Metric != "custom" || i.Distance != "chebyshev" || x.Metric().String() != "custom" {
				t.Errorf("described as %q, %q, %v: %v", i.Metric, i.Distance, x.Metric(), err)
			}
		})
	}
}

// TestDistanceOfChangedIndexes adds, deletes, updates, saves and compacts.
func TestDistanceOfChangedIndexes(t *testing.T) {
	const dim, half = 5, 150
	rows, queries := testrows.WholeNumbers(t, 2*half, dim, 20, 3), testrows.WholeNumbers(t, 6, dim, 20, 4)
	dir := t.TempDir()
	live := byChebyshev
	live.Live, live.Path, live.Capacity = true, filepath.Join(dir, "live"), half
	for name, o := range map[string]shale.BuildOptions{"memory": byChebyshev, "live": live} {
		t.Run(name, func(t *testing.T) {
			x, err := shale.New(dim, o)
			if err != nil {
				t.Fatal(err)
			}
			defer x.Close()
			if err := x.AddBatch(ctx, rows.Slice(0, half), shale.AddOptions{}); err != nil {
				t.Fatal(err)
			}
			for i := half - 20; i < 2*half; i++ { // some again
				if err := x.Add(uint64(i), vector.Row[float32](rows, i)); err != nil {
					t.Fatal(err)
				}
			}
			for i := uint64(0); i < 2*half; i += 3 {
				if err := x.Delete(i); err != nil {
					t.Fatal(err)
				}
			}
			keep := func(label uint64) bool { return label%3 != 0 }
			checkByChebyshev(t, x, rows, queries, keep)
			path := filepath.Join(dir, name+" saved")
			if err := x.Save(ctx, path, shale.SaveOptions{}); err != nil {
				t.Fatal(err)
			}
			checkByChebyshev(t, reopened(t, path, openByChebyshev), rows, queries, keep)
			if r, err := shale.Verify(ctx, path); err != nil || len(r.Problems) > 0 || r.Rows != 2*half {
				t.Fatalf("verified as %+v, %v", r, err)
			}
			if name == "live" {
				return
			}
			compact, err := x.Compact(ctx, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer compact.Close()
			checkByChebyshev(t, compact, rows, queries, keep)
		})
	}
}

// TestDistanceIsAskedFor: no index is searched by another distance than the one it was built with, and Verify needs
// none.
func TestDistanceIsAskedFor(t *testing.T) {
	dir := t.TempDir()
	rows := testrows.WholeNumbers(t, 60, 4, 20, 5)
	for name, o := range map[string]shale.BuildOptions{
		"directory": {}, "file.shale": {}, "live": {Live: true}, "external": {External: true},
	} {
		own := o
		own.Path = filepath.Join(dir, name)
		own.Distance, own.DistanceName = chebyshev, "chebyshev"
		plain := o
		plain.Path = filepath.Join(dir, "plain-"+name)
		for _, o := range []shale.BuildOptions{own, plain} {
			x, err := shale.Build(ctx, rows, o)
			if err != nil {
				t.Fatal(name, err)
			}
			if err := x.Close(); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			path string
			open shale.OpenOptions
			want string
		}{
			{own.Path, shale.OpenOptions{}, `distances are those of "chebyshev"`},
			{own.Path, shale.OpenOptions{Distance: chebyshev, DistanceName: "manhattan"}, `named "manhattan" is given`},
			{own.Path, shale.OpenOptions{Distance: chebyshev}, "set DistanceName"},
			{own.Path, shale.OpenOptions{DistanceName: "chebyshev"}, "set Distance"},
			{plain.Path, openByChebyshev, "its metric is l2, and a custom one is given"},
		} {
			for _, mapped := range []bool{false, true} {
				if c.open.Mapped = mapped; mapped && name == "file.shale" {
					continue
				}
				x, err := shale.Open(ctx, c.path, c.open)
				if err == nil {
					x.Close()
				}
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s, mapped %v: want %q: %v", name, mapped, c.want, err)
				}
				if !strings.Contains(c.want, "set") && !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("%s, mapped %v: not unsupported: %v", name, mapped, err)
				}
			}
		}
		if r, err := shale.Verify(ctx, own.Path); err != nil || len(r.Problems) > 0 || r.Rows != 60 {
			t.Errorf("%s: verified as %+v, %v", name, r, err)
		}
	}
}

// TestDistanceRefuses: what doesn't go with a distance of the program's own is refused by a plan already.
func TestDistanceRefuses(t *testing.T) {
	rows := testrows.WholeNumbers(t, 3000, 64, 20, 6)
	dir := t.TempDir()
	for want, change := range map[string]func(*shale.BuildOptions){
		"leave out one of them":      func(o *shale.BuildOptions) { o.Metric = vector.Cosine },
		"set DistanceName":           func(o *shale.BuildOptions) { o.DistanceName = "" },
		"set Distance":               func(o *shale.BuildOptions) { o.Distance = nil },
		"can't be printed":           func(o *shale.BuildOptions) { o.DistanceName = "a\nb" },
		"more than 64":               func(o *shale.BuildOptions) { o.DistanceName = strings.Repeat("x", 65) },
		"leave out Codes":            func(o *shale.BuildOptions) { o.Codes = shale.RaBitQ4 },
		"leave out Rows":             func(o *shale.BuildOptions) { o.Rows = shale.RowsNone },
		"rows of type sq8":           func(o *shale.BuildOptions) { o.Rows = shale.RowsSQ8 },
		"leave out Shards":           func(o *shale.BuildOptions) { o.Shards = 2 },
		"leave out Shards and Block": func(o *shale.BuildOptions) { o.Blocks = true },
		"allow more memory":          func(o *shale.BuildOptions) { o.Memory, o.Path = 1<<20, filepath.Join(dir, "x") },
	} {
		o := byChebyshev
		change(&o)
		if _, err := shale.NewPlan(ctx, rows, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("planned: want %q: %v", want, err)
		}
		if o.Shards > 0 || o.Blocks || o.Memory > 0 {
			continue
		}
		if _, err := shale.New(3, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("new: want %q: %v", want, err)
		}
	}
	x, err := shale.Build(ctx, rows.Slice(0, 50), byChebyshev)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	for _, format := range []shale.Format{shale.Graph, shale.ForkShards} {
		path := filepath.Join(dir, format.String())
		err := x.Save(ctx, path, shale.SaveOptions{Format: format})
		if err == nil || !strings.Contains(err.Error(), "an index with a Distance can't be saved as") {
			t.Errorf("saved as %v: %v", format, err)
		}
	}
}
