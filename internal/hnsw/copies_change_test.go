package hnsw

import (
	"context"
	"sync"
	"testing"

	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// TestCopiesChange updates, deletes, undeletes and replaces rows at random, most of them
// by rows that are there already.
func TestCopiesChange(t *testing.T) {
	const labels, rowCount, dim = 300, 12, 8
	for _, c := range []Config{
		{}, {Metric: vector.Cosine, Storage: vector.Float16}, {Metric: vector.IP},
		{Storage: rowtype.NoRows, Codes: Codes{Bits: 4}},
	} {
		c.Dim, c.M, c.ReplaceDelete = dim, 4, true
		x, err := New(c)
		must(t, err)
		base, rnd := randomRows(rowCount, dim, 1), newRand(2)
		own, deleted := map[uint64]int{}, map[uint64]bool{}
		for step := range 3000 {
			label := rnd.Uint64N(labels)
			row := rnd.IntN(rowCount)
			_, there := own[label]
			switch {
			case there && !deleted[label] && rnd.IntN(4) == 0:
				must(t, x.Delete(label))
				deleted[label] = true
			case there && deleted[label]:
				must(t, x.Undelete(label))
				delete(deleted, label)
			default:
				must(t, x.Add(label, base[row*dim:(row+1)*dim], AddOptions{}))
				own[label] = row
			}
			if step%500 == 499 {
				checkChains(t, x)
				must(t, x.Reorder())
				must(t, x.Vector(own1(own, deleted), make([]float32, dim))) // builds the label map
				checkChains(t, x)
			}
		}
		must(t, x.WithImage(func(m *Image) error { return m.Check() }))
		checkReach(t, x)
		for row := range rowCount {
			want := 0
			for label, r := range own {
				if r == row && !deleted[label] {
					want++
				}
			}
			got, err := x.Search(base[row*dim:(row+1)*dim], labels, search.Options{})
			must(t, err)
			found := 0
			for _, f := range got {
				if own[f.Label] == row {
					found++
				}
			}
			if found != want {
				t.Errorf("%s, %s: %d of %d copies of row %d are found", c.Metric, c.Storage, found, want, row)
			}
		}
		must(t, x.Close())
	}
}

// own1 is a label that isn't marked deleted.
func own1(own map[uint64]int, deleted map[uint64]bool) uint64 {
	for label := range uint64(1 << 20) {
		if _, ok := own[label]; ok && !deleted[label] {
			return label
		}
	}
	return 0
}

// TestCopiesConcurrently changes rows, most of them equal to others, from several goroutines.
func TestCopiesConcurrently(t *testing.T) {
	const labels, rowCount, dim = 400, 5, 8
	x, err := New(Config{Dim: dim, M: 4})
	must(t, err)
	defer x.Close()
	base := randomRows(rowCount, dim, 1)
	var wg sync.WaitGroup
	for worker := range 6 {
		wg.Go(func() {
			rnd := newRand(uint64(worker))
			for range 800 {
				label, row := rnd.Uint64N(labels), rnd.IntN(rowCount)
				if rnd.IntN(4) == 0 {
					if _, err := x.Search(base[row*dim:(row+1)*dim], 10, search.Options{}); err != nil {
						t.Error(err)
					}
					continue
				}
				if err := x.Add(label, base[row*dim:(row+1)*dim], AddOptions{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	checkChains(t, x)
	must(t, x.WithImage(func(m *Image) error { return m.Check() }))
	checkReach(t, x)
	got, err := x.Search(base[:dim], labels, search.Options{})
	must(t, err)
	if len(got) != x.Len() {
		t.Errorf("%d of %d rows are found", len(got), x.Len())
	}
}

// TestCopiesBeforeRows deletes an element of an external graph, whose rows can't be compared.
func TestCopiesBeforeRows(t *testing.T) {
	const n, dim = 300, 8
	rows := randomRows(n, dim, 1)
	for i := range 100 {
		copy(rows[i*dim:(i+1)*dim], rows)
	}
	x, err := New(Config{Dim: dim, Storage: rowtype.External})
	must(t, err)
	defer x.Close()
	must(t, x.Attach(matrix(t, rows, dim), AttachOptions{}))
	must(t, x.AddAttached(context.Background(), n, nil, BatchOptions{}))
	var y *Index
	must(t, x.WithImage(func(m *Image) error {
		c := m.Config
		y, err = Restore(c, m.Count, m.UpperLists(), func(to *Image) error {
			copy(to.Links0, m.Links0)
			copy(to.Levels, m.Levels)
			copy(to.UpperAt, m.UpperAt)
			copy(to.Upper, m.Upper)
			copy(to.Labels, m.Labels)
			to.TopLevel, to.Entry = m.TopLevel, m.Entry
			return nil
		})
		return err
	}))
	defer y.Close()
	must(t, y.Delete(7))
	must(t, y.Attach(matrix(t, rows, dim), AttachOptions{}))
	got, err := y.Search(rows[:dim], 99, search.Options{})
	must(t, err)
	if got[98].Distance != 0 {
		t.Errorf("the 99 live copies aren't the 99 nearest: %v", got[98])
	}
}
