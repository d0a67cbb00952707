package hnsw

import (
	"context"
	"fmt"

	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/quant/pq"
	"github.com/shale-search/shale/vector"
)

// AttachPQOptions says what codes are like.
type AttachPQOptions struct {
	// Mapped says that reading the codes may fault, since they lie in a mapped file: searches then give an error.
	Mapped bool
	// SquaredL2 lets the distances told be squared Euclidean ones in every metric, as hnswlib-mmap has them, where no rows
	// are attached.
	SquaredL2 bool
}

// AttachPQ gives an index of links alone codes of product quantization, element i's at i times q.Stride(), in place of those
// attached before. They are neither copied nor changed and must outlive the index; they aren't saved. Searches walk over
// them. Rows that are attached as well rank what is found again, by as many of them as q's errors ask for, which are measured
// on the rows if q doesn't know them; without rows the distances told are those of codes. No elements can be added while codes
// are attached.
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
	if err := r.attachable(q, codes); err != nil {
		return err
	}
	if o.Mapped || r.faulty() {
		defer mmap.Catch(mmap.Guard(), &err)
	}
	if err := q.CheckCodes(codes); err != nil {
		return fmt.Errorf("hnsw: attach codes: %w", err)
	}
	for {
		g := r.graph.Load()
		if g == nil {
			return ErrClosed
		}
		c := &coder{q: products{q}, codes: codes, outside: true, squared: o.SquaredL2, mapped: o.Mapped}
		if g.attached() {
			if c, err = c.measured(g.rows.Slice(0, r.Len())); err != nil {
				return err
			}
		}
		n := g.with(g.rows, g.mapped || o.Mapped)
		n.coder.Store(c)
		if r.graph.CompareAndSwap(g, n) {
			return nil
		}
	}
}

// attachable tests that codes can be those of the index.
func (r *Reader) attachable(q *pq.Quantizer, codes []byte) error {
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
	case len(codes) < q.Bytes(r.Len()):
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
