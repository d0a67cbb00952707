package shard

import (
	"context"
	"fmt"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/quant"
	"github.com/shale-search/shale/internal/quant/pq"
	"github.com/shale-search/shale/vector"
)

// quickCodes are those of graphs that a build throws away or routes by: like c, but ones that need no codebooks.
func quickCodes(c hnsw.Codes) hnsw.Codes {
	if c.Kind == quant.Product {
		return hnsw.Codes{Kind: quant.RaBitQ, Bits: 4}
	}
	return c
}

// CodesOptions says how TrainCodes trains.
type CodesOptions struct {
	Config   hnsw.Config // of the shards
	Memory   int64       // most bytes of memory that the build uses; 0: no bound
	Threads  int         // 0: GOMAXPROCS
	Progress func(Progress)
}

// TrainCodes finds the codebooks of product quantization that all shards share, by a sample of all rows: estimates
// are then as good in small shards, and training takes as long for any number of them. Another call with the same
// rows and options returns the same ones. It returns the quantizer of o.Config, or nil, where codes need no
// training.
func TrainCodes(ctx context.Context, src Source, o CodesOptions) (*pq.Quantizer, error) {
	c := o.Config
	c.Dim = src.Dim()
	if c.Codes.Kind != quant.Product || c.Quantizer != nil {
		return c.Quantizer, nil
	}
	n := min(src.Rows(), pq.DefaultSample)
	if o.Memory > 0 {
		n = min(n, max(1024, int((o.Memory-buildMemory)/int64(trainCopies*4*c.Dim))))
	}
	data := make([]float32, n*c.Dim)
	err := spread{n, src.Rows()}.pick(ctx, src, c.Metric, func(i int, row []float32) error {
		copy(data[i*c.Dim:], row)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("sample rows to train codes: %w", err)
	}
	rows, err := vector.Of(data, c.Dim)
	if err != nil {
		return nil, err
	}
	q, err := pq.Train(ctx, rows, c.ProductConfig(), pq.TrainOptions{
		Seed: c.Seed, Threads: o.Threads,
		Progress: func(done, total int) { tell(o.Progress, "training codes", done, total) },
	})
	if err != nil {
		return nil, fmt.Errorf("train codes: %w", err)
	}
	return q, nil
}

// trainCopies is the largest number of copies of the sample's rows that training holds in memory.
const trainCopies = 4
