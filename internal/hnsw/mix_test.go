package hnsw

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

var mixTime = flag.Duration("hnsw.mix", 500*time.Millisecond,
	"how long the tests of mixed concurrent operations run, each")

const (
	mixDim      = 16
	mixLabels   = 3000
	mixVersions = 4
	mixWorkers  = 8
)

// pattern is version v of label's vector: whole numbers, so that a distance tells exactly whether a row was whole.
func pattern(label uint64, v int) []float32 {
	return integerRows(1, mixDim, label*mixVersions+uint64(v)+1000)
}

// patterns are all versions of all labels.
var patterns = sync.OnceValue(func() [][mixVersions][]float32 {
	all := make([][mixVersions][]float32, mixLabels)
	for label := range all {
		for v := range mixVersions {
			all[label][v] = pattern(uint64(label), v)
		}
	}
	return all
})

func squared(a, b []float32) float32 { return float32(oracle(Config{}, a, b)) }

// mix is the state of one worker.
type mix struct {
	t     *testing.T
	x     engine
	rnd   *rand.Rand
	odd   *roaring64.Bitmap
	found []search.Neighbor
	off   mixError
}

// mixError is how far a distance d may be from that of a version: fixed + root·√d.
type mixError struct{ fixed, root float64 }

func (e mixError) allows(got, want float32) bool {
	return math.Abs(float64(got)-float64(want)) <= e.fixed+e.root*math.Sqrt(float64(want))
}

// mixErrors are those of each type of rows. A scaled byte of values up to 8 is off by at most 1/32, and mixDim of them
// by 1/8 together; estimates from 8 bits are off by as much as 6 now and then.
var mixErrors = map[vector.Type]mixError{rowtype.ScaledInt8: {0.02, 0.26}, rowtype.NoRows: {20, 0}}

// allowedErrors are what operations on labels in any state may answer.
var allowedErrors = []error{ErrLabel, ErrDeleted, ErrNotDeleted, ErrUpdateDeleted}

func (m *mix) expect(err error) {
	for _, allowed := range allowedErrors {
		if errors.Is(err, allowed) {
			return
		}
	}
	if err != nil {
		m.t.Error(err)
	}
}

func (m *mix) label() uint64 { return uint64(m.rnd.IntN(mixLabels)) }

func (m *mix) vector(label uint64) []float32 { return patterns()[label][m.rnd.IntN(mixVersions)] }

// step does one operation drawn by chance.
func (m *mix) step() {
	label := m.label()
	x, growing := m.x.(*Index)
	switch p := m.rnd.IntN(100); {
	case p < 20:
		m.expect(m.x.Add(label, m.vector(label), AddOptions{ReplaceDeleted: growing && p < 10}))
	case p < 28:
		m.expect(m.x.Delete(label))
	case p < 32 && growing:
		m.expect(x.Undelete(label))
	case p < 36:
		v := make([]float32, mixDim)
		if err := m.x.Vector(label, v); err != nil {
			m.expect(err)
		} else {
			m.whole(v, search.Neighbor{Label: label, Distance: 0})
		}
	case p < 37:
		m.resize()
	case p < 38:
		m.batches()
	case p < 39:
		m.look()
	default:
		m.search(p)
	}
}

// whole checks that the result's distance is that of one of its label's versions.
func (m *mix) whole(query []float32, n search.Neighbor) {
	for _, p := range patterns()[n.Label] {
		if m.off.allows(n.Distance, squared(query, p)) {
			return
		}
	}
	m.t.Errorf("label %d at %v has no such version", n.Label, n.Distance)
}

func (m *mix) search(p int) {
	o := search.Options{Ef: 40}
	switch p % 5 {
	case 0:
		o.Filter = search.FilterFunc(func(label uint64) bool { return label%2 == 1 })
	case 1:
		o.Filter = search.FilterBitmap(m.odd)
	}
	query := m.vector(m.label())
	var err error
	if m.found, err = m.x.SearchInto(m.found[:0], query, 10, o); err != nil {
		m.t.Error(err)
	}
	m.results(query, m.found, o.Filter != nil)
}

func (m *mix) results(query []float32, found []search.Neighbor, odd bool) {
	for i, n := range found {
		m.whole(query, n)
		if odd && n.Label%2 == 0 {
			m.t.Errorf("label %d is not allowed", n.Label)
		}
		if i > 0 && n.Distance < found[i-1].Distance {
			m.t.Errorf("results out of order: %v", found)
		}
	}
}

func (m *mix) resize() {
	if err := m.x.Resize(m.x.Len() + m.rnd.IntN(50)); err != nil && m.x.Len() == 0 {
		m.t.Error(err)
	}
}

func (m *mix) batches() {
	const n = 20
	ctx := context.Background()
	labels, rows := make([]uint64, n), make([]float32, 0, n*mixDim)
	for i := range labels {
		labels[i] = m.label()
		rows = append(rows, m.vector(labels[i])...)
	}
	batch := matrix(m.t, rows, mixDim)
	m.expect(m.x.AddBatch(ctx, batch, labels, BatchOptions{Threads: 3, Progress: func(int) { m.x.Capacity() }}))
	o := search.Options{Filter: search.FilterBitmap(m.odd), Threads: 2}
	out, err := m.x.SearchBatch(ctx, batch, 5, o)
	if err != nil {
		m.t.Error(err)
		return
	}
	for row, count := range out.Counts {
		m.found = m.found[:0]
		for i := range count {
			m.found = append(m.found, search.Neighbor{Label: out.Labels[row*5+i], Distance: out.Distances[row*5+i]})
		}
		m.results(decoded(batch, row), m.found, true)
	}
}

