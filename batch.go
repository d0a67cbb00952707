package shale

import (
	"context"
	"errors"

	"github.com/shale-search/shale/internal/hnsw"
)

// BatchOptions says how to search for many queries.
type BatchOptions struct {
	SearchOptions
	Filters []*Filter // one for each query, in place of Filter; nil: Filter for all
	Threads int       // default GOMAXPROCS
}

// SearchBatchInto is SearchBatch that writes to out, which has room for out.K results a query.
func (x *Index) SearchBatchInto(ctx context.Context, queries Matrix, out *Results, o BatchOptions) error {
	if err := errors.Join(checkThreads(o.Threads), o.check()); err != nil {
		return err
	}
	if x.shards != nil {
		filtered := o.Filter != nil || o.Filters != nil
		return x.shards.SearchBatchInto(ctx, queries, out, o.Threads, o.Filters, x.shardOptions(o.SearchOptions, filtered))
	}
	return x.graph.SearchBatchInto(ctx, queries, out, hnsw.BatchSearchOptions{
		SearchOptions: x.options(o.SearchOptions), Filters: o.Filters, Threads: o.Threads,
	})
}
