package hnsw

import (
	"fmt"

	"github.com/shale-search/shale/quant"
	"github.com/shale-search/shale/vector"
)

// An index that keeps no rows has codes from its first element on, and the quantizer of that moment for ever: there is
// nothing to make other codes of. Distances, the choice of links and what Vector gives all come from codes.

// prepareCodes gives a new index that keeps no rows a quantizer, until trainOnce knows better.
func (r *Reader) prepareCodes(g *graph) error {
	if r.cfg.keepsRows() {
		return nil
	}
	q, err := quant.New(r.cfg.quantConfig(), make([]float32, r.cfg.Dim))
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
	return x.trainOnce(rows)
}

// trainOnce trains the index that keeps no rows on the first ones that are about to be added.
func (x *Index) trainOnce(rows vector.Matrix) error {
	x.structure.Lock()
	defer x.structure.Unlock()
	g := x.graph.Load()
	if g == nil {
		return ErrClosed
	}
	if x.Len() > 0 {
		return nil
	}
	s := sampler{cfg: &x.cfg, row: make([]float32, x.cfg.Dim)}
	s.add(rows)
	q, err := quant.New(x.cfg.quantConfig(), s.mean())
	if err != nil {
		return err
	}
	g.coder.Store(&coder{q: q, codes: g.coder.Load().codes})
	return nil
}

// checkVectors is the part of Check that is about what distances come from: the scales of rows, as far as the image has
// its rows, or the codes.
func (m *Image) checkVectors() error {
	switch {
	case m.Config.Storage == vector.ScaledInt8 && m.Rows.Type() == vector.ScaledInt8:
		for id := range m.Rows.Rows() {
			if !vector.SoundScale(m.Rows.RowBytes(id), m.Config.Dim) {
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
	dim, bits := m.Config.Dim, m.Config.Codes.Bits
	stride := quant.Stride(dim, bits)
	for id := range m.Count {
		if !quant.SoundFactors(dim, bits, m.Codes[id*stride:(id+1)*stride]) {
			return &ImageError{"Codes", id * stride, fmt.Sprintf("the code of element %d holds NaN or infinity", id)}
		}
	}
	return nil
}

// Vectors gives a function that writes the vector of element id to dst (Config.Dim values): its row or, where no rows
// are kept, what its code stands for. It is for one goroutine.
func (m *Image) Vectors() (func(id int, dst []float32), error) {
	if m.Config.external() && m.Rows.Type() == vector.External {
		return nil, ErrNoRows
	}
	if m.Config.keepsRows() {
		return m.Rows.Decode, nil
	}
	if !m.Coded {
		return nil, m.checkVectors()
	}
	q, err := quant.New(m.Config.quantConfig(), m.Center)
	if err != nil {
		return nil, fmt.Errorf("decode codes: %w", err)
	}
	e := q.NewEncoder()
	return func(id int, dst []float32) {
		e.Decode(dst, m.Codes[id*q.Stride():(id+1)*q.Stride()])
	}, nil
}
