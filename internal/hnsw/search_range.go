package hnsw

import "github.com/shale-search/shale/search"

// Range returns the elements within a radius of query (dim values), in the metric's own distance, nearest first, ties
// by smaller label; if there are more than limit, the nearest. o.Ef is what the walk holds at least before it ends, so
// that it finds no fewer elements within the radius than Search with that Ef.
func (r *Reader) Range(query []float32, radius float32, limit int, o search.Options) ([]search.Neighbor, error) {
	o.Stop = search.Radius(radius, 0, min(limit, r.Len()))
	return r.SearchInto(nil, query, 0, o)
}
