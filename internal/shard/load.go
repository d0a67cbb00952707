package shard

import (
	"cmp"
	"runtime"

	"github.com/shale-search/shale/internal/request"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/vector"
)

// SearchLoad is what searches to come take beside the index. The zero value is that of short searches.
type SearchLoad struct {
	K       int   // neighbours a query; default 10
	Ef      int   // default: what was tuned, or that of hnsw
	Threads int   // that search; default GOMAXPROCS
	Queries int   // whose results are held at a time
	Bytes   int64 // that the caller needs: queries, filters and the like
}

const (
	// shortLoad is what searches take that searchMemory counts already.
	shortLoad = 4 << 20
	// resultBytes are a neighbour's: a label, a distance, and the count of a query's.
	resultBytes = 8 + 4 + 8
	defaultK    = 10
)

// loadOf fills in the defaults and cuts down what the index can't give.
func loadOf(m *manifest.Manifest, l SearchLoad) SearchLoad {
	ef := request.DefaultEf
	if m.Tuned != nil {
		ef = m.Tuned.Ef
	}
	stored := 0
	for _, s := range m.Shards {
		stored += s.Rows
	}
	if m.Growing != nil {
		stored += m.Growing.Rows
	}
	stored = max(stored, 1)
	l.K = min(cmp.Or(l.K, defaultK), stored)
	l.Ef = min(max(cmp.Or(l.Ef, ef), l.K), stored)
	if l.Threads <= 0 {
		l.Threads = runtime.GOMAXPROCS(0)
	}
	return l
}

// held are the bytes that don't depend on how many queries are under way.
func (l SearchLoad) held() int64 { return l.Bytes + int64(l.Queries)*int64(l.K)*resultBytes }

// laneBytes are those of a query under way: the walks of all shards, candidates, and rows that were read.
func (l SearchLoad) laneBytes(m *manifest.Manifest) int64 {
	size := int64(2*batchRows*(rowtype.Size(vector.Float32, m.Dim)+64) + 64*l.K)
	for _, s := range m.Shards {
		ef, links := int64(min(l.Ef, s.Rows)), int64(2*max(m.M, 2))
		met := min(int64(s.Rows), ef*links)
		size += 32*ef + 8*met + int64(s.Rows)/8 + 4096
	}
	return size
}

// searchBytes are those that searches take of what memory holds beside the index, where a number of threads have a
// number of queries under way each.
func (l SearchLoad) searchBytes(m *manifest.Manifest, threads, lanes int) int64 {
	return max(0, l.held()+int64(threads)*int64(lanes)*l.laneBytes(m)-shortLoad)
}

// share picks how many threads search, and how many queries each has under way, in bytes of memory: as many as fit,
// fewer queries rather than fewer threads. It reports false where not even one query fits.
func (l SearchLoad) share(m *manifest.Manifest, lanes int, room int64) (threads, under int, ok bool) {
	for threads = l.Threads; threads > 0; threads /= 2 {
		for under = lanes; under > 0; under-- {
			if l.searchBytes(m, threads, under) <= room {
				return threads, under, true
			}
		}
	}
	return 0, 0, false
}
