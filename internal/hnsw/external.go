package hnsw

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"

	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/vector"
)

// An external index, whose Storage is External, holds links, labels and levels alone. Its rows are attached: element i
// has row i of a matrix that the caller holds in memory or in a mapping.

// AttachOptions describes the rows that are attached.
type AttachOptions struct {
	// Mapped says that the rows are in a mapped file, so that reading them may fault: searches then return an error.
	Mapped bool
	// Trusted skips the tests of a sample of the rows. Each row read from a mapping may bring megabytes into memory.
	Trusted bool
	// Owner, if not nil, is closed once nothing reads the rows any more. If Attach fails, the caller closes it.
	Owner io.Closer
}

const (
	// normSlack is how far the squared length of a row may be from 1 where the metric is cosine: that of one rounded to
	// half floats is off by less.
	normSlack = 4e-3
	// attachSample is how many rows Attach tests.
	attachSample = 256
)

// Attach sets the rows of an external index, Float32 or Float16, in place of those attached before. Searches under way
// finish on the old rows. Rows are neither copied nor changed, and must outlive the index. If the metric is cosine they
// must have length 1, which is tested on a sample. Attach also tests on a sample that links lead to near rows, and
// returns ErrOtherRows if they don't.
func (x *Index) Attach(rows vector.Matrix, o AttachOptions) error {
	x.attaching.Lock()
	defer x.attaching.Unlock()
	x.structure.Lock()
	defer x.structure.Unlock()
	return x.attach(rows, o)
}

// Attach is Index.Attach.
func (f *Frozen) Attach(rows vector.Matrix, o AttachOptions) error { return f.attach(rows, o) }

func (r *Reader) attach(rows vector.Matrix, o AttachOptions) error {
	if err := r.CheckRows(rows, o); err != nil {
		return err
	}
	return r.replace(func(g *graph) (*graph, error) {
		n := g.with(rows, o.Mapped)
		n.owner = o.Owner
		c := n.coder.Load()
		if c == nil || !c.outside {
			return n, nil
		}
		c, err := c.measured(rows.Slice(0, r.Len()))
		if err != nil {
			return nil, err
		}
		n.coder.Store(c)
		n.mapped = n.mapped || c.mapped
		return n, nil
	})
}

// CheckRows returns the error that Attach would return for rows.
func (r *Reader) CheckRows(rows vector.Matrix, o AttachOptions) (err error) {
	if o.Mapped || r.faulty() {
		defer mmap.Catch(mmap.Guard(), &err)
	}
	switch {
	case !r.cfg.external():
		return fmt.Errorf("hnsw: the index has rows of its own, as %s", r.cfg.Storage)
	case rows.Type() != vector.Float32 && rows.Type() != vector.Float16:
		return fmt.Errorf("hnsw: rows of %s can't be attached, only fp32 and fp16", rows.Type())
	case rows.Dim() != r.cfg.Dim:
		return fmt.Errorf("%w: rows have %d values, the index has %d", vector.ErrDim, rows.Dim(), r.cfg.Dim)
	case rows.Rows() < r.Len():
		return fmt.Errorf("hnsw: %d rows for an index of %d elements", rows.Rows(), r.Len())
	}
	if o.Trusted {
		return nil
	}
	if err := r.cfg.checkUnit(rows, max(rows.Rows()/attachSample, 1)); err != nil {
		return err
	}
	g, err := r.view()
	if err != nil {
		return err
	}
	defer g.release()
	return r.cfg.checkFit(g, min(r.Len(), g.capacity), rows)
}

// replace puts the graph that with makes of the present one in its place.
func (r *Reader) replace(with func(*graph) (*graph, error)) error {
	for {
		g := r.graph.Load()
		if g == nil {
			return ErrClosed
		}
		n, err := with(g)
		if err != nil {
			return err
		}
		if r.graph.CompareAndSwap(g, n) {
			return nil
		}
	}
}

// checkUnit tests that every step-th row is as long as the metric asks for.
func (c *Config) checkUnit(rows vector.Matrix, step int) error {
	if c.Metric != vector.Cosine {
		return nil
	}
	row := make([]float32, rows.Dim())
	for i := 0; i < rows.Rows(); i += step {
		rows.Decode(i, row)
		length := 0.0
		for _, v := range row {
			length += float64(v) * float64(v)
		}
		if !(math.Abs(length-1) <= normSlack) && length != 0 {
			return fmt.Errorf("hnsw: row %d is of length %.4g: rows that are attached must be normalised where the metric is "+
				"cosine", i, math.Sqrt(length))
		}
	}
	return nil
}

