package shale

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/shale-search/shale/internal/coding"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/location"
	"github.com/shale-search/shale/internal/quant"
	"github.com/shale-search/shale/internal/quant/pq"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/vector"
)

// Run builds the index and opens it. What was at BuildOptions.Path stays until the new index is complete.
func (p *Plan) Run(ctx context.Context) (x *Index, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("build: %w", err)
		}
	}()
	if p.o.Path != "" && p.o.held == nil {
		lock, err := p.o.reserve(ctx)
		if err != nil {
			return nil, err
		}
		defer lock.Close()
		p.o.held = lock
	}
	switch {
	case p.o.Live:
		return p.runLive(ctx)
	case p.inSteps():
		return p.runSteps(ctx)
	}
	return p.runGraph(ctx)
}

// since counts the time since began as that of building.
func (p *Plan) since(began time.Time) { p.spent += time.Since(began) }

// runSteps builds several shards, or blocks.
func (p *Plan) runSteps(ctx context.Context) (*Index, error) {
	path := p.o.Path
	if path == "" {
		return nil, fmt.Errorf("an index of %d shards is built on disk: give a path", p.Shards)
	}
	path, err := location.Target(path)
	if err != nil {
		return nil, err
	}
	b := p.lower()
	b.Shards, b.Sample = p.Shards, p.SampleRows
	b.Complete = func(m *manifest.Manifest) {
		m.Storage, m.Keep = coding.Names(p.config)
		m.Product = productOf(p.config)
	}
	if b.Memory > 0 {
		defer boundHeap(b.Memory / heapShare)()
	}
	began := time.Now()
	err = shard.Build(ctx, p.src, path, b)
	p.since(began)
	if err != nil {
		return nil, err
	}
	return Open(ctx, path, OpenOptions{Memory: p.o.Memory})
}

// runGraph builds one graph in memory and saves it, if it has a path.
func (p *Plan) runGraph(ctx context.Context) (*Index, error) {
	graph, err := p.graph(ctx)
	if err != nil {
		return nil, err
	}
	x := &Index{engine: oneGraph{graph}}
	if p.o.Path == "" {
		return x, nil
	}
	err = x.Save(ctx, p.o.Path, SaveOptions{Replace: p.o.Replace, held: p.o.held, Vectors: p.o.Vectors})
	if err != nil {
		return nil, errors.Join(err, x.Close())
	}
	if p.o.Memory > 0 && x.home != "" { // searches keep within it too
		if err := x.Close(); err != nil {
			return nil, err
		}
		return Open(ctx, p.o.Path,
			OpenOptions{Memory: p.o.Memory, Distance: p.o.Distance, DistanceName: p.o.DistanceName})
	}
	return x, nil
}

// graph builds the graph of all rows.
func (p *Plan) graph(ctx context.Context) (*hnsw.Index, error) {
	c := p.config
	c.Capacity = p.capacity()
	began := time.Now()
	err := p.train(ctx, &c)
	p.since(began)
	if err != nil {
		return nil, err
	}
	graph, err := hnsw.New(c)
	if err != nil {
		return nil, err
	}
	if err := p.fill(ctx, graph); err != nil {
		return nil, errors.Join(err, graph.Close())
	}
	return graph, nil
}

// fill adds or attaches the source's rows.
func (p *Plan) fill(ctx context.Context, graph *hnsw.Index) error {
	rows, ok := shard.InMemory(p.src)
	o := hnsw.BatchOptions{Threads: p.o.Threads, Progress: p.o.step("building", p.src.Rows()), Training: p.o.training()}
	if p.o.External {
		if err := graph.Attach(rows, hnsw.AttachOptions{Mapped: true}); err != nil {
			return err
		}
		defer p.since(time.Now())
		return graph.AddAttached(ctx, rows.Rows(), p.o.Labels, o)
	}
	if !ok {
		if err := p.addBlocks(ctx, graph); err != nil {
			return err
		}
		defer p.since(time.Now())
		return graph.Reorder()
	}
	defer p.since(time.Now())
	if err := graph.AddBatch(ctx, rows, p.o.Labels, o); err != nil {
		return err
	}
	return graph.Reorder()
}

