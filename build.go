package shale

import (
	"context"
	"fmt"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/vector"
)

// Options says what an index is like and how to build it. The zero value of a field means its default.
type Options struct {
	Metric         Metric    // default L2
	Storage        Storage   // what searches walk over; default AutoStorage: codes of a cache line or two, or short rows
	Keep           Keep      // rows that distances come from; default AutoKeep: half floats beside codes where that is safe
	M              int       // links a new row gets a level: more find more and take more memory; default 16
	BaseLinks      int       // of those a new row gets on level 0, where there is room for 2·M: M … 2·M; default 1.5·M
	EfConstruction int       // rows looked at for a new row's links: more build a better graph, more slowly; default 200
	Seed           uint64    // of the random levels; same seed, rows and one thread give the same index; default 100
	Labels         []uint64  // of the rows built from, one each; default 0, 1, …
	Threads        int       // that build; default GOMAXPROCS
	PQ             PQOptions // of a Storage that is PQ
	GraphOnly      bool      // keep links and labels alone; vectors are attached, and stay where they are: see Index.Attach
	Capacity       int       // rows to make room for at once, of an index that starts empty
	ReplaceDeleted bool      // rows that are added take the places of deleted ones, whose labels can't come back then

	Progress func(done int)        // told the number of rows added now and then, from one goroutine at a time
	Training func(done, total int) // told of the steps of training PQ's codes, before
}

func (o Options) config(dim, rows int, halfIsSafe bool) (hnsw.Config, error) {
	if err := checkThreads(o.Threads); err != nil {
		return hnsw.Config{}, err
	}
	codes, storage, err := o.layout(dim, halfIsSafe)
	if o.GraphOnly {
		storage = vector.External
	}
	return hnsw.Config{
		Dim: dim, Metric: o.Metric, Storage: storage, Codes: codes,
		M: o.M, BaseLinks: o.BaseLinks, EfConstruction: o.EfConstruction, Seed: o.Seed, Capacity: rows,
		Quantizer: o.PQ.Quantizer, ReplaceDelete: o.ReplaceDeleted,
	}, err
}

// New makes an empty index of vectors of dim values. AutoKeep keeps half floats beside codes only if the metric is cosine,
// since other vectors might be too large for them.
func New(dim int, o Options) (*Index, error) {
	c, err := o.config(dim, o.Capacity, o.Metric == Cosine)
	if err != nil {
		return nil, fmt.Errorf("new index: %w", err)
	}
	graph, err := hnsw.New(c)
	if err != nil {
		return nil, fmt.Errorf("new index: %w", err)
	}
	return &Index{graph: graph}, nil
}

// FromGraph makes an index of a graph, which it takes over.
func FromGraph(graph *hnsw.Index) *Index { return &Index{graph: graph} }

// Create makes an empty index of vectors of dim values in a live file at path, where nothing may lie yet, for
// Options.Capacity vectors. The file is the index's memory: it is mapped, opens at once however large it is, and what was
// added is in it after the process was killed; Sync and Close write it to the disk. All of its room is taken now. When
// it is full it is copied to a larger file that takes its place.
func Create(path string, dim int, o Options) (*Index, error) {
	return CreateFilled(path, dim, o, CreateOptions{})
}

// CreateOptions says how to make a live file. The zero value makes an empty index where nothing lies yet.
type CreateOptions struct {
	// Fill adds vectors before the file gets its name, so that path names all of them or nothing: after an error of Fill,
	// which is then that of CreateFilled, or when the process was killed meanwhile, nothing lies there.
	Fill func(*Index) error
	// Replace allows for a file at path, as long as no live index has it open. It stays until Fill has ended.
	Replace bool
}

// CreateFilled is Create with options.
func CreateFilled(path string, dim int, o Options, co CreateOptions) (*Index, error) {
	c, err := o.config(dim, o.Capacity, o.Metric == Cosine)
	if err != nil {
		return nil, fmt.Errorf("create index: %w", err)
	}
	if path, err = target(path); err != nil {
		return nil, fmt.Errorf("create index: %w", err)
	}
	so := store.CreateOptions{Replace: co.Replace}
	if co.Fill != nil {
		so.Fill = func(graph *hnsw.Index) error { return co.Fill(&Index{graph: graph, live: path}) }
	}
	graph, err := store.CreateLive(path, c, so)
	if err != nil {
		return nil, err
	}
	return &Index{graph: graph, live: path}, nil
}

// Build makes an index of rows, which are copied. It refuses NaN and infinity. AutoStorage takes what Suggest does.
//
// With GraphOnly rows are attached in the place of being copied: see Index.Attach. AutoStorage makes no codes then.
func Build(ctx context.Context, rows Matrix, o Options) (*Index, error) {
	if !o.GraphOnly {
		s, err := Suggest(rows, o)
		if err != nil {
			return nil, fmt.Errorf("build: %w", err)
		}
		o.Storage = s.Storage
	}
	c, err := o.config(rows.Dim(), rows.Rows(), !o.GraphOnly && HalfIsSafe(rows, o.Metric))
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	graph, err := hnsw.New(c)
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	if o.GraphOnly {
		err = fillGraph(ctx, graph, rows, o)
	} else {
		err = fill(ctx, graph, rows, o)
	}
	if err != nil {
		graph.Close()
		return nil, fmt.Errorf("build: %w", err)
	}
	return &Index{graph: graph}, nil
}

func fill(ctx context.Context, graph *hnsw.Index, rows Matrix, o Options) error {
	err := graph.AddBatch(ctx, rows, o.Labels, hnsw.BatchOptions{Threads: o.Threads, Progress: o.Progress, Training: o.Training})
	if err != nil {
		return err
	}
	return graph.Reorder()
}

// fillGraph builds links over rows, which may lie in a mapped file.
func fillGraph(ctx context.Context, graph *hnsw.Index, rows Matrix, o Options) error {
	if err := graph.Attach(rows, hnsw.AttachOptions{Mapped: true}); err != nil {
		return err
	}
	return graph.AddAttached(ctx, rows.Rows(), o.Labels, hnsw.BatchOptions{Threads: o.Threads, Progress: o.Progress, Training: o.Training})
}

// Attach gives an index of links alone its vectors, float32 or float16, element i's in row i, as they were when it was built.
// They are read where they lie, in memory or in a mapping, never copied nor changed, and must outlive the index. Where the
// metric is cosine they must be of length 1. Other vectors may be attached in their place at any time, in the other type for
// example. mapped says that they lie in a mapped file, the failing of which becomes an error of searches.
func (x *Index) Attach(rows Matrix, mapped bool) error {
	o := hnsw.AttachOptions{Mapped: mapped}
	var err error
	if x.shards != nil {
		err = x.shards.Attach(rows, o)
	} else {
		err = x.graph.Attach(rows, o)
	}
	if err != nil {
		return fmt.Errorf("attach vectors: %w", err)
	}
	return nil
}
