package shale

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/vector"
)

const (
	// sampleRows and sampleBytes bound the rows by which BuildTo chooses what searches walk over.
	sampleRows  = 4096
	sampleBytes = 64 << 20
)

// BuildTo builds an index of the source's rows at path: one graph, or several shards where the options ask for them or where
// one doesn't fit o.Memory. What the options leave open is decided by the rows, as Build does. An unfinished build of shards
// goes on as BuildShards does.
func BuildTo(ctx context.Context, src Source, path string, o ShardOptions) error {
	lock, err := Reserve(ctx, path, ReserveOptions{Replace: o.Replace, Lock: o.Lock})
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%w: set Replace to build over it", err)
	}
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	defer lock.Close()
	o.Held = lock
	if err := o.settle(ctx, src); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	plan, err := PlanShards(src, o)
	switch {
	case err != nil:
		return err
	case o.InSteps(plan):
		return BuildShards(ctx, src, path, o)
	}
	x, err := buildOne(ctx, src, o)
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	defer x.Close()
	return x.Save(ctx, path, SaveOptions{Replace: o.Replace, Held: lock})
}

// InSteps reports whether the options ask for what BuildShards makes in steps, given their plan: several shards, blocks, or one
// shard that needs more memory than there may be.
func (o *ShardOptions) InSteps(plan BuildPlan) bool {
	return plan.Shards > 1 || o.Blocks || o.Memory > 0 && plan.MemoryBytes > o.Memory
}

// BuildFrom builds an index of the source's rows in memory; what the options leave open is decided by the rows. Of o it takes
// no more than Options and Step.
func BuildFrom(ctx context.Context, src Source, o ShardOptions) (*Index, error) {
	if err := o.settle(ctx, src); err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	x, err := buildOne(ctx, src, o)
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	return x, nil
}

// PlanBuild is the plan that BuildTo carries out with the same arguments. It looks at some rows where the
// options leave open how to store them.
func PlanBuild(ctx context.Context, src Source, o ShardOptions) (BuildPlan, error) {
	if err := o.settle(ctx, src); err != nil {
		return BuildPlan{}, fmt.Errorf("plan: %w", err)
	}
	return PlanShards(src, o)
}

// settle checks the labels and decides by the rows what the options leave open.
func (o *ShardOptions) settle(ctx context.Context, src Source) error {
	if o.Labels != nil && len(o.Labels) != src.Rows() {
		return fmt.Errorf("%d labels for %d rows", len(o.Labels), src.Rows())
	}
	_, err := Settle(ctx, src, &o.Options)
	return err
}

// Settle decides what o leaves to AutoStorage and AutoKeep by the source's rows, as Build does, and gives the storage's reason.
// All rows are read for it where the metric isn't cosine.
func Settle(ctx context.Context, src Source, o *Options) (Suggestion, error) {
	sample := Matrix{} // none where there is nothing to choose
	var err error
	if o.Storage == AutoStorage {
		if sample, err = Sample(ctx, src, max(1, min(sampleRows, sampleBytes/(4*src.Dim())))); err != nil {
			return Suggestion{}, err
		}
	}
	s, err := Suggest(sample, *o)
	if err != nil {
		return s, err
	}
	o.Storage = s.Storage
	return s, settleKeep(ctx, src, sample, o)
}

// settleKeep decides what AutoKeep leaves open.
func settleKeep(ctx context.Context, src Source, sample Matrix, o *Options) error {
	codes, err := HasCodes(o.Storage, src.Dim())
	if err != nil || !codes || o.Keep != AutoKeep {
		return err
	}
	if o.Metric == Cosine {
		return settleUnit(ctx, src, sample, o)
	}
	enough, safe := errors.New("enough"), true
	err = src.Blocks(ctx, func(_ int, rows Matrix) error {
		if safe = HalfIsSafe(rows, o.Metric); !safe || src.Type() != vector.Float32 {
			return enough // the rest can't change it
		}
		return nil
	})
	if err != nil && err != enough {
		return err
	}
	o.Keep = KeepFloat32
	if safe {
		o.Keep = KeepFloat16
	}
	return nil
}

// settleUnit does what settleKeep does for normalised rows: it keeps float32 unless a sample shows that half precision
// is safe.
func settleUnit(ctx context.Context, src Source, sample Matrix, o *Options) (err error) {
	if src.Type() == vector.Float32 && sample.Rows() == 0 {
		if sample, err = Sample(ctx, src, min(halfRows, src.Rows())); err != nil {
			return err
		}
	}
	if !HalfIsSafe(sample, Cosine) {
		o.Keep = KeepFloat32
	}
	return nil
}

// Sample takes n rows, or all if there are fewer, from places spread over the source, as float32. Of a source that lies in memory
// it gives all, as they are.
func Sample(ctx context.Context, src Source, n int) (Matrix, error) {
	n = min(n, src.Rows())
	dim := src.Dim()
	if rows, ok := shard.InMemory(src); ok {
		return rows, nil
	}
	data := make([]float32, n*dim)
	at := func(i int) int { return int(int64(i) * int64(src.Rows()) / int64(n)) }
	taken := 0
	err := src.Blocks(ctx, func(first int, rows Matrix) error {
		for ; taken < n && at(taken) < first+rows.Rows(); taken++ {
			rows.Decode(at(taken)-first, data[taken*dim:(taken+1)*dim])
		}
		return nil
	})
	if err != nil {
		return Matrix{}, err
	}
	return vector.Of(data[:taken*dim], dim)
}

// buildOne builds one graph in memory.
func buildOne(ctx context.Context, src Source, o ShardOptions) (x *Index, err error) {
	tell := func(done int) {
		if o.Step != nil {
			o.Step("building", done, src.Rows())
		}
	}
	if rows, ok := shard.InMemory(src); ok {
		o.Progress = tell
		return Build(ctx, rows, o.Options)
	}
	if o.Storage == PQ { // the rows that are read first may be unlike the rest
		sample, err := Sample(ctx, src, PQTraining)
		if err == nil {
			err = TrainPQ(ctx, sample, &o.Options, o.Training)
		}
		if err != nil {
			return nil, err
		}
	}
	labels := o.Labels
	o.Labels, o.Capacity = nil, src.Rows()
	if x, err = New(src.Dim(), o.Options); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			x.Close()
		}
	}()
	err = src.Blocks(ctx, func(first int, rows Matrix) error {
		a := AddOptions{Threads: o.Threads, Progress: func(done int) { tell(first + done) }}
		if labels != nil {
			a.Labels = labels[first : first+rows.Rows()]
		}
		if err := x.AddBatch(ctx, rows, a); err != nil {
			return fmt.Errorf("from row %d on: %w", first, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return x, x.Reorder()
}
