package shard

import (
	"cmp"
	"slices"
	"sync/atomic"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/request"
	"github.com/shale-search/shale/internal/workers"
	"github.com/shale-search/shale/search"
)

// firstRange is the number of rows that a range search asks for at first where rows lie on disk, and rangeGrowth by how
// much that grows as long as all of them are within the radius.
const (
	firstRange  = 128
	rangeGrowth = 4
)

// Range returns the rows within a radius of query (Dim values), in the metric's own distance, nearest first, ties by
// smaller label; if there are more than limit, the nearest. Copies of a row in several shards are one result.
func (x *Index) Range(query []float32, radius float32, limit int, o search.Options) ([]search.Neighbor, error) {
	limit = max(min(limit, x.most()), 1)
	if x.plan.RowsOnDisk || x.plan.LinksOnDisk {
		return x.rangeByK(query, radius, limit, o)
	}
	return x.rangeOfParts(query, radius, limit, o)
}

// rangeByK searches for more and more nearest rows, until those within the radius are among them. It reads of the disk
// what such searches read.
func (x *Index) rangeByK(query []float32, radius float32, limit int, o search.Options) ([]search.Neighbor, error) {
	var found []search.Neighbor
	var sum, once search.Stats
	stats := o.Stats
	o.Stats = &once
	for k := min(firstRange, limit); ; k = min(rangeGrowth*k, limit) {
		var err error
		if found, err = x.SearchInto(found[:0], query, k, o); err != nil {
			return nil, err
		}
		request.Add(&sum, &once)
		if k == limit || len(found) < k || found[k-1].Distance > radius {
			break
		}
	}
	if stats != nil {
		*stats = sum
	}
	return found[:within(found, radius)], nil
}

// within returns how many of found, which are sorted, lie within a radius.
func within(found []search.Neighbor, radius float32) int {
	n, _ := slices.BinarySearchFunc(found, radius, func(f search.Neighbor, radius float32) int {
		if f.Distance <= radius {
			return -1
		}
		return 1
	})
	return n
}

// rangeOfParts searches each shard by itself, on up to o.Threads goroutines.
func (x *Index) rangeOfParts(query []float32, radius float32, limit int,
	o search.Options) (found []search.Neighbor, err error) {
	x.using.RLock()
	defer x.using.RUnlock()
	if x.closed.Load() {
		return nil, hnsw.ErrClosed
	}
	defer x.nameFault(&err)
	x.settle(&o)
	parts, err := x.partsFor(query, o)
	if err != nil {
		return nil, err
	}
	r := &rangeSearch{x: x, query: query, radius: radius, limit: limit, o: o, parts: parts,
		of: make([]rangeOfPart, len(parts))}
	workers.Run(min(workers.Threads(max(o.Threads, 1), len(parts)), max(len(parts), 1)), r, (*rangeSearch).work)
	var sum search.Stats
	for i := range r.of {
		if r.of[i].err != nil {
			return nil, r.of[i].err
		}
		found = append(found, r.of[i].found...)
		request.Add(&sum, &r.of[i].stats)
	}
	if o.Stats != nil {
		*o.Stats = sum
	}
	return merged(found, limit, x.copies()), nil
}

// partsFor returns the shards that a range search looks into.
func (x *Index) partsFor(query []float32, o search.Options) ([]uint32, error) {
	l, err := x.takeLane()
	if err != nil {
		return nil, err
	}
	defer x.putLane(l)
	if err := l.bind(query, 1, &o); err != nil {
		return nil, err
	}
	if err := l.choose(&o); err != nil {
		return nil, err
	}
	return slices.Clone(l.parts), nil
}

// rangeSearch is a range search under way in several shards.
type rangeSearch struct {
	x      *Index
	query  []float32
	radius float32
	limit  int
	o      search.Options
	parts  []uint32
	of     []rangeOfPart // of each of parts
	next   atomic.Int64
}

type rangeOfPart struct {
	found []search.Neighbor
	stats search.Stats
	err   error
}

// work searches shards until there are none left.
func (r *rangeSearch) work() {
	for i := int(r.next.Add(1)) - 1; i < len(r.parts); i = int(r.next.Add(1)) - 1 {
		o, of := r.o, &r.of[i]
		o.Stats = &of.stats
		of.found, of.err = r.x.part(r.parts[i]).Range(r.query, r.radius, r.limit, o)
	}
}

// merged returns the limit nearest of found, sorted, each label once.
func merged(found []search.Neighbor, limit int, copies bool) []search.Neighbor {
	nearer := func(a, b search.Neighbor) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Label, b.Label))
	}
	slices.SortFunc(found, nearer)
	if copies {
		seen := make(map[uint64]bool, len(found))
		found = slices.DeleteFunc(found, func(f search.Neighbor) bool {
			again := seen[f.Label]
			seen[f.Label] = true
			return again
		})
	}
	return found[:min(len(found), limit)]
}
