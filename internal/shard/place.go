package shard

import (
	"fmt"
	"math"
	"path/filepath"

	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/manifest"
)

// Plan says what of an index searches read from memory and what from disk.
type Plan struct {
	Shards       int
	RowsOnDisk   bool  // rows are read as a search needs them
	LinksOnDisk  bool  // links too, which lie beside the rows
	MappedShards int   // number of shards, the last ones, that are mapped; 0: all are in memory
	MemoryBytes  int64 // that the shards and the routing keep resident, approximately
	CacheBytes   int64 // of these, rows and links of elements near the entry points
	DiskBytes    int64 // that searches read from
	SearchBytes  int64 // of MemoryBytes, what the planned searches take beyond SearchMemory
	Threads      int   // maximum of a batch; 0: no bound
	Lanes        int   // maximum of queries in progress per thread; 0: no bound
}

// ArrayBytes returns the part of MemoryBytes that the arrays of the index take.
func (p Plan) ArrayBytes() int64 { return p.MemoryBytes - searchMemory - p.SearchBytes }

func (p Plan) String() string {
	switch {
	case p.LinksOnDisk:
		return fmt.Sprintf("codes in memory, %d MiB, of which %d MiB are rows and links near the entry points; the others "+
			"in blocks on disk, %d MiB",
			p.MemoryBytes>>20, p.CacheBytes>>20, p.DiskBytes>>20)
	case p.RowsOnDisk && p.MappedShards > 0:
		return fmt.Sprintf("links and codes mapped from disk; with rows, which are read apart, %d MiB", p.DiskBytes>>20)
	case p.RowsOnDisk:
		return fmt.Sprintf("links and codes in memory, %d MiB; rows on disk, %d MiB", p.MemoryBytes>>20, p.DiskBytes>>20)
	case p.MappedShards == 0:
		return fmt.Sprintf("all in memory, %d MiB", p.MemoryBytes>>20)
	case p.MappedShards == p.Shards:
		return fmt.Sprintf("mapped from disk, %d MiB", p.DiskBytes>>20)
	}
	return fmt.Sprintf("the first %d of %d shards in memory, %d MiB; the others mapped from disk, %d MiB",
		p.Shards-p.MappedShards, p.Shards, p.MemoryBytes>>20, p.DiskBytes>>20)
}

// SearchMemory is the number of bytes that searches need beside the index: for the program, its heap and buffers.
const SearchMemory = searchMemory

const searchMemory = 24 << 20

func planOpen(dir string, m *manifest.Manifest, o OpenOptions) (Plan, error) {
	switch {
	case o.Resident < 0:
		return Plan{}, fmt.Errorf("shard: %d shards in memory are not at least 0", o.Resident)
	case !o.Mapped && o.Resident > 0:
		return Plan{}, fmt.Errorf("shard: %d shards in memory are asked for, but the others aren't mapped", o.Resident)
	case !o.Mapped:
		return PlanSearch(dir, m, o.Memory, o.Load)
	case o.Resident > 0:
		return planMapped(m, min(o.Resident, len(m.Shards))), nil
	case o.Memory <= 0:
		p := planMapped(m, 0)
		p.RowsOnDisk = o.RowsApart
		return p, nil
	}
	p := Plan{}
	if !p.load(m, loadOf(m, o.Load), roundLanes, o.Memory-besideShards(m)) {
		return Plan{}, tooLittle(m, loadOf(m, o.Load), o.Memory)
	}
	return p.with(planMapped(m, fitting(m, o.Memory-p.SearchBytes))), nil
}

// load makes room for searches. It reports whether there is any.
func (p *Plan) load(m *manifest.Manifest, l SearchLoad, lanes int, room int64) (ok bool) {
	if p.Threads, p.Lanes, ok = l.share(m, lanes, room); ok {
		p.SearchBytes = l.searchBytes(m, p.Threads, p.Lanes)
	}
	return ok
}

// with returns the plan with the room for searches added.
func (p *Plan) with(o Plan) Plan {
	o.SearchBytes, o.Threads, o.Lanes = p.SearchBytes, p.Threads, p.Lanes
	o.MemoryBytes += p.SearchBytes
	return o
}

// tooLittle returns the error for memory that is smaller than any search needs.
func tooLittle(m *manifest.Manifest, l SearchLoad, memory int64) error {
	need := besideShards(m) + l.searchBytes(m, 1, 1)
	return fmt.Errorf("%w: searches for %d neighbours with an ef of %d need %d MiB beside what they read from disk, "+
		"%d MiB are allowed",
		ErrMemory, l.K, l.Ef, (need+1<<20-1)>>20, memory>>20)
}

