package shard

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/vector"
)

// small is memory for links and codes of an index of some thousand short rows, but not for its rows.
func small(t *testing.T, dir string) int64 {
	t.Helper()
	all := must(PlanSearch(dir, must(manifest.Read(dir)), 0, SearchLoad{}))
	return all.MemoryBytes - 1
}

func TestEachVectorGivesEveryRowOnce(t *testing.T) {
	race.SkipSequential(t)
	t.Parallel()
	const n, dim = 9000, 24
	rows := clustered(n, dim, 3)
	dir := built(t, rows, BuildOptions{Config: codes2(vector.Cosine), Shards: 3, Copies: 1.5})
	for name, o := range map[string]OpenOptions{
		"memory": {}, "disk": {Memory: small(t, dir)}, "mapped": {Mapped: true}, "apart": {Mapped: true, RowsApart: true},
	} {
		t.Run(name, func(t *testing.T) {
			x := opened(t, dir, o)
			if x.plan.RowsOnDisk != (name == "disk" || name == "apart") {
				t.Fatalf("the plan is %v", x.plan)
			}
			want, met := make([]float32, dim), map[uint64]bool{}
			order := must(x.LabelsInOrder())
			if len(order) != n {
				t.Fatalf("%d labels in order", len(order))
			}
			err := x.EachVector(context.Background(), func(labels []uint64, block vector.Matrix) error {
				if block.Rows() != len(labels) {
					t.Fatalf("%d rows, %d labels", block.Rows(), len(labels))
				}
				for i, label := range labels {
					if label != order[len(met)] {
						t.Fatalf("label %d comes in the place of %d", label, order[len(met)])
					}
					if met[label] {
						t.Fatalf("label %d twice", label)
					}
					met[label] = true
					rows.Decode(int(label), want)
					vector.Normalize(want)
					for j, v := range vector.Row[float32](block, i) {
						if math.Abs(float64(v-want[j])) > 1e-6 {
							t.Fatalf("label %d, value %d: %v, it is %v", label, j, v, want[j])
						}
					}
				}
				return nil
			})
			if err != nil || len(met) != n {
				t.Errorf("%d of %d rows, %v", len(met), n, err)
			}
			labels, err := x.Findable()
			for _, l := range labels {
				delete(met, l)
			}
			if err != nil || len(labels) != n || len(met) != 0 {
				t.Errorf("%d labels, %d of them missing, %v", len(labels), len(met), err)
			}
		})
	}
}

func TestEachVectorPassesOverDeletedRowsOnDisk(t *testing.T) {
	const n, dim = 3000, 40
	rows := clustered(n, dim, 4)
	c := codes2(vector.L2)
	c.Dim = dim
	index := must(hnsw.New(c))
	defer index.Close()
	ctx, dir := context.Background(), t.TempDir()
	if err := index.AddBatch(ctx, rows, nil, hnsw.BatchOptions{}); err != nil {
		t.Fatal(err)
	}
	deleted := map[uint64]bool{}
	for label := uint64(0); label < n; label += 3 {
		deleted[label] = true
		if err := index.Delete(label); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Save(ctx, filepath.Join(dir, "s.shale"), index); err != nil {
		t.Fatal(err)
	}
	m := &manifest.Manifest{Rows: n, Deleted: len(deleted), Dim: dim, Metric: "l2", M: c.M,
		BaseLinks: index.Config().BaseLinks, EfConstruction: c.EfConstruction, Seed: index.Config().Seed,
		Shards: []manifest.Shard{must(manifest.Describe(dir, "s.shale"))}}
	m.Shards[0].Rows = n
	if err := m.Write(dir); err != nil {
		t.Fatal(err)
	}
	x := opened(t, dir, OpenOptions{Memory: small(t, dir)})
	met, want := 0, make([]float32, dim)
	err := x.EachVector(ctx, func(labels []uint64, block vector.Matrix) error {
		for i, label := range labels {
			rows.Decode(int(label), want)
			if got := vector.Row[float32](block, i); deleted[label] || got[0] != want[0] || got[dim-1] != want[dim-1] {
				t.Fatalf("label %d: %v, it is %v, deleted: %v", label, got, want, deleted[label])
			}
		}
		met += len(labels)
		return nil
	})
	if err != nil || met != n-len(deleted) {
		t.Errorf("%d rows, %d are not deleted, %v", met, n-len(deleted), err)
	}
	some := []uint64{2, 3, 4, 77, n - 2, n + 5}
	var found []uint64
	err = x.EachVectorOf(ctx, some, func(labels []uint64, block vector.Matrix) error {
		for i, label := range labels {
			rows.Decode(int(label), want)
			if got := vector.Row[float32](block, i); got[0] != want[0] || got[dim-1] != want[dim-1] {
				t.Errorf("label %d: %v, it is %v", label, got, want)
			}
		}
		found = append(found, labels...)
		return nil
	})
	slices.Sort(found)
	alive := slices.DeleteFunc(some, func(l uint64) bool { return deleted[l] || l >= n })
	if err != nil || !slices.Equal(found, alive) {
		t.Errorf("of some labels %v are found, and %v are there, %v", found, alive, err)
	}
	labels, err := x.Findable()
	if err != nil || len(labels) != n-len(deleted) ||
		slices.ContainsFunc(labels, func(l uint64) bool { return deleted[l] }) {
		t.Errorf("%d labels, %d are not deleted, %v", len(labels), n-len(deleted), err)
	}
}

func TestEachVectorRefusesDamagedRows(t *testing.T) {
	dir := built(t, clustered(3000, 40, 5), BuildOptions{Config: codes2(vector.L2), Shards: 1})
	x := opened(t, dir, OpenOptions{Memory: small(t, dir)})
	f := must(os.OpenFile(x.parts[0].rows.path, os.O_RDWR, 0))
	defer f.Close()
	at := x.parts[0].rows.place.Offset + x.parts[0].rows.place.Bytes()/2
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 4
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
	err := x.EachVector(context.Background(), func([]uint64, vector.Matrix) error { return nil })
	var damage *store.FormatError
	if !errors.As(err, &damage) {
		t.Errorf("a flipped bit gives %v", err)
	}
}
