package hnsw

import (
	"context"
	"errors"
	"fmt"

	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/quant"
	"github.com/shale-search/shale/internal/quant/pq"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/sq8"
	"github.com/shale-search/shale/vector"
)

// An index that keeps no rows has codes from its first element on, and the quantizer of that moment for ever: there is
// nothing to make other codes of. Distances, the choice of links and what Vector gives all come from codes.

// untrained is a quantizer for an index that has no rows yet: the one that was trained beforehand, or one to be
// replaced.
func (c *Config) untrained() (quantizer, error) {
	if c.Quantizer != nil {
		return products{c.Quantizer}, nil
	}
	return c.newQuantizer(make([]float32, c.QuantizerValues()))
}

// prepareCodes gives a new index that keeps no rows a quantizer, which trainOnce replaces. A quantizer that was trained
// beforehand makes the codes of all elements.
func (r *Reader) prepareCodes(g *graph) error {
	if r.cfg.keepsRows() && r.cfg.Quantizer == nil {
		return nil
	}
	q, err := r.cfg.untrained()
	if err != nil {
		return err
	}
	c, err := newCoder(g, q)
	if err != nil {
		return err
	}
	g.coder.Store(c)
	return nil
}

// trainOn is trainOnce for a vector that is added alone. It takes the vector for the center rather than none: codes are
// then good at rows that are near each other, wherever they lie.
func (x *Index) trainOn(vec []float32) error {
	if x.cfg.keepsRows() || x.Len() > 0 {
		return nil
	}
	rows, err := vector.Of(vec, x.cfg.Dim)
	if err != nil {
		return err
	}
	return x.trainOnce(context.Background(), rows, nil)
}

// trainOnce trains the index that keeps no rows on the first ones that are about to be added.
func (x *Index) trainOnce(ctx context.Context, rows vector.Matrix, progress func(done, total int)) (err error) {
	if x.backing != nil {
		defer x.noteFault(&err)
		defer mmap.Catch(mmap.Guard(), &err)
	}
	x.structure.Lock()
	defer x.structure.Unlock()
	g := x.graph.Load()
	if g == nil {
		return ErrClosed
	}
	if x.Len() > 0 {
		return nil
	}
	q, err := x.train(ctx, progress, rows)
	if err != nil {
		return err
	}
	if err := x.keepCenter(q.values()); err != nil {
		return err
	}
	g.coder.Store(&coder{q: q, codes: g.coder.Load().codes})
	return nil
}

// checkVectors is the part of Check that tests what distances are computed from: the scales of rows, if the image has
// its rows, or the codes.
func (m *Image) checkVectors() error {
	if m.Coded && m.Config.Codes.Kind == quant.Product {
		if err := m.checkProducts(); err != nil {
			return err
		}
	}
	switch {
	case m.Config.Storage == rowtype.ScaledInt8 && m.Rows.Type() == rowtype.ScaledInt8:
		for id := range m.Rows.Rows() {
			if !sq8.Sound(m.Rows.RowBytes(id), m.Config.Dim) {
				return &ImageError{"Rows", id, "the scale is negative, too large or no number"}
			}
		}
	case m.Config.keepsRows():
	case !m.Coded:
		return &ImageError{"Coded", 0, fmt.Sprintf("%d elements have neither rows nor codes", m.Count)}
	default:
		return m.checkCodes()
	}
	return nil
}

func (m *Image) checkCodes() error {
	if m.Config.Codes.Kind == quant.Product {
		return nil // the other checks have seen to it
	}
	dim, bits := m.Config.Dim, m.Config.Codes.Bits
	stride := quant.Stride(dim, bits)
	for id := range m.Count {
		if !quant.SoundFactors(dim, bits, m.Codes[id*stride:(id+1)*stride]) {
			return &ImageError{"Codes", id * stride, fmt.Sprintf("the code of element %d holds NaN or infinity", id)}
		}
	}
	return nil
}

func (m *Image) checkProducts() error {
	var bad *pq.CodeError
	switch err := m.Config.ProductConfig().CheckCodes(m.Codes); {
	case errors.As(err, &bad):
		return &ImageError{"Codes", bad.Byte, bad.Reason}
	default:
		return err
	}
}

// CheckQuantizer tests what codes are made by, if there are any. It returns an *ImageError.
func (m *Image) CheckQuantizer() error {
	if !m.Coded {
		return nil
	}
	if _, err := m.Config.newQuantizer(m.Quantizer); err != nil {
		return &ImageError{"Quantizer", 0, err.Error()}
	}
	return nil
}

// Vectors returns a function that writes the vector of element id to dst (Config.Dim values): its row or, where no rows
// are kept, what its code stands for. It is for one goroutine.
func (m *Image) Vectors() (func(id int, dst []float32), error) {
	if m.Config.external() && m.Rows.Type() == rowtype.External {
		return nil, ErrNoRows
	}
	if m.Config.keepsRows() {
		return m.Rows.Decode, nil
	}
	if !m.Coded {
		return nil, m.checkVectors()
	}
	q, err := m.Config.newQuantizer(m.Quantizer)
	if err != nil {
		return nil, fmt.Errorf("decode codes: %w", err)
	}
	e := q.encoder()
	return func(id int, dst []float32) {
		e.Decode(dst, m.Codes[id*q.Stride():(id+1)*q.Stride()])
	}, nil
}
