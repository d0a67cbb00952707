package shard

import (
	"context"

	"github.com/shale-search/shale/internal/labelset"
	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// An exact search of rows on disk reads all of them, from front to back. By codes alone it might miss one: their error
// bounds hold with great likelihood, no more.

// rowsApart reports whether rows stay on disk while codes are in memory.
func (x *Index) rowsApart() bool { return x.plan.RowsOnDisk || x.plan.LinksOnDisk }

// answerExactly compares the query with all rows of the shards chosen.
func (l *lane) answerExactly(query []float32, k int, o *search.Options) error {
	if err := l.bind(query, k, o); err != nil {
		return err
	}
	if err := l.choose(o); err != nil {
		return err
	}
	l.candidates.reset(l.k, 0, l.x.copies(), l.walks.within)
	for _, i := range l.parts {
		err := l.x.part(i).eachVector(context.Background(), nil, func(labels []uint64, rows vector.Matrix) error {
			return l.compare(labels, rows, (*labelset.Set)(o.Filter))
		})
		if err != nil {
			return err
		}
	}
	l.clamp()
	l.stats.Probes, l.stats.Exact = len(l.parts), true
	return nil
}

// compare offers rows that are allowed as results.
func (l *lane) compare(labels []uint64, rows vector.Matrix, allowed *labelset.Set) error {
	s, err := score.New(rows, l.x.metric, nil)
	if err != nil {
		return err
	}
	copy(s.Query(), l.query)
	s.BindOwn()
	for first := 0; first < len(labels); first += batchRows {
		l.ids = l.ids[:0]
		for i := first; i < min(first+batchRows, len(labels)); i++ {
			if allowed == nil || allowed.Contains(labels[i]) {
				l.ids = append(l.ids, uint32(i))
			}
		}
		s.Score(l.ids, l.dist)
		l.stats.Distances += len(l.ids)
		for at, id := range l.ids {
			if !l.candidates.copies || !l.known(labels[id], nil) {
				l.offer(labels[id], l.dist[at])
			}
		}
	}
	return nil
}
