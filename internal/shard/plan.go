package shard

import (
	"fmt"
	"hash/crc32"
	"unsafe"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/store/blocks"
)

// BuildPlan says what a build will do, and how much memory and disk it needs.
type BuildPlan struct {
	Shards      int
	ShardRows   int   // of the largest shard
	SampleRows  int   // number of rows of the sample that is divided
	MemoryBytes int64 // about, at the peak
	DiskBytes   int64 // at the peak, beside the input
	IndexBytes  int64 // of the finished index
	Copies      float64
}

const (
	// buildMemory is the memory that a build needs besides rows: for the program, blocks of the input and heap garbage.
	buildMemory = 96 << 20
	// mostSample is the number of rows of a sample if memory allows for more.
	mostSample = 400_000
	// skew is how much larger than the mean a shard may be.
	skew = 1.3
	// filled is how full a shard may get where copies are shared out, whose number is estimated from the sample.
	filled = 1.29
	// even and evenWithCopies are how much larger than the mean a shard's share of the sample may be: less than skew,
	// since rows beyond the sample fall as they do. Copies fill the room that is left, and the more there is the better
	// they lie.
	even           = 1.25
	evenWithCopies = 1.1
)

const (
	// inboundBytes, mapBytes and tableBytes are what a row takes only while a graph grows: the count of links that lead to
	// it, its entry in the map of labels, and in the table of rows, which has 3 slots of 8 bytes a row just after it has
	// grown, beside the old one with 1.5.
	inboundBytes = 4
	mapBytes     = 26
	tableBytes   = 36
	// labelBytes is the memory for the label of a row outside the index, and for the copy that is sorted to find repeats.
	labelBytes = 16
)

// rowBytes returns the bytes of memory for a row of a growing graph.
func rowBytes(c hnsw.Config) int64 { return fileBytes(c) + inboundBytes + mapBytes + tableBytes }

// fileBytes returns the bytes of a row in the file of an index.
func fileBytes(c hnsw.Config) int64 {
	m := c.M
	if m == 0 {
		m = 16
	}
	size := int64(2*m*4+m*4/max(m-1, 1)) + 8 + 4 + 1 + 1
	size += int64(rowtype.Size(c.Storage, c.Dim)+63) &^ 63
	return size + int64(c.CodeStride())
}

// sampleRowBytes returns the bytes of memory for a row of the sample, including its lists of neighbours.
func sampleRowBytes(c hnsw.Config) int64 {
	return rowBytes(sampleConfig(c, 0)) + 4*divideNeighbors + 16*divideNeighbors + 24
}

// besideRows returns the bytes of memory that a build needs besides the rows of a shard or a sample.
func (o *BuildOptions) besideRows() int64 { return buildMemory + labelBytes*int64(len(o.Labels)) }

// PlanGraph returns the plan for building one graph of all rows at once. It counts attached rows as memory, since the
// build reads all of them.
func PlanGraph(src Source, o BuildOptions) (BuildPlan, error) {
	o.Config.Dim = src.Dim()
	if err := o.Config.Check(); err != nil {
		return BuildPlan{}, err
	}
	rows := int64(src.Rows())
	p := BuildPlan{Shards: 1, ShardRows: src.Rows(), Copies: 1}
	p.MemoryBytes = o.besideRows() + rows*rowBytes(o.Config)
	if o.Config.Storage == rowtype.External {
		p.MemoryBytes += rows * int64(rowtype.Size(src.Type(), src.Dim()))
	}
	p.IndexBytes = rows * fileBytes(o.Config)
	p.DiskBytes = p.IndexBytes
	return p, nil
}

// PlanBuild returns the plan of Build. It reads no rows.
func PlanBuild(src Source, o BuildOptions) (BuildPlan, error) {
	o.Config.Dim = src.Dim()
	if err := o.Config.Check(); err != nil {
		return BuildPlan{}, err
	}
	rows, copies := int64(src.Rows()), max(o.Copies, 1)
	each, stored := rowBytes(o.Config), int64(float64(rows)*copies)
	beside := o.besideRows()
	p := BuildPlan{Shards: o.Shards, SampleRows: int(min(rows, mostSample)), Copies: copies}
	room := o.Memory - beside
	if o.Memory > 0 {
		if room < 64*sampleRowBytes(o.Config) || room < 1<<20 {
			return p, fmt.Errorf("%w: a build needs %d MiB and more, %d MiB are allowed", ErrMemory, beside>>20+1, o.Memory>>20)
		}
		p.SampleRows = int(min(int64(p.SampleRows), room/sampleRowBytes(o.Config)))
	}
	if p.Shards == 0 {
		p.Shards = 1
		if o.Memory > 0 {
			p.Shards = int(max(1, (int64(float64(stored*each)*skew)+room-1)/room))
		}
	}
	if p.Shards > maxShards || int64(p.Shards) > rows {
		return p, fmt.Errorf("%w: %d MiB would take %d shards, at most %d are possible", ErrMemory, o.Memory>>20,
			p.Shards, min(maxShards, rows))
	}
	p.ShardRows = int(min(float64(rows), float64(stored)/float64(p.Shards)*skew)) + 1
	if need := int64(p.ShardRows) * each; o.Memory > 0 && need > room {
		return p, fmt.Errorf("%w: a shard of %d rows needs %d MiB, %d MiB are allowed: give more shards, or none to let the "+
			"memory decide",
			ErrMemory, p.ShardRows, (need+beside)>>20, o.Memory>>20)
	}
	p.MemoryBytes = beside + max(int64(p.SampleRows)*sampleRowBytes(o.Config), int64(p.ShardRows)*each)
	p.IndexBytes = stored * fileBytes(o.Config)
	if o.Blocks {
		l := blocks.LayoutOf(int(stored), src.Dim(), o.Config.Storage, max(o.Config.M, 2))
		p.IndexBytes += l.Bytes()
	}
	p.DiskBytes = p.IndexBytes + stored*int64(8+rowtype.Size(src.Type(), src.Dim()))
	return p, nil
}

// checksumOf returns a checksum of labels.
func checksumOf(labels []uint64) uint32 {
	if len(labels) == 0 {
		return 0
	}
	b := unsafe.Slice((*byte)(unsafe.Pointer(&labels[0])), 8*len(labels))
	return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
}
