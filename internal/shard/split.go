package shard

import (
	"context"
	"fmt"
	"hash/maphash"
	"math"
	"slices"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/vector"
)

// mostRepeated is the largest number of distinct rows that splitRows keeps. It bounds memory.
const mostRepeated = 1 << 16

// splitRows keeps rows that are there repeatedly together: all that are equal try the same shards in the same order.
// Where one shard has no room for all of them each that holds some gets a centroid in their place, so that queries near
// them find all of these shards.
type splitRows struct {
	rows map[uint64]*repeatedRow // by a hash
}

type repeatedRow struct {
	order []uint32  // shards to try
	parts []uint32  // shards that hold some
	row   []float32 // kept once they are several
}

var splitSeed = maphash.MakeSeed()

// order is the order of shards in which the row's equals have been tried, or that which is given to it now.
func (s *splitRows) order(row []byte, order []uint32) []uint32 {
	hash := maphash.Bytes(splitSeed, row)
	if r := s.rows[hash]; r != nil {
		return r.order
	}
	if len(s.rows) < mostRepeated {
		if s.rows == nil {
			s.rows = map[uint64]*repeatedRow{}
		}
		s.rows[hash] = &repeatedRow{order: slices.Clone(order)}
	}
	return order
}

// note records that the i-th of rows goes to a shard.
func (s *splitRows) note(rows vector.Matrix, i int, part uint32) {
	r := s.rows[maphash.Bytes(splitSeed, rows.RowBytes(i))]
	if r == nil || slices.Contains(r.parts, part) {
		return
	}
	r.parts = append(r.parts, part)
	if r.row == nil && len(r.parts) > 1 {
		r.row = make([]float32, rows.Dim())
		rows.Decode(i, r.row)
	}
	if !slices.Contains(r.order, part) {
		r.order = append(r.order, part)
	}
}

// addTo adds centroids to the routing, in the place of the rows that several shards hold.
func (s *splitRows) addTo(ctx context.Context, r *router, threads int) error {
	var values []float32
	var labels []uint64
	for _, row := range s.split() {
		if r.index.Metric() == vector.L2 && r.normal {
			vector.Normalize(row.row)
		}
		for _, part := range row.parts {
			labels = append(labels, uint64(part)<<32|uint64(r.index.Len()+len(labels)))
			values = append(values, row.row...)
		}
	}
	if len(labels) == 0 {
		return nil
	}
	points, err := vector.Of(values, r.index.Dim())
	if err == nil {
		err = r.built.AddBatch(ctx, points, labels, hnsw.BatchOptions{Threads: threads})
	}
	if err == nil {
		err = r.built.Reorder()
	}
	if err != nil {
		return fmt.Errorf("route to rows that several shards hold: %w", err)
	}
	return nil
}

// split returns the rows that several shards hold, in an order that doesn't depend on their hashes.
func (s *splitRows) split() []*repeatedRow {
	var rows []*repeatedRow
	for _, r := range s.rows {
		if len(r.parts) > 1 {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b *repeatedRow) int { return slices.Compare(a.row, b.row) })
	return rows
}

// tiedCentroids is how many of the centroids nearest to a query are looked at for ones in the same place.
const tiedCentroids = 2 * fading

// together raises probes, the number of routes to follow, so that shards are probed together which hold equal rows near
// the query: they have centroids at the same distance. Those are moved to the front of the routes left.
func (f *finder) together(routes []route, probes int) int {
	near := f.near[:min(len(f.near), tiedCentroids)]
	for i := 1; i < len(near); i++ {
		if math.Float32bits(near[i].Distance) != math.Float32bits(near[i-1].Distance) {
			continue
		}
		for _, c := range near[i-1 : i+1] {
			part := uint32(c.Label >> 32)
			at := slices.IndexFunc(routes, func(r route) bool { return r.part == part })
			if at >= probes {
				routes[probes], routes[at] = routes[at], routes[probes]
				probes++
			}
		}
	}
	return probes
}