// look takes the whole content: it must be sound at any moment.
func (m *mix) look() {
	if _, err := m.x.Stats(); err != nil {
		m.t.Error(err)
	}
	x, ok := m.x.(*Index)
	if !ok {
		return
	}
	if err := x.WithImage(func(i *Image) error { return i.Check() }); err != nil {
		m.t.Error(err)
	}
	if f, err := x.Freeze(); err != nil || f.Close() != nil {
		m.t.Error(err)
	}
}

// runMix lets workers run for a while.
func runMix(t *testing.T, x engine, off mixError) {
	odd := roaring64.New()
	for label := uint64(1); label < mixLabels; label += 2 {
		odd.Add(label)
	}
	patterns()
	until := time.Now().Add(*mixTime)
	steps := make([]int, mixWorkers)
	var wg sync.WaitGroup
	for w := range mixWorkers {
		wg.Go(func() {
			m := &mix{t: t, x: x, rnd: newRand(uint64(w)), odd: odd, off: off}
			for time.Now().Before(until) && !t.Failed() {
				m.step()
				steps[w]++
			}
		})
	}
	wg.Wait()
	t.Logf("steps by worker: %v", steps)
}

// foundByOwnVector is the share of the live labels that a search for their vector finds first, at a distance of almost
// 0.
func foundByOwnVector(t *testing.T, x engine, off mixError) float64 {
	t.Helper()
	labels, err := x.Labels()
	must(t, err)
	own, total := 0, 0
	v := make([]float32, mixDim)
	for _, label := range labels {
		if err := x.Vector(label, v); errors.Is(err, ErrLabel) {
			continue // deleted
		}
		found, err := x.Search(v, 1, search.Options{})
		must(t, err)
		total++
		if len(found) > 0 && found[0].Label == label && off.allows(found[0].Distance, 0) {
			own++
		}
	}
	return float64(own) / float64(max(total, 1))
}

// soundBooks checks that the counts, maps and lists of an index at rest agree.
func soundBooks(t *testing.T, x *Index) {
	t.Helper()
	g := x.graph.Load()
	x.mu.Lock()
	x.buildLabelMap(g)
	x.mu.Unlock()
	deleted := 0
	for id := range uint32(x.Len()) {
		if owner, ok := x.ids[g.label(id)]; !ok || owner != id {
			t.Fatalf("element %d has label %d, which belongs to element %d", id, g.label(id), owner)
		}
		if !g.ready.get(id) {
			t.Fatalf("element %d is not ready", id)
		}
		_, free := x.free.at[id]
		if g.deleted.get(id) {
			deleted++
		}
		if free != (g.deleted.get(id) && x.replacing) {
			t.Fatalf("element %d: free is %v, deleted is %v", id, free, g.deleted.get(id))
		}
	}
	if len(x.ids) != x.Len() || deleted != x.Deleted() {
		t.Fatalf("%d labels of %d elements, %d deleted counted as %d", len(x.ids), x.Len(), deleted, x.Deleted())
	}
	if g.refs.Load() != 1 {
		t.Fatalf("%d references to the arrays", g.refs.Load())
	}
}

func TestMixedOperations(t *testing.T) {
	for _, c := range []Config{
		{}, {Codes: Codes{Bits: 4}}, {Codes: Codes{Bits: 4}, Storage: rowtype.ScaledInt8},
		{Codes: Codes{Bits: 8}, Storage: rowtype.NoRows},
	} {
		for _, replace := range []bool{false, true} {
			c.Dim, c.M, c.EfConstruction, c.ReplaceDelete = mixDim, 12, 60, replace
			t.Run(fmt.Sprintf("%d bits, %v rows, replace %v", c.Codes.Bits, c.Storage, replace), func(t *testing.T) {
				mixedOperations(t, c)
			})
		}
	}
}

func mixedOperations(t *testing.T, c Config) {
	replace := c.ReplaceDelete
	x, err := New(c)
	must(t, err)
	old := allowedErrors
	if !replace {
		allowedErrors = append(old[:len(old):len(old)], ErrReplaceDisabled)
	}
	off := mixErrors[c.Storage]
	runMix(t, x, off)
	allowedErrors = old
	soundBooks(t, x)
	share := foundByOwnVector(t, x, off)
	reachable, err := x.Reachable()
	must(t, err)
	t.Logf("replace %v: %d elements, %d deleted, %d reachable, %.4f found by their own vector", replace, x.Len(),
		x.Deleted(), reachable, share)
	if share < 0.99 {
		t.Errorf("only %.4f of the live labels are found by their own vector", share)
	}
	must(t, x.Close())
}

func TestMixedOperationsFlat(t *testing.T) {
	t.Parallel()
	x, err := NewFlat(Config{Dim: mixDim, Metric: vector.L2})
	must(t, err)
	defer x.Close()
	runMix(t, x, mixError{})
	if share := foundByOwnVector(t, x, mixError{}); share != 1 {
		t.Errorf("%.4f of the labels are found by their own vector", share)
	}
}

func TestMixedOperationsFlatScaled(t *testing.T) {
	t.Parallel()
	x, err := NewFlat(Config{Dim: mixDim, Metric: vector.L2, Storage: rowtype.ScaledInt8})
	must(t, err)
	defer x.Close()
	runMix(t, x, mixErrors[rowtype.ScaledInt8])
	if share := foundByOwnVector(t, x, mixError{}); share != 1 {
		t.Errorf("%.4f of the labels are found by their own vector", share)
	}
}