// planMapped returns a plan that maps all but the first shards, and the routing too if not even one shard fits.
func planMapped(m *manifest.Manifest, resident int) Plan {
	p := Plan{Shards: len(m.Shards), MappedShards: len(m.Shards) - resident, MemoryBytes: besideShards(m)}
	for i, s := range m.Shards {
		if i < resident {
			p.MemoryBytes += s.Bytes
		} else {
			p.DiskBytes += s.Bytes
		}
	}
	if resident == 0 && m.Routing != nil {
		p.MemoryBytes -= m.Routing.Bytes
		p.DiskBytes += m.Routing.Bytes
	}
	return p
}

// besideShards returns the memory that searches take beside the shards, with the routing, the growing segment and the
// marks of dead rows in memory.
func besideShards(m *manifest.Manifest) int64 {
	n := int64(searchMemory)
	if m.Routing != nil {
		n += m.Routing.Bytes
	}
	if m.Growing != nil {
		n += m.Growing.Bytes
	}
	if m.Dead != nil {
		for _, s := range m.Shards {
			n += int64(s.Rows) / 8
		}
	}
	return n
}

// fitting returns how many of the first shards fit into memory beside everything else.
func fitting(m *manifest.Manifest, memory int64) int {
	room := memory - besideShards(m)
	for i, s := range m.Shards {
		if room -= s.Bytes; room < 0 {
			return i
		}
	}
	return len(m.Shards)
}

// PlanSearch picks which parts of the index are held in memory, so that they and the given searches fit into
// memory bytes; 0 means no bound. It holds everything; or links and codes, if a query then reads few rows; or
// codes alone, if links are stored in blocks beside rows; or else the first shards, and maps the others. It reads
// only the beginning of each shard.
func PlanSearch(dir string, m *manifest.Manifest, memory int64, searches SearchLoad) (Plan, error) {
	bounded := memory > 0
	if !bounded {
		memory = math.MaxInt64
	}
	l := loadOf(m, searches)
	// fits makes room for the searches beside bytes of the index, if it can.
	var p Plan
	fits := func(bytes int64, lanes int) bool {
		return !bounded || bytes <= memory && p.load(m, l, lanes, memory-bytes)
	}
	rest := besideShards(m)
	onDisk, hold := int64(0), int64(0)
	links, inBlocks, blocks := int64(0), int64(0), true // of shards that can be searched by codes: do all have blocks?
	for _, s := range m.Shards {
		info, err := store.Inspect(filepath.Join(dir, s.File))
		if err != nil {
			return Plan{}, err
		}
		vectors := int64(info.Count) * int64(info.RowStride)
		rest += s.Bytes - vectors
		if coded(info) {
			onDisk += vectors
			links += info.Section(store.Links0).Length
			if blocks = blocks && s.Blocks != nil; blocks {
				inBlocks += s.Blocks.Bytes
			}
		} else {
			hold += vectors
		}
	}
	switch all := rest + hold + onDisk; {
	case fits(all, roundLanes):
		return p.with(Plan{Shards: len(m.Shards), MemoryBytes: all}), nil
	case onDisk > 0 && fits(rest+hold, overlappedLanes):
		return p.with(Plan{Shards: len(m.Shards), RowsOnDisk: true, MemoryBytes: rest + hold, DiskBytes: onDisk}), nil
	case onDisk > 0 && blocks && fits(rest+hold-links, overlappedLanes):
		cache := min(memory-(rest+hold-links)-p.SearchBytes, inBlocks)
		return p.with(Plan{
			Shards: len(m.Shards), RowsOnDisk: true, LinksOnDisk: true, MemoryBytes: rest + hold - links + cache,
			CacheBytes: cache, DiskBytes: inBlocks,
		}), nil
	case !fits(besideShards(m), roundLanes):
		return Plan{}, tooLittle(m, l, memory)
	}
	return p.with(planMapped(m, fitting(m, memory-p.SearchBytes))), nil
}

// roundLanes is the number of queries that a thread has in progress if no rows are read from disk.
const roundLanes = 2

// coded reports whether searches can use a shard's codes while its rows stay on disk.
func coded(info store.Info) bool {
	return info.Config.Storage != rowtype.NoRows && info.Section(store.Codes).Length > 0
}
