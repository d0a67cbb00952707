package hnsw

import (
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/vector"
)

// Distances returns the distances between each of queries and the rows of its labels, as searches return them. Those of
// a query end before the first label that no element has. Where no rows are kept it returns nil. Changes wait
// meanwhile.
func (x *Index) Distances(queries vector.Matrix, labels [][]uint64) (all [][]float32, err error) {
	places := map[uint64]uint32{} // an element's number and 1
	for _, of := range labels {
		for _, l := range of {
			places[l] = 0
		}
	}
	err = x.WithImage(func(m *Image) error {
		if m.Rows.Type() == rowtype.NoRows {
			return nil
		}
		for id, l := range m.Labels {
			if _, ok := places[l]; ok {
				places[l] = uint32(id) + 1
			}
		}
		s, err := score.New(m.Rows, m.Config.Metric, m.Config.Custom)
		if err != nil {
			return err
		}
		all = make([][]float32, len(labels))
		for q, of := range labels {
			var ids []uint32
			for _, l := range of {
				if places[l] == 0 {
					break
				}
				ids = append(ids, places[l]-1)
			}
			queries.Decode(q, s.Query())
			if m.Config.Metric == vector.Cosine {
				vector.Normalize(s.Query())
			}
			s.BindOwn()
			all[q] = make([]float32, len(ids))
			s.Score(ids, all[q])
		}
		return nil
	})
	return all, err
}
