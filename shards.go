package shale

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/internal/store/manifest"
)

// Source is the rows that an index of shards is built of: a file, say, read more than once.
type Source = shard.Source

// BuildPlan says what BuildShards will do and take.
type BuildPlan = shard.BuildPlan

// ShardOptions says how to build an index of several shards, one shard at a time. The zero value of a field means its
// default.
type ShardOptions struct {
	Options           // Capacity and Progress have no meaning
	Shards    int     // default: as many as Memory asks for
	Copies    float64 // rows stored for each row, 1 to 2: those at the borders of shards go to two; default 1
	Centroids int     // a shard, by which queries find the shards to look into; default 256
	Memory    int64   // bytes that the build may take; default no bound
	// Blocks writes rows and links once more, side by side, so that an index can be searched in memory that holds its codes
	// but not its links: each element visited then costs a read of a disk. The index takes about twice the disk.
	Blocks  bool
	Replace bool // take the place of an index directory that is there already, once complete
	// Lock says how to wait for another process that is changing the index to be replaced, which is locked throughout the
	// build; Held is the lock if the caller has it: see Reserve.
	Lock LockOptions
	Held *Lock
	Step func(step string, done, total int)
}

func (o ShardOptions) lower(dim int) (shard.BuildOptions, error) {
	c, err := o.config(dim, 0, o.Metric == Cosine)
	b := shard.BuildOptions{
		Config: c, Labels: o.Labels, Shards: o.Shards, Copies: o.Copies, Centroids: o.Centroids, Memory: o.Memory, Blocks: o.Blocks,
		Threads: o.Threads, Replace: o.Replace,
		Complete: func(m *manifest.Manifest) { m.Storage, m.Keep = storageOf(c); m.Product = productOf(c) },
	}
	if o.Step != nil {
		b.Progress = func(p shard.Progress) { o.Step(p.Step, p.Done, p.Total) }
	}
	return b, err
}

// MatrixSource makes a source of rows in memory, or in a mapping; id tells them from others.
func MatrixSource(rows Matrix, id string) Source { return shard.MatrixSource(rows, id) }

// PlanShards works out what BuildShards will do. It reads no rows.
func PlanShards(src Source, o ShardOptions) (BuildPlan, error) {
	b, err := o.lower(src.Dim())
	if err != nil {
		return BuildPlan{}, fmt.Errorf("plan: %w", err)
	}
	return shard.PlanBuild(src, b)
}

// BuildDir is where what BuildShards has done lies until the index at dir is complete.
func BuildDir(dir string) string { return shard.BuildDir(dir) }

// BuildShards builds an index directory of the source's rows at dir. Rows that are neighbours come into one shard as far as
// that goes, and a search looks into the shards that its query needs. AutoStorage goes by the length of rows, AutoKeep
// takes half floats only if the metric is cosine. What is done lies in BuildDir until all is: a build that was killed
// goes on there, given the same rows and options.
func BuildShards(ctx context.Context, src Source, dir string, o ShardOptions) error {
	if strings.EqualFold(filepath.Ext(dir), fileExtension) {
		return fmt.Errorf("build: %s would be one file, and several shards need a directory: give another name", dir)
	}
	if o.GraphOnly {
		return errors.New("build: an index of links alone is one graph, and can't have several shards")
	}
	b, err := o.lower(src.Dim())
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	if dir, err = target(dir); err != nil {
		return fmt.Errorf("build: %w", err)
	}
	if !o.Held.holds(dir) {
		lock, err := LockIndex(ctx, dir, o.Lock)
		if err != nil {
			return fmt.Errorf("build: %w", err)
		}
		defer lock.Close()
	}
	return shard.Build(ctx, src, dir, b)
}
