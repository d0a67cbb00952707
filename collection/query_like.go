package collection

import (
	"cmp"
	"math"

	"github.com/shale-search/shale/internal/payload"
)

// noDocument is no number of a document.
const noDocument = math.MaxUint64

const (
	defaultGroupSize = 3
	mostGroupSize    = 10_000
)

// setCounts checks the numbers of a query and sets those that were left out.
func (s *searcher) setCounts() (err error) {
	switch {
	case s.K < 0:
		return invalidf("k is %d, below 0", s.K)
	case s.Offset < 0:
		return invalidf("the offset is %d, below 0", s.Offset)
	case s.GroupSize < 0 || s.GroupSize > mostGroupSize:
		return invalidf("the group size is %d, 0 to %d are allowed", s.GroupSize, mostGroupSize)
	case s.MaxDistance != nil && math.IsNaN(float64(*s.MaxDistance)):
		return invalidf("the largest distance is no number")
	}
	documents := max(1, int(s.documents))
	s.K, s.Offset = min(cmp.Or(s.K, defaultK), documents), min(s.Offset, documents)
	s.GroupSize = cmp.Or(s.GroupSize, defaultGroupSize)
	if s.GroupBy == "" {
		return nil
	}
	if s.group, err = payload.ParsePath(s.GroupBy); err != nil {
		return invalidf("groups: %w", err)
	}
	return nil
}

// addLike makes queries of the vectors of the documents in Like.
func (s *searcher) addLike() error {
	near := append([][]float32(nil), s.Near...)
	for range near {
		s.own = append(s.own, noDocument)
	}
	for _, id := range s.Like {
		n, found, err := s.numberOf(id)
		if err != nil {
			return err
		}
		if !found {
			return invalidf("there is no document with id %s to find others like it", id)
		}
		record, err := s.record(n)
		if err != nil {
			return err
		}
		if record.vectors&(1<<s.vector) == 0 {
			return invalidf("the document with id %s has no vector %q", id, s.c.schema.Vectors[s.vector].Name)
		}
		at := s.viewOf(n)
		if at < 0 {
			return damaged(s.c.dir, keyOfNumber(documentKey, n), "no segment has the document")
		}
		row, err := s.row(s.views[at], s.vector, n)
		if err != nil {
			return err
		}
		near, s.own = append(near, row), append(s.own, n)
	}
	s.Near = near
	return nil
}
