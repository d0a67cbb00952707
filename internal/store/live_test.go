package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

const liveDim = 32

func liveRows(n int, seed uint64) vector.Matrix {
	rnd := rand.New(rand.NewPCG(seed, 2))
	data := make([]float32, n*liveDim)
	for i := range data {
		data[i] = float32(rnd.NormFloat64())
	}
	rows, err := vector.Of(data, liveDim)
	if err != nil {
		panic(err)
	}
	return rows
}

var liveConfigs = map[string]hnsw.Config{
	"rows":        {M: 8},
	"halves":      {Storage: vector.Float16, Metric: vector.Cosine},
	"bytes":       {Storage: rowtype.ScaledInt8, Codes: hnsw.Codes{Bits: 4}},
	"codes":       {Codes: hnsw.Codes{Bits: 2}, Storage: vector.Float16, ReplaceDelete: true},
	"codes alone": {Codes: hnsw.Codes{Bits: 8}, Storage: rowtype.NoRows},
}

func create(t testing.TB, c hnsw.Config, capacity int) (string, *hnsw.Index) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "live.shale")
	c.Dim, c.Capacity = liveDim, capacity
	x, err := CreateLive(path, c, CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return path, x
}

func reopen(t testing.TB, path string) (*hnsw.Index, hnsw.Recovery) {
	t.Helper()
	x, r, err := OpenLive(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x, r
}

func answers(t testing.TB, r interface {
	Search([]float32, int, search.Options) ([]search.Neighbor, error)
}, queries vector.Matrix) [][]search.Neighbor {
	t.Helper()
	var all [][]search.Neighbor
	q := make([]float32, queries.Dim())
	for i := range queries.Rows() {
		queries.Decode(i, q)
		found, err := r.Search(q, 7, search.Options{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found)
	}
	return all
}

// TestLiveIsTheIndexInMemory makes the same changes in a file and in memory: both answer alike, also after closing and
// opening the file, for writing and for reading only.
func TestLiveIsTheIndexInMemory(t *testing.T) {
	race.SkipSequential(t)
	for name, c := range liveConfigs {
		t.Run(name, func(t *testing.T) {
			path, live := create(t, c, 3000)
			c.Dim = liveDim
			memory, err := hnsw.New(c)
			if err != nil {
				t.Fatal(err)
			}
			defer memory.Close()
			queries := liveRows(30, 7)
			compare := func(when string, got interface {
				Search([]float32, int, search.Options) ([]search.Neighbor, error)
			}) {
				t.Helper()
				for i, want := range answers(t, memory, queries) {
					if found := answers(t, got, queries.Slice(i, i+1))[0]; !slices.Equal(found, want) {
						t.Fatalf("%s: query %d found %v, not %v", when, i, found, want)
					}
				}
			}
			both := func(change func(*hnsw.Index) error) {
				t.Helper()
				if err := errors.Join(change(live), change(memory)); err != nil {
					t.Fatal(err)
				}
			}
			both(func(x *hnsw.Index) error {
				return x.AddBatch(context.Background(), liveRows(2000, 1), nil, hnsw.BatchOptions{Threads: 1})
			})
			compare("added", live)
			again := func() {
				t.Helper()
				if err := live.Close(); err != nil {
					t.Fatal(err)
				}
				frozen, err := MapLive(path, Options{})
				if err != nil {
					t.Fatal(err)
				}
				compare("mapped", frozen)
				for what, err := range map[string]error{
					"add": frozen.Add(1, make([]float32, liveDim), hnsw.AddOptions{}), "delete": frozen.Delete(3),
					"batch": frozen.AddBatch(context.Background(), liveRows(1200, 1), nil, hnsw.BatchOptions{}),
				} {
					if !errors.Is(err, hnsw.ErrFrozen) {
						t.Errorf("%s: %v", what, err)
					}
				}
				if err := frozen.Close(); err != nil {
					t.Error(err)
				}
				live, _ = reopen(t, path)
				compare("opened again", live)
			}
			again()
			more := liveRows(20, 3)
			for i := range 20 {
				both(func(x *hnsw.Index) error { return x.Delete(uint64(50 * i)) })
				both(func(x *hnsw.Index) error {
					return x.Add(uint64(50*i+1), vector.Row[float32](more, i), hnsw.AddOptions{})
				})
				both(func(x *hnsw.Index) error {
					return x.Add(uint64(5000+i), vector.Row[float32](more, i), hnsw.AddOptions{ReplaceDeleted: c.ReplaceDelete})
				})
			}
			both(func(x *hnsw.Index) error { return errors.Join(x.Delete(7), x.Undelete(7), x.Delete(9)) })
			compare("changed", live)
			again()
			if live.Len() != memory.Len() || live.Deleted() != memory.Deleted() {
				t.Errorf("%d elements, %d deleted; not %d, %d", live.Len(), live.Deleted(), memory.Len(), memory.Deleted())
			}
		})
	}
}

func TestLiveIsFullAtItsCapacity(t *testing.T) {
	path, x := create(t, hnsw.Config{FixedCapacity: true}, 100)
	err := x.AddBatch(context.Background(), liveRows(101, 1), nil, hnsw.BatchOptions{})
	if !errors.Is(err, hnsw.ErrFull) || x.Len() != 100 {
		t.Errorf("%v with %d elements", err, x.Len())
	}
	if err := x.Reorder(); !errors.Is(err, hnsw.ErrBacked) {
		t.Errorf("reorder: %v", err)
	}
	if _, _, err := OpenLive(path, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("opened twice: %v", err)
	}
	if _, err := MapLive(path, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("mapped while it changes: %v", err)
	}
	if _, err := CreateLive(path, hnsw.Config{Dim: 3, Capacity: 1}, CreateOptions{}); !errors.Is(err, os.ErrExist) {
		t.Errorf("made twice: %v", err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	a, err := MapLive(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := MapLive(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, _, err := OpenLive(path, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("opened for writing while it is mapped: %v", err)
	}
}

// TestLiveSavesAsOthersDo saves a live index in the ordinary format and freezes it.
func TestLiveSavesAsOthersDo(t *testing.T) {
	_, x := create(t, liveConfigs["codes"], 2500)
	if err := x.AddBatch(context.Background(), liveRows(2000, 1), nil, hnsw.BatchOptions{}); err != nil {
		t.Fatal(err)
	}
	want := answers(t, x, liveRows(20, 7))
	path := filepath.Join(t.TempDir(), "saved.shale")
	if err := Save(context.Background(), path, x); err != nil {
		t.Fatal(err)
	}
	opened, err := Open(context.Background(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	frozen, err := x.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	defer frozen.Close()
	for i, w := range want {
		q := liveRows(20, 7).Slice(i, i+1)
		if got := answers(t, opened.Reader(), q)[0]; !slices.Equal(got, w) {
			t.Fatalf("saved: %v, not %v", got, w)
		}
		if got := answers(t, frozen, q)[0]; !slices.Equal(got, w) {
			t.Fatalf("frozen: %v, not %v", got, w)
		}
	}
}

// TestLiveThatIsCutOff cuts the file while it is open: every change and search that meets the hole gives an error, and
// so does closing; the file isn't taken for one in order afterwards.
func TestLiveThatIsCutOff(t *testing.T) {
	race.SkipSequential(t)
	for name, c := range liveConfigs {
		t.Run(name, func(t *testing.T) {
			path, x := create(t, c, 3000)
			rows := liveRows(2000, 1)
			if err := x.AddBatch(context.Background(), rows, nil, hnsw.BatchOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, 8192); err != nil {
				t.Fatal(err)
			}
			var fault *mmap.FaultError
			row := vector.Row[float32](rows, 9)
			if _, err := x.Search(row, 3, search.Options{}); !errors.As(err, &fault) {
				t.Errorf("search: %v", err)
			}
			if _, err := x.SearchBatch(context.Background(), rows.Slice(0, 9), 3,
				search.Options{Threads: 2}); !errors.As(err, &fault) {
				t.Errorf("batch: %v", err)
			}
			if err := x.AddBatch(context.Background(), liveRows(50, 2), nil,
				hnsw.BatchOptions{Threads: 4}); !errors.As(err, &fault) {
				t.Errorf("add a batch: %v", err)
			}
			for what, err := range map[string]error{
				"add": x.Add(9000, row, hnsw.AddOptions{}), "update": x.Add(3, row, hnsw.AddOptions{}), "delete": x.Delete(4),
				"sync": x.Sync(), "close": x.Close(),
			} {
				if !errors.Is(err, hnsw.ErrFaulted) {
					t.Errorf("%s: %v", what, err)
				}
			}
			var format *FormatError
			if _, _, err := OpenLive(path, Options{}); !errors.As(err, &format) {
				t.Errorf("opened again: %v", err)
			}
		})
	}
}

func TestLiveIsResized(t *testing.T) {
	race.SkipSequential(t)
	for name, c := range liveConfigs {
		t.Run(name, func(t *testing.T) {
			path, x := create(t, c, 1500)
			rows := liveRows(3000, 1)
			if err := x.AddBatch(context.Background(), rows.Slice(0, 1500), nil, hnsw.BatchOptions{}); err != nil {
				t.Fatal(err)
			}
			queries := liveRows(20, 7)
			want := answers(t, x, queries)
			if err := ResizeLive(path, 2000, Options{}); !errors.Is(err, ErrLocked) {
				t.Errorf("resized while it is open: %v", err)
			}
			if err := x.Close(); err != nil {
				t.Fatal(err)
			}
			for _, capacity := range []int{3000, 1500, 3100} {
				if err := ResizeLive(path, capacity, Options{}); err != nil {
					t.Fatal(err)
				}
			}
			if err := ResizeLive(path, 1499, Options{}); err == nil {
				t.Error("resized below what it holds")
			}
			x, _ = reopen(t, path)
			for i, found := range answers(t, x, queries) {
				if !slices.Equal(found, want[i]) {
					t.Fatalf("query %d found %v, not %v", i, found, want[i])
				}
			}
			if err := x.AddBatch(context.Background(), rows.Slice(1500, 3000), nil, hnsw.BatchOptions{}); err != nil {
				t.Fatal(err)
			}
			if err := CheckLive(path, x); err != nil || x.Len() != 3000 || x.Capacity() != 3100 {
				t.Errorf("%v, %d elements in room for %d", err, x.Len(), x.Capacity())
			}
			left, err := os.ReadDir(filepath.Dir(path))
			if err != nil || len(left) != 1 {
				t.Errorf("%v are left, %v", left, err)
			}
		})
	}
}

// TestLiveChangesWhileItIsSearched adds, updates, deletes, replaces, saves and searches at the same time.
func TestLiveChangesWhileItIsSearched(t *testing.T) {
	path, x := create(t, liveConfigs["codes"], 2500)
	rows := liveRows(2000, 1)
	if err := x.AddBatch(context.Background(), rows.Slice(0, 1100), nil, hnsw.BatchOptions{}); err != nil {
		t.Fatal(err)
	}
	var changing, searching sync.WaitGroup
	do := func(change func(i int) error) {
		changing.Go(func() {
			for i := range 300 {
				if err := change(i); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	row := func(i int) []float32 { return liveRow(rows, i) }
	do(func(i int) error { return x.Add(uint64(1100+i), row(1100+i), hnsw.AddOptions{}) })
	do(func(i int) error { return x.Add(uint64(i), row(i), hnsw.AddOptions{}) })
	do(func(i int) error {
		if err := x.Delete(uint64(500 + i)); err != nil || i%2 == 0 {
			return err
		}
		return x.Add(uint64(5000+i), row(1400+i), hnsw.AddOptions{ReplaceDeleted: true})
	})
	do(func(i int) error {
		if i%60 == 0 {
			return x.Sync()
		}
		return nil
	})
	done := make(chan struct{})
	for i := range 2 {
		searching.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if found, err := x.Search(row(900+i), 3, search.Options{}); err != nil || len(found) != 3 ||
					found[0].Label != uint64(900+i) {
					t.Errorf("%v, %v", found, err)
					return
				}
			}
		})
	}
	changing.Wait()
	close(done)
	searching.Wait()
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	x, _ = reopen(t, path)
	if err := CheckLive(path, x); err != nil {
		t.Error(err)
	}
	for i := range 300 {
		got := make([]float32, liveDim)
		if err := x.Vector(uint64(1100+i), got); err != nil {
			t.Error(err)
		}
	}
}

func liveRow(rows vector.Matrix, i int) []float32 {
	v := make([]float32, rows.Dim())
	rows.Decode(i, v)
	return v
}

// TestLiveGrows adds many more elements than there is room for, copies of each other among them, while others search:
// all are found, also after the file was opened again, and what is at the path is the file that the index is in.
func TestLiveGrows(t *testing.T) {
	for name, c := range liveConfigs {
		t.Run(name, func(t *testing.T) {
			path, x := create(t, c, 20)
			rows := liveRows(1300, 1)
			done := make(chan struct{})
			var searching sync.WaitGroup
			searching.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					if _, err := x.Search(liveRow(rows, 3), 1, search.Options{}); err != nil {
						t.Error(err)
						return
					}
				}
			})
			for i := range 20 {
				if err := x.Add(uint64(5000+i), liveRow(rows, 0), hnsw.AddOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			err := x.AddBatch(context.Background(), rows, nil, hnsw.BatchOptions{Threads: 3})
			close(done)
			searching.Wait()
			if err != nil || x.Capacity() < 1320 {
				t.Fatalf("%v, room for %d", err, x.Capacity())
			}
			want := answers(t, x, rows.Slice(0, 50))
			if err := x.Close(); err != nil {
				t.Fatal(err)
			}
			x, _ = reopen(t, path)
			if err := CheckLive(path, x); err != nil || x.Len() != 1320 {
				t.Errorf("%v, %d elements", err, x.Len())
			}
			for i, found := range answers(t, x, rows.Slice(0, 50)) {
				if !slices.Equal(found, want[i]) {
					t.Fatalf("query %d found %v, not %v", i, found, want[i])
				}
			}
			if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
				t.Errorf("%v are left, %v", left, err)
			}
		})
	}
}
