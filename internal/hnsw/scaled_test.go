package hnsw

import (
	"context"
	"fmt"
	"testing"

	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// TestScaledRowsSettleAlike: over the same graph and codes, rows of a byte a value settle nearly as halves do.
func TestScaledRowsSettleAlike(t *testing.T) {
	race.SkipSequential(t)
	t.Parallel()
	rows, err := wordnet()
	must(t, err)
	queries := rows.Slice(rows.Rows()-300, rows.Rows())
	truth := flatTruth(t, queries, 10, nil)
	halves := build(t, Config{Metric: vector.Cosine, Codes: Codes{Bits: 2}, Storage: vector.Float16}, rows)
	scaled := storedAs(t, halves, rowtype.ScaledInt8)
	for _, ef := range []int{50, 100, 200} {
		want := recall(t, halves.Search, queries, 10, search.Options{Ef: ef}, truth)
		got := recall(t, scaled.Search, queries, 10, search.Options{Ef: ef}, truth)
		t.Logf("ef %d: recall@10 %.4f, by halves %.4f", ef, got, want)
		if got < want-0.005 {
			t.Errorf("ef %d: recall@10 is %.4f, by halves %.4f", ef, got, want)
		}
	}
}

// storedAs is a copy of x whose rows are of another type.
func storedAs(t *testing.T, x *Index, typ vector.Type) *Index {
	t.Helper()
	var y *Index
	must(t, x.WithImage(func(from *Image) (err error) {
		c := from.Config
		c.Storage = typ
		y, err = Restore(c, from.Count, from.UpperLists(), func(to *Image) error {
			copyLinks(to, from)
			for i := range from.Count {
				rowtype.Encode(to.Rows, i, decoded(from.Rows, i))
			}
			return nil
		})
		return err
	}))
	t.Cleanup(func() { y.Close() })
	return y
}

// TestScaledRowsRankAsWell: rows of a byte a value settle what codes have found nearly as rows in full do.
func TestScaledRowsRankAsWell(t *testing.T) {
	race.SkipSequential(t)
	t.Parallel()
	rows, err := wordnet()
	must(t, err)
	queries := rows.Slice(rows.Rows()-100, rows.Rows())
	truth := flatTruth(t, queries, 10, nil)
	found := map[vector.Type]float64{}
	for _, typ := range []vector.Type{vector.Float16, rowtype.ScaledInt8} {
		x := build(t, Config{Metric: vector.Cosine, Codes: Codes{Bits: 2}, Storage: typ}, rows)
		found[typ] = recall(t, x.Search, queries, 10, search.Options{Ef: 100}, truth)
		stats, err := x.Stats()
		must(t, err)
		if most := int64(rows.Rows() * (rowtype.Size(typ, rows.Dim()) + 60)); stats.Memory.Rows > most {
			t.Errorf("%v: rows take %d bytes, not up to %d", typ, stats.Memory.Rows, most)
		}
		t.Logf("%v: recall@10 %.4f", typ, found[typ])
		v := make([]float32, rows.Dim())
		must(t, x.Delete(7))
		must(t, x.Add(11, decoded(rows, 3), AddOptions{}))
		must(t, x.Vector(11, v))
		if n, err := x.Search(v, 2, search.Options{}); err != nil || n[0].Distance > 1e-3 ||
			n[0].Label != 3 && n[0].Label != 11 {
			t.Errorf("%v: a row that took another's place finds %v, %v", typ, n, err)
		}
	}
	if found[rowtype.ScaledInt8] < found[vector.Float16]-0.01 {
		t.Errorf("recall@10 is %.4f, by halves %.4f", found[rowtype.ScaledInt8], found[vector.Float16])
	}
}

// TestScaledIndexIsExact: distances are those of the rows as they are stored, in both engines.
func TestScaledIndexIsExact(t *testing.T) {
	const n, dim = 120, 19
	rows, labels := matrix(t, randomRows(n, dim, 4), dim), scattered(n)
	for _, c := range []Config{{Metric: vector.L2}, {Metric: vector.IP}, {Metric: vector.Cosine}, {Custom: manhattan}} {
		c.Dim, c.Storage = dim, rowtype.ScaledInt8
		t.Run(fmt.Sprint(c.Metric, c.Custom != nil), func(t *testing.T) {
			eachEngine(t, c, func(t *testing.T, x engine) {
				must(t, x.AddBatch(context.Background(), rows, labels, BatchOptions{}))
				for _, l := range labels[:30] { // the flat index moves rows then
					must(t, x.Delete(l))
				}
				stored := make([]float32, 0, n*dim)
				for i, l := range labels[30:] {
					v := make([]float32, dim)
					must(t, x.Vector(l, v))
					if c.Metric == vector.L2 && oracle(Config{}, v, decoded(rows, 30+i)) > 0.01 {
						t.Fatalf("row %d is stored as %v", i, v)
					}
					stored = append(stored, v...)
				}
				m := matrix(t, stored, dim)
				for i := range 5 {
					q := decoded(rows, i)
					got, err := x.Search(q, n, search.Options{Ef: n})
					must(t, err)
					tolerance := 1e-4
					if c.Metric == vector.Cosine {
						tolerance = 3e-3 // rounded rows are not quite as long as 1
					}
					sameDistances(t, got, nearest(c, m, labels[30:], nil, q, n), tolerance)
				}
			})
		})
	}
}

// TestMemoryOfEachKeep: rows and codes take what they are said to.
func TestMemoryOfEachKeep(t *testing.T) {
	const n = 1100
	for _, c := range []struct {
		dim, bits   int
		storage     vector.Type
		rows, codes int64 // an element
	}{
		{384, 2, vector.Float32, 1536, 128}, {384, 2, vector.Float16, 768, 128}, {384, 2, rowtype.ScaledInt8, 388, 128},
		{384, 2, rowtype.NoRows, 0, 128}, {100, 4, rowtype.ScaledInt8, 104, 64}, {60, 4, rowtype.ScaledInt8, 64, 48},
		{101, 8, rowtype.NoRows, 0, 128},
	} {
		rows := matrix(t, randomRows(n, c.dim, 2), c.dim)
		x := build(t, Config{Codes: Codes{Bits: c.bits}, Storage: c.storage, M: 4, EfConstruction: 10}, rows)
		s, err := x.Stats()
		must(t, err)
		if s.Memory.Rows != n*c.rows || s.Memory.Codes != n*c.codes {
			t.Errorf("%s of %d values: rows take %.1f bytes each, codes %.1f; want %d and %d", c.storage, c.dim,
				float64(s.Memory.Rows)/n, float64(s.Memory.Codes)/n, c.rows, c.codes)
		}
	}
}
