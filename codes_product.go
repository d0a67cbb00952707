package shale

import (
	"context"
	"fmt"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/quant"
	"github.com/shale-search/shale/internal/quant/pq"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/vector"
)

// PQOptions are the settings of product quantization. The zero value of a field means its default.
type PQOptions struct {
	// Bits is the number of bits of a sub-vector: 8, or 4, which searches compare several times as fast. Default: 8.
	Bits int
	// Subvectors is the number of sub-vectors of a row. It must divide the number of dimensions. Default: as many as give
	// 4 bits a dimension.
	Subvectors int
	// Rotate trains a rotation of the rows after which the codes lose less (OPQ). Training takes longer.
	Rotate bool
}

func (o *PQOptions) codes() hnsw.Codes {
	c := hnsw.Codes{Kind: quant.Product, Bits: o.Bits, Subvectors: o.Subvectors, Rotated: o.Rotate}
	if c.Bits == 0 {
		c.Bits = 8
	}
	return c
}

// trainPQ sets the config's codebooks of product quantization, trained on a sample of the rows.
func trainPQ(ctx context.Context, sample vector.Matrix, c *hnsw.Config,
	threads int, progress func(done, total int)) error {
	seed := c.Seed
	if seed == 0 {
		seed = defaultSeed
	}
	q, err := pq.Train(ctx, sample, c.ProductConfig(), pq.TrainOptions{Seed: seed, Threads: threads, Progress: progress})
	if err != nil {
		return fmt.Errorf("train codes: %w", err)
	}
	c.Quantizer = q
	return nil
}

// defaultSeed is that of hnsw.Config.
const defaultSeed = 100

// productOf is what a manifest says about codes of product quantization.
func productOf(c hnsw.Config) *manifest.Product {
	if c.Codes.Kind != quant.Product {
		return nil
	}
	p := c.ProductConfig()
	return &manifest.Product{Subvectors: p.Subvectors, Bits: p.Bits, Rotated: p.Rotated}
}
