package hnsw

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/shale-search/shale/internal/floats"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// external builds an index of links over rows.
func external(t testing.TB, c Config, rows vector.Matrix) *Index {
	t.Helper()
	c.Dim, c.Storage = rows.Dim(), rowtype.External
	x, err := New(c)
	must(t, err)
	t.Cleanup(func() { x.Close() })
	must(t, x.Attach(rows, AttachOptions{}))
	must(t, x.AddAttached(context.Background(), rows.Rows(), nil, BatchOptions{Threads: 1}))
	return x
}

func unitRows(n, dim int, seed uint64) []float32 {
	rows := randomRows(n, dim, seed)
	for at := 0; at < len(rows); at += dim {
		vector.Normalize(rows[at : at+dim])
	}
	return rows
}

func halves(rows []float32) []uint16 {
	h := make([]uint16, len(rows))
	for i, v := range rows {
		h[i] = floats.ToHalf(v)
	}
	return h
}

// TestLinksAloneSearchAsRowsWithinDo holds graphs over rows that lie elsewhere, packed or not, against one that holds
// them.
func TestLinksAloneSearchAsRowsWithinDo(t *testing.T) {
	race.SkipSequential(t)
	t.Parallel()
	const n, dim = 2000, 12
	for name, c := range map[string]Config{
		"l2": {M: 8}, "ip": {Metric: vector.IP}, "codes": {M: 8, Codes: Codes{Bits: 2}}, "M of 2": {M: 2},
	} {
		t.Run(name, func(t *testing.T) {
			rows := matrix(t, randomRows(n, dim, 1), dim)
			c.Dim = dim
			within, err := New(c)
			must(t, err)
			defer within.Close()
			must(t, within.AddBatch(context.Background(), rows, nil, BatchOptions{Threads: 1}))
			outside := external(t, c, rows)
			frozen, err := outside.Freeze()
			must(t, err)
			defer frozen.Close()
			must(t, within.Delete(17))
			must(t, outside.Delete(17))
			deleted, err := outside.Freeze()
			must(t, err)
			defer deleted.Close()
			queries := matrix(t, randomRows(50, dim, 2), dim)
			for i := range queries.Rows() {
				want, err := within.Search(decoded(queries, i), 10, search.Options{Ef: 40})
				must(t, err)
				for _, r := range []*Reader{&outside.Reader, &deleted.Reader} {
					got, err := r.Search(decoded(queries, i), 10, search.Options{Ef: 40})
					must(t, err)
					sameResults(t, got, want)
				}
			}
			sameGraph(t, outside, deleted)
			if frozen.Deleted() != 0 || deleted.Deleted() != 1 {
				t.Errorf("%d and %d elements are marked deleted", frozen.Deleted(), deleted.Deleted())
			}
		})
	}
}

// sameGraph compares links, also those that are packed.
func sameGraph(t *testing.T, x *Index, f *Frozen) {
	t.Helper()
	must(t, x.WithImage(func(a *Image) error {
		return f.WithImage(func(b *Image) error {
			for i, link := range a.Links0 {
				if b.Links0[i] != link {
					t.Fatalf("link %d is %d, packed %d", i, link, b.Links0[i])
				}
			}
			return nil
		})
	}))
	a, err := x.Stats()
	must(t, err)
	b, err := f.Stats()
	must(t, err)
	if a.Degree != b.Degree {
		t.Errorf("degrees %v and %v", a.Degree, b.Degree)
	}
}

func TestLinksAloneAreSmall(t *testing.T) {
	const n, dim = 20_000, 4
	x := external(t, Config{M: 8, EfConstruction: 20}, matrix(t, randomRows(n, dim, 3), dim))
	f, err := x.Freeze()
	must(t, err)
	defer f.Close()
	s, err := f.Stats()
	must(t, err)
	if each := float64(s.Memory.Total()) / n; each > 50 || each < 30 {
		t.Errorf("%v bytes an element", each)
	}
}

func TestAttachedRowsMayBeReplaced(t *testing.T) {
	const n, dim = 1500, 16
	data := unitRows(n, dim, 4)
	full, half := matrix(t, data, dim), matrix(t, halves(data), dim)
	x := external(t, Config{Metric: vector.Cosine}, full.Slice(0, 1000))
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for i := range 3 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				found, err := x.Search(decoded(full, 100+i), 5, search.Options{})
				if err != nil || len(found) != 5 || found[0].Label != uint64(100+i) {
					t.Errorf("%v, %v", found, err)
					return
				}
			}
		})
	}
	for i := range 20 {
		must(t, x.Attach([]vector.Matrix{half, full}[i%2], AttachOptions{Mapped: i%3 == 0}))
		must(t, x.AddAttached(context.Background(), 25, nil, BatchOptions{}))
	}
	close(stop)
	wg.Wait()
	for i := range n {
		found, err := x.Search(decoded(full, i), 1, search.Options{})
		if err != nil || found[0].Label != uint64(i) {
			t.Fatalf("row %d: %v, %v", i, found, err)
		}
	}
	v := make([]float32, dim)
	must(t, x.Vector(1499, v))
}

