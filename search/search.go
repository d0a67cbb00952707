// Package search is the vocabulary of a query: what to look for, how hard to look, and what was found. Every index of
// Shale, of one graph or of many shards, takes the same Options and gives the same Neighbors.
//
//	found, err := index.Search(query, 10, search.Options{Ef: 200, Filter: search.FilterLabels(3, 5, 8)})
package search

import "math"

// Neighbor is one result of a search.
type Neighbor struct {
	Label    uint64
	Distance float32 // by the index's metric; smaller is nearer
}

// NoLabel is the label in Results where nothing was found. No row may have it.
const NoLabel = math.MaxUint64

// Options controls a search. The zero value searches all rows as hard as the index was tuned to.
type Options struct {
	// Ef is the number of candidates that a walk holds: more find more of the true neighbours and take longer. It is
	// raised to k and cut to the number of rows. Default: the index's tuned ef, or 100.
	Ef int
	// Slack ends a walk before it has come to the end of its Ef candidates: at the first candidate farther than 1 + Slack
	// times the k-th nearest, so that easy queries take less time than hard ones. About 0.05 to 0.25. It has no effect
	// with the metric ip or a Distance of one's own, a filter, deleted rows or a Stop. Default: the tuned one where Ef is
	// left to the index too, otherwise none. (Distance-adaptive beam search, Al-Jazzazi et al., 2025.)
	Slack float32
	// Rerank is the number of candidates found by codes that are ranked by their rows, at least k. Default: as many as
	// may be among the k nearest, given how far their estimates may be off. It has no effect on an index without codes,
	// or without rows.
	Rerank int

	// Filter selects the labels that a search may return. Default: all.
	Filter *Filter
	// Filters gives each query of a batch its own filter, in place of Filter.
	Filters []*Filter
	// Stop decides which results to hold and when the walk ends, in place of k. It serves one search of one graph in
	// memory, mapped or not: batches, indexes of several shards and those with rows on disk refuse it.
	Stop *Stop
	// Exact computes the distance of every row that may be returned, in place of a walk. Searches do so by themselves
	// where that is less work, and where a walk finds fewer than k rows though there are more. All shards are searched,
	// unless Probes, Share or Shards say otherwise. Rows on disk are read from front to back.
	Exact bool

	// Probes is the number of shards to search, those that seem to hold most of the query's neighbours. Default: as
	// many as Share calls for.
	Probes int
	// Share is the share of a query's true neighbours, from 0 to 1, that the shards searched should hold; each query
	// gets as many shards as it needs. Default: the tuned share where Ef is left to the index too, otherwise
	// 0.98; with a filter all shards are searched, since the rows allowed may be far from the query.
	Share float64
	// Shards are the numbers of the shards to search, in place of Probes and Share. Numbers that no shard has are skipped.
	Shards []uint32
	// Independent lets the walk in each shard go on as its Ef says, rather than end it where it is farther from the query
	// than what other shards have found. That takes longer, finds a little more, and gives the same results whatever the
	// order in which the shards are searched.
	Independent bool

	// Threads is the most goroutines that a call may use. A batch shares its queries among them; where there are
	// fewer queries, or only one, they share the shards of each query. Default: GOMAXPROCS for a batch, 1 for a
	// single query.
	Threads int
	// Stats is filled in with what the search did, or the queries of a batch together, if not nil.
	Stats *Stats
}

// Effort is how hard an index searches where the options leave it open.
type Effort struct {
	Ef    int
	Slack float32
	Share float64 // of an index of several shards; 0: 0.98
}

// Stats counts what searches did.
type Stats struct {
	Distances int // distances computed by walks: estimates, where the index has codes
	Reranked  int // exact distances computed after walks
	Hops      int // nodes expanded on level 0
	// distances of all allowed rows were computed in place of a walk, for every query of a batch, which has one at least;
	// not set by several shards
	Exact  bool
	Probes int   // shards searched
	Reads  int   // reads of rows or links from disk
	Bytes  int64 // bytes that these read
}
