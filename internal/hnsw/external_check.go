package hnsw

import (
	"errors"
	"math/rand/v2"

	"github.com/shale-search/shale/vector"
)

// ErrOtherRows reports rows that aren't those a graph was built of, or not in their order.
var ErrOtherRows = errors.New("the links don't lead to near rows: these aren't the rows that the graph was built of, or not in their order")

// Links lead to near rows. Of rows that belong to another graph, or come in another order, half are as near as those picked by
// chance: so few elements tell.
const (
	fitLeast   = 128 // elements; below, near rows are hardly nearer than others
	fitSample  = 64  // elements tested
	fitAtOnce  = 12  // if all of the first so many are in order, the others are taken to be: 1 in 4,096 by chance
	fitShare   = 0.75
	fitCompare = 3 // links and other elements an element
)

// checkFit tests that links of g lead to rows nearer than others. The caller guards against faults.
func (c *Config) checkFit(g *graph, n int, rows vector.Matrix) error {
	if n < fitLeast {
		return nil
	}
	scorer, err := vector.NewRowScorer(rows, c.Metric, c.Custom)
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(uint64(n), 1))
	var links []uint32
	tested, near := 0, 0
	for range fitSample {
		id := uint32(random.IntN(n))
		links = g.sound(g.links(id, links[:0]))
		if links = links[:min(len(links), fitCompare)]; len(links) == 0 {
			continue
		}
		scorer.BindRow(id)
		linked := distanceTo(scorer, links)
		for i := range links {
			links[i] = uint32(random.IntN(n))
		}
		if tested++; linked <= distanceTo(scorer, links) {
			near++
		}
		if near == fitAtOnce && tested == fitAtOnce {
			return nil
		}
	}
	if float64(near) < fitShare*float64(tested) {
		return ErrOtherRows
	}
	return nil
}

// distanceTo is the sum of the distances to some elements.
func distanceTo(scorer *vector.RowScorer, ids []uint32) (sum float32) {
	var out [fitCompare]float32
	scorer.Score(ids, out[:])
	for _, d := range out[:len(ids)] {
		sum += d
	}
	return sum
}
