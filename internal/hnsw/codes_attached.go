package hnsw

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/quant/pq"
	"github.com/shale-search/shale/vector"
)

// AttachPQOptions describes the codes that are attached.
type AttachPQOptions struct {
	// Mapped says that the codes are in a mapped file, so that reading them may fault: searches then return an error.
	Mapped bool
	// SquaredL2 makes searches return squared Euclidean distances in every metric, as hnswlib-mmap does, if no rows are
	// attached.
	SquaredL2 bool
	// Order holds the places of the codes: element i's code starts at Order[i] × stride; nil: at i × stride. It is copied.
	Order []int64
}

// AttachPQ attaches product quantization codes to an external index, in place of those attached before. Element i's
// code starts at i × q.Stride(). Codes are neither copied, changed nor saved, and must outlive the index.
//
// Searches walk over the codes. If rows are attached too, they rank what the walk has found: as many candidates as q's
// errors ask for, which are measured on the rows if q doesn't know them. Without rows, distances are those of the
// codes. No elements can be added while codes are attached.
func (x *Index) AttachPQ(q *pq.Quantizer, codes []byte, o AttachPQOptions) error {
	x.attaching.Lock()
	defer x.attaching.Unlock()
	x.structure.Lock()
	defer x.structure.Unlock()
	return x.attachPQ(q, codes, o)
}

// AttachPQ is Index.AttachPQ.
func (f *Frozen) AttachPQ(q *pq.Quantizer, codes []byte, o AttachPQOptions) error {
	return f.attachPQ(q, codes, o)
}

func (r *Reader) attachPQ(q *pq.Quantizer, codes []byte, o AttachPQOptions) (err error) {
	if err := r.attachable(q, codes, o.Order != nil); err != nil {
		return err
	}
	if o.Mapped || r.faulty() {
		defer mmap.Catch(mmap.Guard(), &err)
	}
	if err := q.CheckCodes(codes); err != nil {
		return fmt.Errorf("hnsw: attach codes: %w", err)
	}
	c := &coder{q: products{q}, codes: codes, outside: true, squared: o.SquaredL2, mapped: o.Mapped}
	order, err := c.arrange(o.Order, r.Len())
	if err != nil {
		return err
	}
	err = r.replace(func(g *graph) (*graph, error) {
		measured := c
		if g.attached() {
			if measured, err = c.measured(g.rows.Slice(0, r.Len())); err != nil {
				return nil, err
			}
		}
		n := g.with(g.rows, g.mapped || o.Mapped)
		n.coder.Store(measured)
		n.regions = append(n.regions, order)
		return n, nil
	})
	if err != nil {
		return errors.Join(err, order.Close())
	}
	return nil
}

// arrange keeps a copy of the order of the codes of n elements, in the region given.
func (c *coder) arrange(order []int64, n int) (*mmap.Region, error) {
	if order == nil {
		return &mmap.Region{}, nil
	}
	if len(order) < n {
		return nil, fmt.Errorf("hnsw: an order of %d codes for an index of %d elements", len(order), n)
	}
	r, err := mmap.Anonymous(4 * n)
	if err != nil {
		return nil, fmt.Errorf("hnsw: room for the order of codes: %w", err)
	}
	c.order = mmap.Slice[uint32](r, 0, n)
	there := int64(len(c.codes) / c.q.Stride())
	for i, at := range order[:n] {
		if at < 0 || at >= min(there, math.MaxUint32) {
			err := fmt.Errorf("hnsw: the code of element %d is the %d-th of %d", i, at, there)
			return nil, errors.Join(err, r.Close())
		}
		c.order[i] = uint32(at)
	}
	return r, nil
}

// attachable tests that codes can be those of the index.
func (r *Reader) attachable(q *pq.Quantizer, codes []byte, ordered bool) error {
	c := q.Config()
	switch {
	case !r.cfg.external():
		return fmt.Errorf("hnsw: codes can't be attached to an index that has rows of its own, as %s", r.cfg.Storage)
	case r.cfg.Codes.Bits != 0:
		return fmt.Errorf("hnsw: the index has codes of its own")
	case c.Dim != r.cfg.Dim:
		return fmt.Errorf("%w: codes of %d values, the index has %d", vector.ErrDim, c.Dim, r.cfg.Dim)
	case c.Metric != r.cfg.Metric:
		return fmt.Errorf("hnsw: codes are compared by %v, the index by %v", c.Metric, r.cfg.Metric)
	case !ordered && len(codes) < q.Bytes(r.Len()):
		return fmt.Errorf("hnsw: %d bytes of codes for an index of %d elements of %d", len(codes), r.Len(), q.Stride())
	}
	return nil
}

// measured is the coder with the errors of its codes measured on rows, unless they are known.
func (c *coder) measured(rows vector.Matrix) (*coder, error) {
	p := c.q.(products)
	if p.Errors() != (pq.Errors{}) || rows.Rows() == 0 {
		return c, nil
	}
	q, err := p.WithErrors(context.Background(), rows)
	if err != nil {
		return nil, fmt.Errorf("hnsw: measure the errors of codes: %w", err)
	}
	n := *c
	n.q = products{q}
	return &n, nil
}