// addBlocks adds the source's rows block by block.
func (p *Plan) addBlocks(ctx context.Context, graph *hnsw.Index) error {
	tell := p.o.step("building", p.src.Rows())
	return p.src.Blocks(ctx, func(first int, rows vector.Matrix) error {
		o := hnsw.BatchOptions{Threads: p.o.Threads}
		if tell != nil {
			o.Progress = func(done int) { tell(first + done) }
		}
		var labels []uint64
		if p.o.Labels != nil {
			labels = p.o.Labels[first : first+rows.Rows()]
		}
		began := time.Now()
		err := graph.AddBatch(ctx, rows, labels, o)
		p.since(began)
		if err != nil {
			return fmt.Errorf("%s: %w", p.from(first), err)
		}
		return nil
	})
}

// from names the row at which a block begins.
func (p *Plan) from(first int) string {
	if files, ok := p.src.(interface {
		At(row int) (path string, of int)
	}); ok {
		path, row := files.At(first)
		return fmt.Sprintf("%s, from row %d on", path, row)
	}
	return fmt.Sprintf("from row %d on", first)
}

// mostRoom bounds the room made for the rows that a pipe's header declares, before they come.
const mostRoom = 1 << 20

// capacity is the number of rows to make room for at once.
func (p *Plan) capacity() int {
	n := p.src.Rows()
	if pipe, ok := p.src.(interface{ Once() bool }); ok && pipe.Once() {
		n = min(n, mostRoom)
	}
	return max(n, p.o.Capacity)
}

// train finds codebooks of product quantization by a sample, since the rows that are added first may be unlike the
// rest. Rows in memory are added all at once, which trains on all of them.
func (p *Plan) train(ctx context.Context, c *hnsw.Config) error {
	if c.Codes.Kind != quant.Product || c.Quantizer != nil || inMemory(p.src) {
		return nil
	}
	sample, err := shard.Sample(ctx, p.src, pq.DefaultSample)
	if err != nil {
		return err
	}
	return trainPQ(ctx, sample, c, p.o.Threads, p.o.training())
}

// runLive builds a graph in the file that is its memory. The file gets its name when it is complete.
func (p *Plan) runLive(ctx context.Context) (*Index, error) {
	o := p.o
	o.Capacity = p.capacity()
	return createLive(p.src.Dim(), o, func(graph *hnsw.Index) error { return p.addBlocks(ctx, graph) })
}

const (
	// heapShare is the part of a build's memory that the Go heap should keep within: blocks of the input and garbage. The
	// index lies outside.
	heapShare = 4
	leastHeap = 48 << 20
)

// heapBounds are the builds that have lowered the limit of the process's Go heap.
var heapBounds struct {
	sync.Mutex
	builds int
	old    int64 // the limit before the first of them
}

// boundHeap lowers the limit of the process's Go heap until restore is called. What the program holds beside the build
// is left to it. Of several builds the first sets the limit.
func boundHeap(limit int64) (restore func()) {
	h := &heapBounds
	h.Lock()
	defer h.Unlock()
	if h.builds++; h.builds == 1 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		beside := max(0, int64(m.HeapAlloc)-leastHeap/2)
		h.old = debug.SetMemoryLimit(max(leastHeap, limit) + beside)
	}
	return func() {
		h.Lock()
		defer h.Unlock()
		if h.builds--; h.builds == 0 {
			debug.SetMemoryLimit(h.old)
		}
	}
}

// Estimate returns about how long Run takes, judged by an index of some of the rows, which it builds. A graph ten times
// as large takes about a third longer a row.
func (p *Plan) Estimate(ctx context.Context) (time.Duration, error) {
	const most = 4096
	rows, err := shard.Sample(ctx, p.src, most)
	if err != nil {
		return 0, err
	}
	o := p.o
	o.Labels, o.Progress, o.Path, o.Live, o.Shards, o.Blocks, o.Memory = nil, nil, "", false, 0, false, 0
	rows = rows.Slice(0, min(rows.Rows(), most))
	small, err := NewPlan(ctx, rows, o)
	if err != nil {
		return 0, err
	}
	x, err := small.Run(ctx)
	if err != nil {
		return 0, err
	}
	each := small.spent.Seconds() / float64(rows.Rows())
	each *= 1 + max(0, math.Log10(float64(p.ShardRows)/float64(rows.Rows())))/3
	total := each * float64(p.src.Rows()) * p.Copies
	if p.inSteps() {
		total += each / 2 * float64(p.SampleRows+p.src.Rows()/2)
	}
	return time.Duration(total * float64(time.Second)), x.Close()
}
