package shard

import (
	"context"
	"fmt"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/rowlabels"
	"github.com/shale-search/shale/vector"
)

// latest leaves out each row whose label a later row has, as if the rows had been added one after another. Otherwise
// several shards might hold different rows with the same label.
func latest(src Source, labels []uint64) (Source, []uint64, error) {
	if len(labels) != src.Rows() {
		return nil, nil, fmt.Errorf("%d labels for %d rows", len(labels), src.Rows())
	}
	if err := hnsw.CheckLabels(labels); err != nil {
		return nil, nil, err
	}
	old, n := rowlabels.Superseded(labels)
	if n == 0 {
		return src, labels, nil
	}
	kept := make([]uint64, 0, len(labels)-n)
	for row, label := range labels {
		if !old.Has(row) {
			kept = append(kept, label)
		}
	}
	return &latestRows{src, old, len(kept)}, kept, nil
}

// latestRows is a source without some of its rows. The other rows are numbered without gaps.
type latestRows struct {
	Source
	old  rowlabels.Set
	rows int
}

func (s *latestRows) Rows() int { return s.rows }

func (s *latestRows) Blocks(ctx context.Context, fn func(first int, rows vector.Matrix) error) error {
	next := 0
	return s.Source.Blocks(ctx, func(first int, rows vector.Matrix) error {
		for lo := 0; lo < rows.Rows(); {
			if s.old.Has(first + lo) {
				lo++
				continue
			}
			hi := lo + 1
			for hi < rows.Rows() && !s.old.Has(first+hi) {
				hi++
			}
			if err := fn(next, rows.Slice(lo, hi)); err != nil {
				return err
			}
			next += hi - lo
			lo = hi
		}
		return nil
	})
}