func TestAttachRefuses(t *testing.T) {
	const dim = 4
	ctx := context.Background()
	rows := matrix(t, unitRows(50, dim, 5), dim)
	x := external(t, Config{Metric: vector.Cosine}, rows)
	own := build(t, Config{}, rows)
	long := unitRows(60, dim, 6)
	long[55*dim] += 3
	longer := matrix(t, long, dim)
	for name, err := range map[string]error{
		"another dim":     x.Attach(matrix(t, unitRows(50, 5, 1), 5), AttachOptions{}),
		"too few":         x.Attach(rows.Slice(0, 49), AttachOptions{}),
		"bytes":           x.Attach(matrix(t, make([]uint8, 50*dim), dim), AttachOptions{}),
		"not normalised":  x.Attach(longer, AttachOptions{}),
		"rows of its own": own.Attach(rows, AttachOptions{}),
		"add":             x.Add(99, decoded(rows, 0), AddOptions{}),
		"add many":        x.AddBatch(ctx, rows, nil, BatchOptions{}),
		"none left":       x.AddAttached(ctx, 1, nil, BatchOptions{}),
		"own rows":        own.AddAttached(ctx, 1, nil, BatchOptions{}),
		"reorder":         x.Reorder(),
		"replacing config": func() error {
			_, err := New(Config{Dim: 3, Storage: rowtype.External, ReplaceDelete: true})
			return err
		}(),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	more := matrix(t, unitRows(60, dim, 5), dim)
	must(t, x.Attach(more, AttachOptions{}))
	if err := x.AddAttached(ctx, 1, []uint64{7}, BatchOptions{}); !errors.Is(err, ErrExternal) {
		t.Errorf("a label that is there: %v", err)
	}
	bare, err := New(Config{Dim: dim, Storage: rowtype.External})
	must(t, err)
	defer bare.Close()
	if _, err := bare.Search(decoded(rows, 0), 1, search.Options{}); !errors.Is(err, ErrNoRows) {
		t.Errorf("nothing attached: %v", err)
	}
	if err := bare.AddAttached(ctx, 1, nil, BatchOptions{}); !errors.Is(err, ErrNoRows) {
		t.Errorf("nothing attached: %v", err)
	}
	must(t, bare.Close())
	if err := bare.Attach(rows, AttachOptions{}); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// TestOtherRowsAreTold attaches what a graph wasn't built of.
func TestOtherRowsAreTold(t *testing.T) {
	const n, dim = 500, 24
	for _, metric := range []vector.Metric{vector.L2, vector.IP, vector.Cosine} {
		data, other := unitRows(n, dim, 1), unitRows(n, dim, 2)
		x := external(t, Config{Metric: metric, M: 8}, matrix(t, data, dim))
		f, err := x.Freeze()
		must(t, err)
		defer f.Close()
		shifted := append(append([]float32(nil), data[dim:]...), data[:dim]...)
		for name, rows := range map[string][]float32{"of another seed": other, "in another order": shifted} {
			for _, r := range []*Reader{&x.Reader, &f.Reader} {
				if err := r.CheckRows(matrix(t, rows, dim), AttachOptions{}); !errors.Is(err, ErrOtherRows) {
					t.Errorf("%v, rows %s: %v", metric, name, err)
				}
			}
		}
		must(t, f.Attach(matrix(t, halves(data), dim), AttachOptions{}))
		same := make([]float32, n*dim)
		for i := range n {
			same[i*dim] = 1
		}
		must(t, f.Attach(matrix(t, same, dim), AttachOptions{})) // as near as any
	}
}

// TestShiftedLabels holds labels that are counted, and those that aren't, against what they are shifted by.
func TestShiftedLabels(t *testing.T) {
	const n, dim = 200, 8
	rows := matrix(t, randomRows(n, dim, 1), dim)
	for name, label := range map[string]func(i int) uint64{
		"counted": func(i int) uint64 { return uint64(i) + 5 }, "any": func(i int) uint64 { return uint64(i*7919) % 1000003 },
	} {
		x, err := New(Config{Dim: dim, M: 8, Storage: rowtype.External})
		must(t, err)
		defer x.Close()
		must(t, x.Attach(rows, AttachOptions{}))
		labels := make([]uint64, n)
		for i := range labels {
			labels[i] = label(i)
		}
		must(t, x.AddAttached(context.Background(), n, labels, BatchOptions{Threads: 1}))
		f, err := x.Freeze()
		must(t, err)
		defer f.Close()
		before, err := f.Stats()
		must(t, err)
		if taken := before.Memory.Labels >= n*labelBytes; taken != (name == "any") {
			t.Errorf("%s labels take %d bytes", name, before.Memory.Labels)
		}
		for _, by := range []uint64{1000, 1 << 40, ^uint64(1000) + 1} {
			must(t, f.ShiftLabels(by))
			for i := range labels {
				labels[i] += by
			}
			got, err := f.Labels()
			must(t, err)
			found, err := f.Search(decoded(rows, 17), 1,
				search.Options{Filter: search.FilterFunc(func(l uint64) bool { return l == labels[17] })})
			must(t, err)
			must(t, f.WithImage(func(m *Image) error {
				if !slices.Equal(got, labels) || !slices.Equal(m.Labels, labels) || len(found) != 1 ||
					found[0].Label != labels[17] {
					t.Errorf("%s labels shifted by %d: found %v, labels %v", name, by, found, got[:3])
				}
				return nil
			}))
		}
	}
}
