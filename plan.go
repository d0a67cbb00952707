package shale

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/shale-search/shale/dataset"
	"github.com/shale-search/shale/internal/coding"
	"github.com/shale-search/shale/internal/datafile"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/location"
	"github.com/shale-search/shale/internal/shard"
)

// Plan says how an index is built, what that takes, and why. NewPlan makes one, Run builds the index.
type Plan struct {
	Codes       string // what searches walk over
	CodesWhy    string
	Rows        string // type of the rows that exact distances are computed from, or none
	RowsWhy     string
	Shards      int // number of graphs
	ShardsWhy   string
	ShardRows   int     // of the largest shard
	SampleRows  int     // rows by which the shards are found; 0: the rows aren't divided
	Copies      float64 // average number of shards that store a row
	MemoryBytes int64   // most memory at any time, about
	DiskBytes   int64   // most disk at any time, without the input
	IndexBytes  int64   // size of the finished index

	src    Source
	o      BuildOptions // all of them decided
	config hnsw.Config  // of each graph
	// spent is the time that Run has spent on the graphs. If there is one graph, it doesn't include reading the vectors
	// and writing the index.
	spent time.Duration
}

// NewPlan decides everything that the options leave open. The plan describes what Build does with the same arguments.
// If Codes or Rows are left open NewPlan reads some rows, or all of them if the choice depends on the largest values.
// It doesn't look at what is at BuildOptions.Path.
func NewPlan(ctx context.Context, src Source, o BuildOptions) (*Plan, error) {
	p, err := newPlan(ctx, src, o)
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	return p, nil
}

func newPlan(ctx context.Context, src Source, o BuildOptions) (*Plan, error) {
	if err := o.check(src); err != nil {
		return nil, err
	}
	if f, ok := src.(*dataset.File); ok {
		src = (*datafile.File)(f)
	}
	p := &Plan{src: src, o: o}
	if err := p.chooseRows(ctx); err != nil {
		return nil, err
	}
	if err := p.divide(); err != nil {
		return nil, err
	}
	return p, nil
}

// chooseRows decides what searches walk over and which rows are kept.
func (p *Plan) chooseRows(ctx context.Context) (err error) {
	if p.o.External {
		p.CodesWhy, p.RowsWhy = asked, "they are attached, not stored"
	} else if err := p.settle(ctx); err != nil {
		return err
	}
	if p.config, err = p.o.config(p.src.Dim(), false); err != nil {
		return err
	}
	p.Codes, p.Rows = coding.Names(p.config)
	return nil
}

// divide decides how many graphs there are, and what the build takes.
func (p *Plan) divide() error {
	whole, remedy, err := p.oneGraph()
	if err != nil {
		return err
	}
	one, b, steps := whole != "", p.lower(), shard.BuildPlan{}
	if !one {
		if steps, err = shard.PlanBuild(p.src, b); err != nil {
			return err
		}
		one = steps.Shards == 1 && !p.o.Blocks
	}
	if one {
		if steps, err = shard.PlanGraph(p.src, b); err != nil {
			return err
		}
	}
	if p.o.Memory > 0 && steps.MemoryBytes > p.o.Memory {
		return fmt.Errorf("%w: a graph of %d rows needs %s, %s are allowed, and %s: %s",
			shard.ErrMemory, p.src.Rows(), mebibytes(steps.MemoryBytes), mebibytes(p.o.Memory), whole, remedy)
	}
	p.Shards, p.ShardRows, p.SampleRows, p.Copies = steps.Shards, steps.ShardRows, steps.SampleRows, steps.Copies
	p.MemoryBytes, p.DiskBytes, p.IndexBytes = steps.MemoryBytes, steps.DiskBytes, steps.IndexBytes
	switch {
	case p.o.Shards > 0:
		p.ShardsWhy = asked
	case whole != "":
		p.ShardsWhy = whole
	case p.o.Memory == 0:
		p.ShardsWhy = "memory isn't bounded"
	case p.Shards == 1:
		p.ShardsWhy = fmt.Sprintf("it is built within %s", mebibytes(p.o.Memory))
	default:
		p.ShardsWhy = fmt.Sprintf("each is built within %s", mebibytes(p.o.Memory))
	}
	return nil
}

// oneGraph returns why the index must be one graph, and what to do where that is too large, or nothing. It refuses
// several shards then.
func (p *Plan) oneGraph() (why, remedy string, err error) {
	remedy = "build an index directory, which can have several"
	switch {
	case p.o.Distance != nil:
		return "one with a Distance can't be divided", "allow more memory", nil
	case p.o.Live:
		return "a live file is one graph", remedy, nil
	case p.o.External:
		return "an external index is one graph", remedy + " and keeps rows", nil
	case p.o.Path == "":
		return "", "", nil
	}
	path, err := location.Target(p.o.Path)
	if err != nil {
		return "", "", err
	}
	format, err := location.FormatFor(path, location.Auto)
	if err != nil || format == Directory {
		return "", "", nil // if something is wrong with the path Run finds it
	}
	if p.o.Shards > 1 || p.o.Blocks {
		return "", "", fmt.Errorf("%s would be a %s, and several shards need a directory: give another name", path, format)
	}
	return fmt.Sprintf("a %s is one graph", format), remedy, nil
}

// lower is the options of a build of several shards.
func (p *Plan) lower() shard.BuildOptions {
	o := &p.o
	b := shard.BuildOptions{
		Config: p.config, Labels: o.Labels, Shards: o.Shards, Copies: o.Copies, Centroids: o.Centroids, Memory: o.Memory,
		Blocks: o.Blocks, Threads: o.Threads, Replace: o.Replace,
	}
	b.Config.Capacity = 0
	if o.Progress != nil {
		b.Progress = func(g shard.Progress) { o.Progress(g.Step, g.Done, g.Total) }
	}
	return b
}

// inSteps reports whether the index is built in steps, of which those that are done aren't done again after a kill.
func (p *Plan) inSteps() bool { return p.SampleRows > 0 }

// String describes the plan in a few lines.
func (p *Plan) String() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	if p.inSteps() {
		line("1. sample", "%d rows, and divide them into %d shards (%s)", p.SampleRows, p.Shards, p.ShardsWhy)
		line("2. reorder", "read all rows and write those of each shard to a file of their own")
		line("3. build", "shard after shard, %d rows at most", p.ShardRows)
	} else {
		line("build", "one graph of %d rows, in one go (%s)", p.src.Rows(), p.ShardsWhy)
	}
	line("codes", "%s (%s)", p.Codes, p.CodesWhy)
	line("rows", "%s (%s)", p.Rows, p.RowsWhy)
	line("memory", "%s at the peak", mebibytes(p.MemoryBytes))
	line("disk", "%s at the peak, beside the input; %s of it stay", mebibytes(p.DiskBytes), mebibytes(p.IndexBytes))
	return b.String()
}

// mebibytes writes a size, rounded up.
func mebibytes(n int64) string { return fmt.Sprintf("%d MiB", (n+1<<20-1)>>20) }
