package hnsw

import (
	"math"
	"slices"

	"github.com/shale-search/shale/vector"
)

// selectDiverse picks at most m links of element of among the candidates near, which are sorted, by the HNSW paper's
// heuristic (algorithm 4): one is kept if it is nearer to the element than to each one kept before.
func (s *searcher) selectDiverse(of uint32, near []key, m int) []uint32 {
	in := &s.insert
	in.picked = in.picked[:0]
	if len(near) < m {
		for _, k := range near {
			in.picked = append(in.picked, k.id())
		}
		return in.picked
	}
	return s.extendDiverse(of, near, m)
}

// extendDiverse goes on picking from near until m are picked.
func (s *searcher) extendDiverse(of uint32, near []key, m int) []uint32 {
	in := &s.insert
	if in.angles.on {
		s.beginAngles(of)
	}
	for _, k := range near {
		if len(in.picked) == m {
			break
		}
		s.rows.BindRow(k.id())
		switch {
		case !in.angles.on:
			if s.diverse(k.distance()) {
				in.picked = append(in.picked, k.id())
			}
		case s.diverseByAngle(k):
			in.picked = append(in.picked, k.id())
			in.angles.scales = append(in.angles.scales, s.scale(k.id()))
		}
	}
	return in.picked
}

// diverseStep is how many of those picked are looked at together: few enough that little is
// computed after the answer is known.
const diverseStep = 4

// diverse reports whether the row bound now is at least d from each element picked.
func (s *searcher) diverse(d float32) bool {
	in, alike := &s.insert, 0
	in.dist = slices.Grow(in.dist[:0], diverseStep)[:diverseStep]
	for at := 0; at < len(in.picked); at += diverseStep {
		ids := in.picked[at:min(at+diverseStep, len(in.picked))]
		s.rows.Score(ids, in.dist)
		for _, v := range in.dist[:len(ids)] {
			if v <= in.alike {
				alike++
			}
			if v < d || alike == alikeLinks {
				return false
			}
		}
	}
	return true
}

const (
	// alikeDistance is the cosine distance up to which float32 can't tell rows from each other: 1 minus a product close to
	// 1 keeps 24 bits, and the sum that makes the product is off by a few of the last. Rows of a group closer together
	// than that all seem equally near, so that none would rule out another, and no link would leave the group.
	alikeDistance = 0x1p-21
	// alikeLinks is the number of links to rows that can't be told from each other.
	alikeLinks = 4
)

// alikeUpTo returns the distance up to which the metric can't tell rows from each other; -Inf if it tells all.
func (c *Config) alikeUpTo() float32 {
	if c.Metric == vector.Cosine && c.Custom == nil {
		return alikeDistance
	}
	return float32(math.Inf(-1))
}

// angles lets links be chosen by directions where the metric is the inner product. By its distances a long row is
// nearer to most rows than they are to each other: it would be the only link of each, and short rows could hardly be
// reached. So candidates come by inner product, and one is kept if its angle to the element is smaller than those to
// each one kept before. Rows of one length are chosen as by distance.
type angles struct {
	on     bool
	own    float32   // 1 / the length of the element's row
	scales []float32 // the same of each one picked
	one    [1]uint32
	dist   [1]float32
}

// scale is 1 / the length of element id's row, which is bound; 0 of a row of zeros.
func (s *searcher) scale(id uint32) float32 {
	a := &s.insert.angles
	a.one[0] = id
	s.rows.Score(a.one[:], a.dist[:])
	square := 1 - float64(a.dist[0])
	if square <= 0 {
		return 0
	}
	return float32(1 / math.Sqrt(square))
}

// beginAngles measures element of and those picked already.
func (s *searcher) beginAngles(of uint32) {
	a := &s.insert.angles
	s.rows.BindRow(of)
	a.own = s.scale(of)
	a.scales = a.scales[:0]
	for _, id := range s.insert.picked {
		s.rows.BindRow(id)
		a.scales = append(a.scales, s.scale(id))
	}
}

// diverseByAngle reports whether candidate k, whose row is bound now, is at least as near in direction to the element
// as to each one picked.
func (s *searcher) diverseByAngle(k key) bool {
	in, alike := &s.insert, 0
	own := (1 - k.distance()) * in.angles.own
	in.dist = slices.Grow(in.dist[:0], diverseStep)[:diverseStep]
	for at := 0; at < len(in.picked); at += diverseStep {
		ids := in.picked[at:min(at+diverseStep, len(in.picked))]
		s.rows.Score(ids, in.dist)
		for i, v := range in.dist[:len(ids)] {
			angle := (1 - v) * in.angles.scales[at+i]
			if angle > own*(1-alikeDistance) && angle*s.scale(k.id()) >= 1-alikeDistance {
				alike++
			}
			if angle > own || alike == alikeLinks {
				return false
			}
		}
	}
	return true
}
