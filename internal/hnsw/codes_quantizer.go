package hnsw

import (
	"context"
	"fmt"

	"github.com/shale-search/shale/internal/quant"
	"github.com/shale-search/shale/internal/quant/pq"
	"github.com/shale-search/shale/vector"
)

// Codes says what small codes walks read. The zero value means none: they read the rows.
type Codes struct {
	Kind quant.Kind
	// Bits a dimension, 1, 2, 3, 4 or 8; of product quantization those of a sub-vector, 4 or 8. 0: no codes.
	Bits int

	// Of product quantization only:

	Subvectors int  // a row, a divisor of its dimensions; 0: as many as make codes of 4 bits a dimension
	Rotated    bool // whether rows are rotated first, which training then finds as well
}

// withDefaults fills in the number of sub-vectors.
func (c Codes) withDefaults(dim int) Codes {
	if c.Kind != quant.Product || c.Subvectors != 0 {
		return c
	}
	c.Subvectors = dim
	if c.Bits == 8 && dim%2 == 0 {
		c.Subvectors = dim / 2
	}
	return c
}

// ProductConfig returns what Quantizer must be made with, where Codes asks for product quantization.
func (c *Config) ProductConfig() pq.Config {
	k := c.Codes.withDefaults(c.Dim)
	return pq.Config{Dim: c.Dim, Metric: c.Metric, Subvectors: k.Subvectors, Bits: k.Bits,
		Rotated: k.Rotated}.WithDefaults()
}

func (c *Config) grid() quant.Config {
	return quant.Config{Dim: c.Dim, Metric: c.Metric, Kind: c.Codes.Kind, Bits: c.Codes.Bits, Seed: c.Seed}
}

// checkCodes tests what Codes and Quantizer ask for.
func (c *Config) checkCodes() error {
	switch {
	case c.Codes.Bits == 0 && c.Quantizer != nil:
		return fmt.Errorf("hnsw: a quantizer for an index without codes")
	case c.Codes.Bits == 0:
		return nil
	case c.Custom != nil:
		return fmt.Errorf("hnsw: codes can't estimate the distances of a custom metric")
	case c.Codes.Kind == quant.Product && c.Quantizer != nil && c.Quantizer.Config() != c.ProductConfig():
		return fmt.Errorf("hnsw: a quantizer of %+v for codes of %+v", c.Quantizer.Config(), c.ProductConfig())
	case c.Codes.Kind == quant.Product:
		return c.ProductConfig().Check()
	case c.Quantizer != nil || c.Codes.Subvectors != 0 || c.Codes.Rotated:
		return fmt.Errorf("hnsw: %v codes have no sub-vectors, rotation or quantizer of product quantization", c.Codes.Kind)
	}
	_, err := quant.New(c.grid(), make([]float32, c.Dim))
	return err
}

// CodeStride returns the bytes of an element's code, 0 where there are none.
func (c *Config) CodeStride() int {
	switch {
	case c.Codes.Bits == 0:
		return 0
	case c.Codes.Kind == quant.Product:
		return c.ProductConfig().Stride()
	}
	return quant.Stride(c.Dim, c.Codes.Bits)
}

// codeBytes returns the bytes that the codes of a number of elements take.
func (c *Config) codeBytes(elements int) int {
	if c.Codes.Kind == quant.Product {
		return elements * c.ProductConfig().Stride()
	}
	return quant.Bytes(c.Dim, c.Codes.Bits, elements)
}

// QuantizerValues returns the length of Image.Quantizer.
func (c *Config) QuantizerValues() int {
	switch {
	case c.Codes.Bits == 0:
		return 0
	case c.Codes.Kind == quant.Product:
		return c.ProductConfig().Params()
	}
	return c.Dim
}

// quantizer makes codes. There is one kind of it for each package that does: an index has one of them, chosen once.
type quantizer interface {
	Stride() int
	Bytes(rows int) int

	values() []float32                                // for newQuantizer
	scorer(old codeScorer, codes []byte) codeScorer   // old, if it is of this kind, or a new one
	encoder() codeEncoder                             // for one goroutine
	stale(x *Index, rows vector.Matrix) (bool, error) // whether rows are no longer those it was trained on
}

