package shale

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/shale-search/shale/internal/location"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/blocks"
	"github.com/shale-search/shale/internal/store/hnswlib"
	"github.com/shale-search/shale/internal/store/manifest"
)

// Report is what Verify found.
type Report struct {
	Rows      int // with those marked as deleted
	Reachable int // rows that can be reached by links of level 0 from the entry point of their graph
	// Unreachable is the number of other rows that aren't marked as deleted. Searches may miss them. Graphs that Shale
	// builds have none.
	Unreachable int
	Problems    []error // empty if the index is in order
}

// Verify reads all of an index on disk and checks it. It returns what is wrong with the index in Report.Problems, and
// an error if it can't read the index.
func Verify(ctx context.Context, path string) (Report, error) {
	format, err := location.Detect(path)
	if errors.Is(err, ErrNotIndex) {
		return Report{Problems: []error{err}}, nil
	}
	if err != nil {
		return Report{}, fmt.Errorf("verify: %w", err)
	}
	switch format {
	case Directory:
		return verifyDirectory(ctx, path)
	case File:
		return verifyFile(ctx, path)
	case Graph:
		return verifyGraphs(shard.OpenGraph(ctx, path, shard.ForkOptions{}))
	case ForkShards:
		return verifyGraphs(shard.OpenFork(ctx, path, shard.ForkOptions{}))
	case location.Live:
		return verifyLive(path)
	}
	return verifyHnswlib(ctx, path)
}

// verifyDirectory verifies an index directory, again where a writer replaced it meanwhile.
func verifyDirectory(ctx context.Context, dir string) (Report, error) {
	var r Report
	var failed error
	err := readDirectory(ctx, dir, func(m *manifest.Manifest) error {
		if r, failed = verifyManifest(ctx, dir, m); failed == nil {
			return errors.Join(r.Problems...)
		}
		return failed
	})
	if err != nil && failed == nil && len(r.Problems) == 0 {
		return problem(err) // of the manifest
	}
	return r, failed
}

func verifyManifest(ctx context.Context, dir string, m *manifest.Manifest) (Report, error) {
	if err := m.Check(dir); err != nil {
		var r Report
		if len(m.Shards) == 1 {
			r, _ = verifyFile(ctx, filepath.Join(dir, m.Shards[0].File)) // says more than that the file is another
		}
		r.Problems = append(r.Problems, err)
		return r, ctx.Err()
	}
	if m.Build != nil {
		return Report{Problems: []error{unfinished(dir, "")}}, nil
	}
	if m.Routing != nil || len(m.Shards) > 1 || m.Shards[0].Blocks != nil {
		return verifyShards(ctx, dir, m)
	}
	differs := checkDirectory(dir, m) // before the file is read, which takes longer than a writer may leave it there
	r, err := verifyFile(ctx, filepath.Join(dir, m.Shards[0].File))
	if err != nil || len(r.Problems) > 0 {
		return r, err
	}
	if differs != nil {
		found, err := problem(differs)
		r.Problems = found.Problems
		return r, err
	}
	return r, nil
}

// verifyShards checks each shard, the growing segment, the routing, and that they are of one index.
func verifyShards(ctx context.Context, dir string, m *manifest.Manifest) (Report, error) {
	var all Report
	graphs := m.Shards
	if m.Growing != nil {
		graphs = append(slices.Clip(graphs), m.Growing.Shard)
	}
	for _, s := range graphs {
		r, err := verifyFile(ctx, filepath.Join(dir, s.File))
		if err != nil {
			return all, err
		}
		all.Rows += r.Rows
		all.Reachable += r.Reachable
		all.Unreachable += r.Unreachable
		all.Problems = append(all.Problems, r.Problems...)
		if err := verifyBlocks(ctx, dir, s); err != nil {
			r, err := problem(err)
			if err != nil {
				return all, err
			}
			all.Problems = append(all.Problems, r.Problems...)
		}
	}
	if m.Routing != nil {
		r, err := verifyFile(ctx, filepath.Join(dir, m.Routing.File))
		if err != nil {
			return all, err
		}
		all.Problems = append(all.Problems, r.Problems...)
	}
	if len(all.Problems) > 0 {
		return all, nil
	}
	err := checkDirectory(dir, m)
	var x *shard.Index
	if err == nil {
		x, err = shard.Open(ctx, dir, m, shard.OpenOptions{Mapped: true}) // what it holds was read above
	}
	if err != nil {
		r, err := problem(err)
		all.Problems = r.Problems
		return all, err
	}
	defer x.Close()
	all.Problems = append(append(all.Problems, x.CheckLabels()...), x.CheckRouting()...)
	return all, nil
}

// verifyBlocks checks the blocks of a shard, if it has any.
func verifyBlocks(ctx context.Context, dir string, s manifest.Shard) error {
	if s.Blocks == nil {
		return nil
	}
	sum, err := s.Sum()
	if err != nil {
		return err
	}
	return blocks.Verify(ctx, filepath.Join(dir, s.Blocks.File), sum)
}

func verifyFile(ctx context.Context, path string) (Report, error) {
	found, err := store.Verify(ctx, path)
	r := Report{Rows: found.Count, Reachable: found.Reachable, Unreachable: found.Unreachable, Problems: found.Problems}
	if err != nil && len(r.Problems) == 0 {
		return problem(err)
	}
	return r, ctx.Err()
}

// verifyLive maps the index and checks its links, labels and rows: of one that wasn't closed those that it has when it
// is opened. Files that were made before there were sums of rows have none.
func verifyLive(path string) (Report, error) {
	graph, err := store.MapLive(path, store.Options{Wait: store.DefaultWait, Unmeasured: true})
	if err != nil {
		return problem(err)
	}
	defer graph.Close()
	r := Report{Rows: graph.Len()}
	if err := store.CheckLive(path, graph); err != nil {
		r.Problems = append(r.Problems, err)
		return r, nil
	}
	return r.count(graph)
}

// verifyHnswlib opens the index, which checks all that the format lets one check.
func verifyHnswlib(ctx context.Context, path string) (Report, error) {
	graph, err := hnswlib.Read(ctx, path, hnswlib.Options{})
	if err != nil {
		return problem(err)
	}
	defer graph.Close()
	return Report{Rows: graph.Len()}.count(graph)
}

// verifyGraphs tells of graphs that were opened, which checks all that the format lets one check.
func verifyGraphs(x *shard.Index, err error) (Report, error) {
	if err != nil {
		return problem(err)
	}
	defer x.Close()
	return Report{Rows: x.Manifest().Rows}.count(x)
}

// count adds how many rows can be reached.
func (r Report) count(x interface {
	Reachable() (int, error)
	Unreachable() (int, error)
}) (Report, error) {
	var err error
	if r.Reachable, err = x.Reachable(); err == nil {
		r.Unreachable, err = x.Unreachable()
	}
	return r, err
}

// problem reports damage as such, and other errors as errors.
func problem(err error) (Report, error) {
	var damage *store.FormatError
	if errors.As(err, &damage) {
		return Report{Problems: []error{err}}, nil
	}
	return Report{}, fmt.Errorf("verify: %w", err)
}
