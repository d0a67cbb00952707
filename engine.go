package shale

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/shale-search/shale/internal/coding"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/quant/pq"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// engine does the work of an Index. What an Index asks of it is the same for one graph, in memory or in a live file,
// and for many shards, so that nothing but an engine asks which of them it is.
type engine interface {
	SearchInto(dst []search.Neighbor, query []float32, k int, o search.Options) ([]search.Neighbor, error)
	SearchBatch(ctx context.Context, queries vector.Matrix, k int, o search.Options) (*search.Results, error)
	SearchBatchInto(ctx context.Context, queries vector.Matrix, out *search.Results, o search.Options) error
	Range(query []float32, radius float32, limit int, o search.Options) ([]search.Neighbor, error)

	Config() hnsw.Config // of its graphs
	Dim() int
	Metric() vector.Metric
	Len() int // of those that searches may find
	Deleted() int
	Capacity() int
	Shards() int
	External() bool
	Placement() (p shard.Plan, ok bool)
	Changeable() error
	describe(*Info) error

	Add(label uint64, vec []float32) error
	AddBatch(ctx context.Context, rows vector.Matrix, o AddOptions) error
	Delete(labels ...uint64) error
	Undelete(labels ...uint64) error
	Resize(capacity int) error
	Sync() error

	Findable() ([]uint64, error)
	LargestLabel() (label uint64, ok bool, err error)
	ReserveLabels(n int) (first uint64, err error)
	Contains(labels ...uint64) ([]bool, error)
	vectors(labels []uint64, dst []float32) error
	EachVector(ctx context.Context, fn func(labels []uint64, rows vector.Matrix) error) error
	Distances(queries vector.Matrix, labels [][]uint64) ([][]float32, error)
	Calibrate(ctx context.Context, queries vector.Matrix, truth [][]uint64) (*shard.Calibration, error)

	Attach(rows vector.Matrix, o hnsw.AttachOptions) error
	AttachPQ(q *pq.Quantizer, codes []byte, o hnsw.AttachPQOptions) error

	graph() *hnsw.Index // the one graph that it is, if it can be changed; else nil
	compact(ctx context.Context, threads int) (*hnsw.Index, error)
	routing() *manifest.Routing // as measured last, of several shards; else nil
	// BeginSave begins a save to a directory. Graphs returns what other formats hold: one graph, which may be built for
	// it, or those of several external shards. free frees what was built.
	BeginSave() (saving, error)
	Graphs(ctx context.Context, o shard.MergeOptions) (graphs []shard.ForkShard, free func() error, err error)
	Close() error
}

// saving is a save of an engine to a directory under way, while which changes wait.
type saving interface {
	// Write writes what has changed, or all, to dir under names of the generation that follows before, and returns the
	// manifest that is to name the files. Where it doesn't write all, dir is the directory that the others lie in.
	Write(ctx context.Context, dir string, before *manifest.Manifest, all bool) (*manifest.Manifest, error)
	// Written returns the names of the files that the last Write has written, or begun to write.
	Written() []string
	// Done notes that the manifest that Write returned is in place in dir.
	Done(dir string)
	End()
}

// oneGraph is an engine of one graph that can be changed.
type oneGraph struct{ *hnsw.Index }

func (g oneGraph) Len() int                      { return g.Index.Len() - g.Index.Deleted() }
func (g oneGraph) Shards() int                   { return 1 }
func (g oneGraph) External() bool                { return g.Config().Storage == rowtype.External }
func (g oneGraph) Placement() (shard.Plan, bool) { return shard.Plan{}, false }
func (g oneGraph) Changeable() error             { return nil }
func (g oneGraph) graph() *hnsw.Index            { return g.Index }
func (g oneGraph) routing() *manifest.Routing    { return nil }

func (g oneGraph) BeginSave() (saving, error) { return &graphSaving{graph: g.Index}, nil }

func (g oneGraph) Graphs(context.Context, shard.MergeOptions) ([]shard.ForkShard, func() error, error) {
	return []shard.ForkShard{{Graph: g.Index}}, func() error { return nil }, nil
}

func (g oneGraph) compact(ctx context.Context, threads int) (*hnsw.Index, error) {
	return compacted(ctx, g.Index, threads)
}

func (g oneGraph) Add(label uint64, vec []float32) error {
	return g.Index.Add(label, vec, g.adding())
}

func (g oneGraph) AddBatch(ctx context.Context, rows vector.Matrix, o AddOptions) error {
	return g.Index.AddBatch(ctx, rows, o.Labels,
		hnsw.BatchOptions{Threads: o.Threads, Progress: o.Progress, AddOptions: g.adding()})
}

// adding says whether rows take the places of deleted ones: see BuildOptions.ReplaceDeleted.
func (g oneGraph) adding() hnsw.AddOptions {
	return hnsw.AddOptions{ReplaceDeleted: g.Config().ReplaceDelete}
}

func (g oneGraph) Delete(labels ...uint64) error { return hnsw.EachLabelOf(labels, g.Index.Delete) }

func (g oneGraph) Undelete(labels ...uint64) error { return hnsw.EachLabelOf(labels, g.Index.Undelete) }

