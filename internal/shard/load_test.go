package shard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// TestPlanCountsSearches tests that a plan counts the memory of searches: with less of it fewer queries are under way,
// and an error names the least that suffices.
func TestPlanCountsSearches(t *testing.T) {
	dir := built(t, clustered(4000, 16, 1), BuildOptions{Config: hnsw.Config{M: 8}, Shards: 4})
	m := must(manifest.Read(dir))
	plan := func(memory int64, l SearchLoad) (Plan, error) { return PlanSearch(dir, m, memory, l) }

	short := must(plan(1<<30, SearchLoad{Threads: 2}))
	if short.SearchBytes != 0 || short.Threads != 2 {
		t.Errorf("short searches: %+v", short)
	}
	all := must(plan(0, SearchLoad{K: 4000, Ef: 4000, Threads: 2, Queries: 1000}))
	if all.SearchBytes != 0 || all.Threads != 0 || all.MemoryBytes != short.MemoryBytes {
		t.Errorf("without a bound: %+v", all)
	}
	long := SearchLoad{K: 1 << 30, Ef: 1 << 30, Threads: 64, Queries: 1000}
	wide := must(plan(4<<30, long))
	if results := int64(1000 * 4000 * resultBytes); wide.SearchBytes < results-shortLoad || wide.Threads != 64 {
		t.Errorf("results of %d bytes: %+v", results, wide)
	}
	if wide.MemoryBytes != short.MemoryBytes+wide.SearchBytes || wide.ArrayBytes() != short.ArrayBytes() {
		t.Errorf("searches aren't part of %+v", wide)
	}

	before := wide
	for memory := wide.MemoryBytes; ; memory -= 1 << 20 {
		p, err := plan(memory, long)
		if err != nil {
			var mib int64
			if !errors.Is(err, ErrMemory) {
				t.Fatal(err)
			}
			if _, scanErr := fmt.Sscanf(err.Error(),
				ErrMemory.Error()+": searches for 4000 neighbours with an ef of 4000 need %d MiB", &mib); scanErr != nil {
				t.Fatalf("%v: %v", err, scanErr)
			}
			if _, err := plan(mib<<20, long); err != nil {
				t.Errorf("told to need %d MiB, and with these: %v", mib, err)
			}
			if _, err := plan((mib-1)<<20, long); err == nil {
				t.Errorf("told to need %d MiB, but does with less", mib)
			}
			break
		}
		if p.MemoryBytes > memory || p.Threads > before.Threads && p.MappedShards == before.MappedShards {
			t.Errorf("%d bytes: %+v after %+v", memory, p, before)
		}
		before = p
	}
	if before.Threads != 1 || before.MappedShards != 4 {
		t.Errorf("in the least memory: %+v", before)
	}
	if _, err := Open(context.Background(), dir, m, OpenOptions{Memory: 64 << 20, Load: long}); !errors.Is(err,
		ErrMemory) {
		t.Errorf("80 MB of results in 64 MiB: %v", err)
	}
}

// TestFewLanesFindTheSame: how many queries are under way doesn't change what is found.
func TestFewLanesFindTheSame(t *testing.T) {
	rows, queries := clustered(3000, 24, 5), clustered(40, 24, 6)
	dir := built(t, rows, BuildOptions{Config: codes2(vector.L2), Shards: 2})
	memory := small(t, dir)
	want := must(opened(t, dir, OpenOptions{Memory: memory}).
		SearchBatch(context.Background(), queries, 50, search.Options{Threads: 2, Independent: true}))
	l := loadOf(must(manifest.Read(dir)), SearchLoad{K: 50, Ef: 200, Threads: 2})
	for lanes, bytes := range map[int]int64{
		1: shortLoad - 3*l.laneBytes(must(manifest.Read(dir))), 5: shortLoad - 11*l.laneBytes(must(manifest.Read(dir))),
	} {
		l.Bytes = bytes + memory - must(PlanSearch(dir, must(manifest.Read(dir)), memory, SearchLoad{Threads: 2})).MemoryBytes
		x := opened(t, dir, OpenOptions{Memory: memory, Load: l})
		if p := x.Plan(); !p.RowsOnDisk || p.Lanes != lanes || p.Threads != 2 {
			t.Errorf("the plan for %d lanes: %+v", lanes, p)
		}
		found := must(x.SearchBatch(context.Background(), queries, 50, search.Options{Threads: 2, Independent: true}))
		if !slices.Equal(found.Labels, want.Labels) || !slices.Equal(found.Distances, want.Distances) {
			t.Errorf("%d lanes find something else", lanes)
		}
	}
}
