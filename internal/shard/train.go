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

// train finds the codebooks of product quantization that all shards share, by a sample of all rows: estimates are then
// as good in small shards, and training takes as long for any number of them. A build that goes on finds the same ones
// again.
func (b *builder) train(ctx context.Context) error {
	c := &b.o.Config
	if c.Codes.Kind != quant.Product || c.Quantizer != nil {
		return nil
	}
	n := min(b.src.Rows(), pq.DefaultSample)
	if b.o.Memory > 0 {
		n = min(n, max(1024, int((b.o.Memory-buildMemory)/int64(trainCopies*4*c.Dim))))
	}
	data := make([]float32, n*c.Dim)
	err := spread{n, b.src.Rows()}.pick(ctx, b.src, c.Metric, func(i int, row []float32) error {
		copy(data[i*c.Dim:], row)
		return nil
	})
	if err != nil {
		return fmt.Errorf("sample rows to train codes: %w", err)
	}
	rows, err := vector.Of(data, c.Dim)
	if err != nil {
		return err
	}
	q, err := pq.Train(ctx, rows, c.ProductConfig(), pq.TrainOptions{
		Seed: c.Seed, Threads: b.o.Threads, Progress: func(done, total int) { b.told("training codes", done, total) },
	})
	if err != nil {
		return fmt.Errorf("train codes: %w", err)
	}
	c.Quantizer = q
	return nil
}

// trainCopies is how many times training holds the rows of the sample, at most.
const trainCopies = 4