// codeScorer scores codes against a query.
type codeScorer interface {
	rowScorer
	Bind(query []float32)
	// Bound is how far an estimate may be off, for element id.
	Bound(id uint32, estimate float32) float32
}

type codeEncoder interface {
	Encode(code []byte, vec []float32)
	Decode(vec []float32, code []byte)
}

// newQuantizer makes a quantizer of what values gave; zeros stand for one that is not trained.
func (c *Config) newQuantizer(values []float32) (quantizer, error) {
	if c.Codes.Kind == quant.Product {
		q, err := pq.Restore(c.ProductConfig(), values)
		return products{q}, err
	}
	q, err := quant.New(c.grid(), values)
	return grids{q}, err
}

// train makes a quantizer for an index of the rows of all parts.
func (x *Index) train(ctx context.Context, progress func(done, total int), parts ...vector.Matrix) (quantizer, error) {
	if x.cfg.Codes.Kind == quant.Product {
		return x.trainProducts(ctx, progress, parts)
	}
	s := sampler{cfg: &x.cfg, row: make([]float32, x.cfg.Dim)}
	for _, rows := range parts {
		s.add(rows)
	}
	return x.cfg.newQuantizer(s.mean())
}

// reused returns old if it is a scorer of type S, or else a new one.
func reused[S any](old codeScorer) *S {
	if s, ok := any(old).(*S); ok {
		return s
	}
	return new(S)
}

// grids are the codes of package quant.
type grids struct{ *quant.Quantizer }

func (g grids) values() []float32    { return g.Center() }
func (g grids) encoder() codeEncoder { return g.NewEncoder() }

func (g grids) scorer(old codeScorer, codes []byte) codeScorer {
	s := reused[quant.Scorer](old)
	s.Reset(g.Quantizer, codes)
	return s
}

func (g grids) stale(x *Index, rows vector.Matrix) (bool, error) {
	s := sampler{cfg: &x.cfg, row: make([]float32, x.cfg.Dim)}
	s.add(rows)
	return s.drift(g.Center(), s.mean()) >= driftShare, nil
}

// products are the codes of package pq.
type products struct{ *pq.Quantizer }

func (p products) values() []float32    { return p.Params() }
func (p products) encoder() codeEncoder { return p.NewEncoder() }

func (p products) scorer(old codeScorer, codes []byte) codeScorer {
	s := reused[pq.Scorer](old)
	s.Reset(p.Quantizer, codes)
	return s
}

// lossShare is how much more codes may lose of the rows that are there now than of those they were trained on:
// codebooks of few rows lose more of others, and rows may have drifted.
const lossShare = 1.1

func (p products) stale(x *Index, rows vector.Matrix) (bool, error) {
	if x.cfg.Quantizer != nil {
		return false, nil
	}
	now, err := p.WithErrors(context.Background(), rows)
	if err != nil {
		return false, err
	}
	return now.Errors().Distortion > lossShare*p.Errors().Distortion, nil
}

// trainProducts trains codebooks on a sample of all parts.
func (x *Index) trainProducts(ctx context.Context, progress func(done, total int),
	parts []vector.Matrix) (quantizer, error) {
	if x.cfg.Quantizer != nil {
		return products{x.cfg.Quantizer}, nil
	}
	rows, err := joined(parts, pq.DefaultSample)
	if err != nil {
		return nil, err
	}
	q, err := pq.Train(ctx, rows, x.cfg.ProductConfig(), pq.TrainOptions{Seed: x.cfg.Seed, Progress: progress})
	return products{q}, err
}

// joined returns the rows of all parts or, where there are more than the limit, about that many, spread evenly.
func joined(parts []vector.Matrix, most int) (vector.Matrix, error) {
	total, last := 0, vector.Matrix{}
	for _, m := range parts {
		if total += m.Rows(); m.Rows() > 0 {
			last = m
		}
	}
	if last.Rows() == total {
		return last, nil
	}
	step := (total + most - 1) / most
	data := make([]float32, 0, (total/step+len(parts))*last.Dim())
	row := make([]float32, last.Dim())
	for _, m := range parts {
		for i := 0; i < m.Rows(); i += step {
			m.Decode(i, row)
			data = append(data, row...)
		}
	}
	return vector.Of(data, last.Dim())
}