// with returns a graph of the same arrays and other rows. It takes over the reference that the index holds to g.
func (g *graph) with(rows vector.Matrix, mapped bool) *graph {
	n := &graph{
		m0: g.m0, m: g.m, capacity: g.capacity, links0: g.links0, upper: g.upper, upperAt: g.upperAt, levels: g.levels,
		labels: g.labels, shift: g.shift, inbound: g.inbound, copies: g.copies, deleted: g.deleted, ready: g.ready,
		packed: g.packed,
		rows:   rows, mapped: g.checked || mapped, checked: g.checked, base: g,
	}
	n.refs.Store(1)
	n.coder.Store(g.coder.Load())
	return n
}

// attached reports whether a graph whose rows lie elsewhere has them.
func (g *graph) attached() bool { return g.rows.Type() != rowtype.External }

// AddAttached adds elements for the next n attached rows, under labels, or under their row numbers if labels is nil.
// All labels must be new. If the metric is cosine, every row is tested to have length 1.
func (x *Index) AddAttached(ctx context.Context, n int, labels []uint64, o BatchOptions) (err error) {
	x.attaching.Lock()
	defer x.attaching.Unlock()
	rows, err := x.nextAttached(n)
	if err != nil {
		return err
	}
	if x.faulty() {
		defer mmap.Catch(mmap.Guard(), &err)
	}
	if err := x.cfg.checkUnit(rows, 1); err != nil {
		return err
	}
	from := uint64(x.Len())
	return x.addBatch(ctx, rows, labels, func(int) (uint64, error) { return from, nil }, o)
}

// nextAttached returns the next n rows. Searches that began before the present rows were attached must not meet them,
// so it moves the arrays where some may.
func (x *Index) nextAttached(n int) (vector.Matrix, error) {
	x.structure.Lock()
	defer x.structure.Unlock()
	g, from := x.graph.Load(), x.Len()
	switch {
	case !x.cfg.external():
		return vector.Matrix{}, fmt.Errorf("hnsw: the index has rows of its own, as %s", x.cfg.Storage)
	case g == nil:
		return vector.Matrix{}, ErrClosed
	case !g.attached():
		return vector.Matrix{}, ErrNoRows
	case g.coder.Load() != nil && g.coder.Load().outside:
		return vector.Matrix{}, errors.New("hnsw: elements can't be added to an index that codes are attached to")
	case n < 0 || n > g.rows.Rows()-from:
		return vector.Matrix{}, fmt.Errorf("hnsw: %d rows after the first %d asked for, %d are attached",
			n, from, g.rows.Rows())
	}
	if g.base != nil && from > 0 {
		if err := x.reallocate(max(g.capacity, from), x.lists); err != nil {
			return vector.Matrix{}, err
		}
	}
	return g.rows.Slice(from, from+n), nil
}

// ErrOtherRows reports rows that aren't those a graph was built of, or not in their order.
var ErrOtherRows = errors.New("the links don't lead to near rows: these aren't the rows that the graph was built of, " +
	"or not in their order")

// Links lead to near rows. Of rows that belong to another graph, or come in another order, half are as near as those
// picked by chance: so few elements tell.
const (
	fitLeast   = 128 // elements; below, near rows are hardly nearer than others
	fitSample  = 64  // elements tested
	fitAtOnce  = 12  // if this number of first rows are in order, the others are taken to be: 1 in 4,096 by chance
	fitShare   = 0.75
	fitCompare = 3 // links and other elements an element
)

// checkFit tests that links of g lead to rows nearer than others. The caller guards against faults.
func (c *Config) checkFit(g *graph, n int, rows vector.Matrix) error {
	if n < fitLeast {
		return nil
	}
	scorer, err := score.New(rows, c.Metric, c.Custom)
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(uint64(n), 1))
	var links []uint32
	tested, near := 0, 0
	for range fitSample {
		id := uint32(random.IntN(n))
		links = g.sound(g.links(id, links[:0]))
		if links = links[:min(len(links), fitCompare)]; len(links) == 0 {
			continue
		}
		scorer.BindRow(id)
		linked := distanceTo(scorer, links)
		for i := range links {
			links[i] = uint32(random.IntN(n))
		}
		if tested++; linked <= distanceTo(scorer, links) {
			near++
		}
		if near == fitAtOnce && tested == fitAtOnce {
			return nil
		}
	}
	if float64(near) < fitShare*float64(tested) {
		return ErrOtherRows
	}
	return nil
}

// distanceTo is the sum of the distances to some elements.
func distanceTo(scorer *score.Rows, ids []uint32) (sum float32) {
	var out [fitCompare]float32
	scorer.Score(ids, out[:])
	for _, d := range out[:len(ids)] {
		sum += d
	}
	return sum
}