func (g oneGraph) EachVector(ctx context.Context, fn func(labels []uint64, rows vector.Matrix) error) error {
	return g.WithImage(func(*hnsw.Image) error { // changes wait meanwhile
		return g.Index.EachVector(ctx, nil, shard.VectorBlock(g.Dim()), nil, fn)
	})
}

func (g oneGraph) Contains(labels ...uint64) ([]bool, error) {
	there := make([]bool, len(labels))
	for i, label := range labels {
		deleted, ok, err := g.Find(label)
		if err != nil {
			return nil, err
		}
		there[i] = ok && !deleted
	}
	return there, nil
}

func (g oneGraph) vectors(labels []uint64, dst []float32) error {
	for i, label := range labels {
		if err := g.Vector(label, dst[i*g.Dim():(i+1)*g.Dim()]); err != nil {
			return fmt.Errorf("label %d: %w", label, err)
		}
	}
	return nil
}

func (g oneGraph) Calibrate(context.Context, vector.Matrix, [][]uint64) (*shard.Calibration, error) {
	return nil, nil
}

func (g oneGraph) describe(i *Info) error {
	s, err := g.Stats()
	if err != nil {
		return err
	}
	c := g.Config()
	storage, keep := coding.Names(c)
	*i = Info{
		Rows: s.Elements, Deleted: s.Deleted, Dim: c.Dim, Metric: c.Metric.String(), Distance: c.CustomName,
		Storage: storage, Keep: keep, Coded: c.Codes.Bits != 0, Shards: 1,
		M: c.M, BaseLinks: c.BaseLinks, EfConstruction: c.EfConstruction, Seed: c.Seed,
		Levels: s.Levels, AverageDegree: s.Degree.Average, MemoryBytes: s.Memory.Total(), CodeBytes: s.Memory.Codes,
	}
	return nil
}

// manyShards is an engine of several shards, or of one that is mapped or has its rows on disk or elsewhere.
type manyShards struct{ *shard.Index }

func (s manyShards) Capacity() int { return s.Len() + s.Deleted() }

func (s manyShards) Placement() (shard.Plan, bool) { return s.Plan(), true }

func (s manyShards) graph() *hnsw.Index { return nil }

func (s manyShards) routing() *manifest.Routing { return s.Manifest().Routing }

func (s manyShards) BeginSave() (saving, error) { return s.Index.BeginSave() }

func (s manyShards) compact(context.Context, int) (*hnsw.Index, error) {
	return nil, fmt.Errorf("%w in place: build it anew", ErrReadOnly)
}

func (s manyShards) Add(label uint64, vec []float32) error {
	row, err := vector.Of(vec, len(vec))
	if err != nil {
		return err
	}
	return s.AddBatch(context.Background(), row, AddOptions{Labels: []uint64{label}, Threads: 1})
}

func (s manyShards) AddBatch(ctx context.Context, rows vector.Matrix, o AddOptions) error {
	return s.Index.AddBatch(ctx, rows, o.Labels, hnsw.BatchOptions{Threads: o.Threads, Progress: o.Progress})
}

func (s manyShards) Resize(int) error {
	return fmt.Errorf("%w: shards grow as rows are added", errors.ErrUnsupported)
}

func (s manyShards) Sync() error { return errors.ErrUnsupported }

// vectors reads all labels, and the rows of those that are wanted.
func (s manyShards) vectors(wanted []uint64, dst []float32) error {
	places := make(map[uint64][]int, len(wanted))
	for i, label := range wanted {
		places[label] = append(places[label], i)
	}
	dim, enough := s.Dim(), errors.New("enough")
	sorted := slices.Sorted(slices.Values(wanted))
	err := s.EachVectorOf(context.Background(), sorted, func(labels []uint64, rows vector.Matrix) error {
		for row, label := range labels {
			for _, i := range places[label] {
				rows.Decode(row, dst[i*dim:(i+1)*dim])
			}
			delete(places, label)
		}
		if len(places) == 0 {
			return enough
		}
		return nil
	})
	if err != nil && !errors.Is(err, enough) {
		return err
	}
	for label := range places {
		return fmt.Errorf("label %d: %w", label, hnsw.ErrLabel)
	}
	return nil
}

// Distances returns nil: rows of shards may be on disk.
func (s manyShards) Distances(vector.Matrix, [][]uint64) ([][]float32, error) { return nil, nil }

func (s manyShards) describe(i *Info) error {
	stats, err := s.Stats()
	if err != nil {
		return err
	}
	m := s.Manifest()
	*i = Info{
		Rows: m.Rows, Deleted: m.Deleted, Dim: m.Dim, Metric: m.Metric, Distance: m.Distance,
		Storage: m.Storage, Keep: m.Keep, Shards: len(m.Shards),
		M: m.M, BaseLinks: m.BaseLinks, EfConstruction: m.EfConstruction, Seed: m.Seed,
		Levels: stats.Levels, AverageDegree: stats.Degree.Average, MemoryBytes: stats.Memory.Total(),
		CodeBytes: stats.Memory.Codes, Copies: 1, Plan: s.Plan().String(),
	}
	i.Growing = s.Growing()
	if m.Routing != nil {
		i.Copies, i.ShareQueries = m.Routing.Copies, m.Routing.Queries
	}
	return nil
}
