package shard

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shale-search/shale/internal/floats"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/quant/pq"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// forkFixture is a directory that hnswlib-mmap wrote, of shards of 40, 15 and 35 rows, and what it finds there;
// store/hnswlib/ testdata/mmap.py makes them.
const forkFixture = "testdata/fork"

type forkAnswers struct {
	Rows, Queries [][]float32
	Labels        [][]uint64
	Distances     [][]float32
}

func readAnswers(t *testing.T) (a forkAnswers, rows vector.Matrix) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(forkFixture, "answers.json"))
	if err == nil {
		err = json.Unmarshal(b, &a)
	}
	if err != nil {
		t.Fatal(err)
	}
	return a, must(vector.Of(slices.Concat(a.Rows...), 8))
}

func openFork(t *testing.T, dir string, o ForkOptions) *Index {
	t.Helper()
	x, err := OpenFork(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

// sameAnswers fails unless x finds what hnswlib-mmap does.
func sameAnswers(t *testing.T, x *Index, a forkAnswers, tolerance float64) {
	t.Helper()
	for i, q := range a.Queries {
		found, err := x.SearchInto(nil, q, len(a.Labels[i]), search.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for j, n := range found {
			if n.Label != a.Labels[i][j] || math.Abs(float64(n.Distance-a.Distances[i][j])) > tolerance {
				t.Errorf("query %d, place %d: found %v, hnswlib-mmap %d at %v", i, j, n, a.Labels[i][j], a.Distances[i][j])
			}
		}
	}
}

func TestForkFixture(t *testing.T) {
	a, rows := readAnswers(t)
	halves := make([]uint16, 0, 90*8)
	for _, v := range slices.Concat(a.Rows...) {
		halves = append(halves, floats.ToHalf(v))
	}
	for name, o := range map[string]ForkOptions{
		"in memory": {}, "mapped": {Mapped: true}, "one in memory": {InMemory: 1},
		"without index.meta": {Shards: 3, Metric: vector.Cosine}, "mapped elsewhere": {Mapped: true, TempDir: t.TempDir()},
	} {
		t.Run(name, func(t *testing.T) {
			x := openFork(t, forkFixture, o)
			if !x.External() || x.Len() != 90 || x.Shards() != 3 || x.Dim() != 8 || x.Metric() != vector.Cosine {
				t.Fatalf("%d rows of %d values in %d shards by %v", x.Len(), x.Dim(), x.Shards(), x.Metric())
			}
			if _, err := x.SearchInto(nil, a.Queries[0], 1, search.Options{}); !errors.Is(err, hnsw.ErrNoRows) {
				t.Fatalf("a search without rows gave %v", err)
			}
			if err := x.Attach(rows.Slice(0, 89), hnsw.AttachOptions{}); err == nil {
				t.Fatal("too few rows were taken")
			}
			if err := x.Attach(rows, hnsw.AttachOptions{}); err != nil {
				t.Fatal(err)
			}
			sameAnswers(t, x, a, 1e-6)
			if err := x.Attach(must(vector.Of(halves, 8)), hnsw.AttachOptions{Mapped: true}); err != nil {
				t.Fatal(err)
			}
			sameAnswers(t, x, a, 1e-3)
		})
	}
	for _, dir := range []string{forkFixture, t.TempDir()} {
		if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 {
			t.Fatalf("left behind: %v, %v", left, err)
		}
	}
}

// Shards can be named, and what isn't found is told as such.
func TestForkParts(t *testing.T) {
	a, rows := readAnswers(t)
	x := openFork(t, forkFixture, ForkOptions{})
	if err := x.Attach(rows, hnsw.AttachOptions{}); err != nil {
		t.Fatal(err)
	}
	queries := must(vector.Of(slices.Concat(a.Queries...), 8))
	r, err := x.SearchBatch(context.Background(), queries, 20, search.Options{Threads: 2, Shards: []uint32{1, 7}})
	if err != nil {
		t.Fatal(err)
	}
	for q := range a.Queries {
		if r.Counts[q] != 15 {
			t.Fatalf("%d results of a shard of 15", r.Counts[q])
		}
		for i := range 20 {
			label, distance := r.Labels[q*20+i], r.Distances[q*20+i]
			if found := label >= 40 && label < 55; found != (i < 15) || i >= 15 &&
				(label != search.NoLabel || !math.IsInf(float64(distance), 1)) {
				t.Errorf("place %d: %d at %v", i, label, distance)
			}
		}
	}
	if found, err := x.SearchInto(nil, a.Queries[0], 3, search.Options{Shards: []uint32{}}); err != nil || len(found) > 0 {
		t.Errorf("no shards hold %v, %v", found, err)
	}
	only := search.FilterFunc(func(l uint64) bool { return l == 44 || l == 70 })
	found, err := x.SearchInto(nil, a.Queries[0], 3, search.Options{Filter: only})
	if err != nil || len(found) != 2 || found[0].Label+found[1].Label != 114 {
		t.Errorf("a filter let %v pass, %v", found, err)
	}
}

func TestForkLabels(t *testing.T) {
	a, rows := readAnswers(t)
	for _, mapped := range []bool{false, true} {
		x := openFork(t, forkFixture, ForkOptions{LabelsAreGlobal: true, Mapped: mapped})
		if err := x.Attach(rows, hnsw.AttachOptions{}); err != nil {
			t.Fatal(err)
		}
		labels := func() []uint64 {
			found, err := x.SearchInto(nil, a.Queries[1], 1, search.Options{Shards: []uint32{2}})
			if err != nil {
				t.Fatal(err)
			}
			return []uint64{found[0].Label}
		}
		before := labels()
		if err := x.SetLabelsAreGlobal(false); err != nil {
			t.Fatal(err)
		}
		sameAnswers(t, x, a, 1e-6)
		if after := labels(); after[0] != before[0]+55 {
			t.Errorf("label %d became %d, not %d", before, after, before[0]+55)
		}
		if err := errors.Join(x.SetLabelsAreGlobal(true), x.SetLabelsAreGlobal(true)); err != nil {
			t.Fatal(err)
		}
		if again := labels(); again[0] != before[0] {
			t.Errorf("label %d became %d", before, again)
		}
	}
}

// copyFork copies the fixture, to be damaged.
func copyFork(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "fork")
	if err := os.CopyFS(dir, os.DirFS(forkFixture)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestForkDamage(t *testing.T) {
	u64 := func(v ...uint64) (b []byte) {
		for _, v := range v {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
		return b
	}
	rename := func(t *testing.T, dir, from, to string) {
		t.Helper()
		if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name string, at int, b []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, name)
			old, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			copy(old[at:], b)
			if err := os.WriteFile(path, old, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	swap := func(a, b string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			rename(t, dir, a, "x")
			rename(t, dir, b, a)
			rename(t, dir, "x", b)
		}
	}
	remove := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		damage      func(*testing.T, string)
		file, field string
	}{
		"no index.meta":         {remove("index.meta"), "index.meta", "file"},
		"no graph":              {remove("shard_1.graph"), "shard_1.graph", "file"},
		"no meta":               {remove("shard_2.meta"), "shard_2.meta", "file"},
		"magic":                 {write("index.meta", 0, []byte{1}), "index.meta", "magic"},
		"no shards":             {write("index.meta", 4, u64(0)), "index.meta", "shards"},
		"shards without end":    {write("index.meta", 4, u64(1<<60)), "index.meta", "shards"},
		"a shard too many":      {write("index.meta", 4, u64(4)), "shard_3.meta", "file"},
		"a shard too few":       {write("index.meta", 4, u64(2)), "index.meta", "total"},
		"total":                 {write("index.meta", 12, u64(91)), "index.meta", "total"},
		"dim":                   {write("index.meta", 20, u64(0)), "index.meta", "dim"},
		"another dim":           {write("index.meta", 20, u64(9)), "shard_0.graph", "vector bytes"},
		"length of the name":    {write("index.meta", 44, u64(5)), "index.meta", "length of the space's name"},
		"space":                 {write("index.meta", 52, []byte("x")), "index.meta", "space"},
		"start after end":       {write("shard_1.meta", 0, u64(56)), "shard_1.meta", "end"},
		"end":                   {write("shard_1.meta", 8, u64(54)), "shard_1.meta", "count"},
		"endless":               {write("shard_1.meta", 0, u64(math.MaxUint64)), "shard_1.meta", "start"},
		"rows of another shard": {write("shard_1.meta", 0, u64(39, 54)), "shard_1.meta", "start"},
		"swapped graphs":        {swap("shard_0.graph", "shard_1.graph"), "shard_0.graph", "count"},
		"swapped metas":         {swap("shard_1.meta", "shard_2.meta"), "shard_1.graph", "count"},
		"a graph's own damage":  {write("shard_2.graph", 76, []byte{0xff}), "shard_2.graph", "number of links"},
		"a graph in the place of the meta": {func(t *testing.T, dir string) {
			rename(t, dir, "shard_1.graph", "shard_1.meta")
		}, "shard_1.meta", "length"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := copyFork(t)
			c.damage(t, dir)
			for _, o := range []ForkOptions{{}, {Mapped: true}} {
				x, err := OpenFork(context.Background(), dir, o)
				var bad *store.FormatError
				if !errors.As(err, &bad) || bad.File != filepath.Join(dir, c.file) || bad.Field != c.field {
					t.Errorf("%+v: %v, %v; want %s of %s", o, x, err, c.field, c.file)
				}
				if missing := c.field == "file"; errors.Is(err, fs.ErrNotExist) != missing {
					t.Errorf("missing, %v: %v", missing, err)
				}
			}
		})
	}
}

// Every byte that is flipped in the small files, and every cut, is told or harmless.
func TestForkMetaFlips(t *testing.T) {
	_, rows := readAnswers(t)
	for _, name := range []string{"index.meta", "shard_1.meta"} {
		dir := copyFork(t)
		path := filepath.Join(dir, name)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		try := func(b []byte) error {
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			x, err := OpenFork(context.Background(), dir, ForkOptions{})
			if err != nil {
				var bad *store.FormatError
				if !errors.As(err, &bad) {
					t.Fatalf("not a *FormatError: %v", err)
				}
				return err
			}
			_ = x.Attach(rows, hnsw.AttachOptions{})
			return x.Close()
		}
		for i := range b {
			b[i] ^= 0x41
			err := try(b)
			// M and ef_construction are told by graphs
			if told := err != nil; !told && !(name == "index.meta" && i >= 28 && i < 44) {
				t.Errorf("%s, byte %d: not told", name, i)
			}
			b[i] ^= 0x41
			if try(b[:i]) == nil {
				t.Errorf("%s, cut to %d bytes: not told", name, i)
			}
		}
		if try(append(b, 0)) == nil {
			t.Errorf("%s: a byte too many isn't told", name)
		}
	}
}

// Graphs of one size that were swapped are told once there are rows.
func TestSwappedForkShards(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "fork")
	rows := clustered(1200, 16, 1)
	for i := range 3 {
		part := rows.Slice(i*400, (i+1)*400)
		if err := BuildForkShard(context.Background(), dir, part, ForkShardOptions{Shard: i, Start: i * 400}); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range []string{"graph", "meta"} { // with both swapped, shards have other numbers, and all is well
		a, b := filepath.Join(dir, "shard_0."+kind), filepath.Join(dir, "shard_2."+kind)
		for _, move := range [][2]string{{a, a + "x"}, {b, a}, {a + "x", b}} {
			if err := os.Rename(move[0], move[1]); err != nil {
				t.Fatal(err)
			}
		}
		x := openFork(t, dir, ForkOptions{Shards: 3, Dim: 16})
		err := x.Attach(rows, hnsw.AttachOptions{})
		if fits := kind == "meta"; fits != (err == nil) || !fits && !errors.Is(err, hnsw.ErrOtherRows) {
			t.Errorf("once each %s was swapped: %v", kind, err)
		}
	}
}

// TestForkCodes attaches codes to all shards, in the order of rows and in another one.
func TestForkCodes(t *testing.T) {
	ctx, dir := context.Background(), filepath.Join(t.TempDir(), "fork")
	rows := clustered(900, 16, 1)
	for i := range 3 {
		if err := BuildForkShard(ctx, dir, rows.Slice(i*300, (i+1)*300),
			ForkShardOptions{Shard: i, Start: i * 300}); err != nil {
			t.Fatal(err)
		}
	}
	q := must(pq.Train(ctx, rows, pq.Config{Dim: 16, Subvectors: 8, Bits: 8}, pq.TrainOptions{}))
	codes, encoder, row := make([]byte, q.Bytes(900)), q.NewEncoder(), make([]float32, 16)
	shuffled, order := make([]byte, len(codes)), make([]int64, 900)
	for i := range 900 {
		rows.Decode(i, row)
		encoder.Encode(codes[i*8:i*8+8], row)
		order[i] = int64((i*7 + 13) % 900) // 7 and 900 have no common divisor
		copy(shuffled[order[i]*8:], codes[i*8:i*8+8])
	}
	alone := pq.NewScorer(q, codes)
	far := func(label uint64, query []float32) float32 {
		alone.Bind(query)
		var d [1]float32
		alone.Score([]uint32{uint32(label)}, d[:])
		return d[0]
	}
	for _, o := range []ForkOptions{{Shards: 3}, {Shards: 3, Mapped: true}} {
		x := openFork(t, dir, o)
		if err := x.AttachPQ(q, codes[:899*8], hnsw.AttachPQOptions{}); err == nil {
			t.Fatal("too few codes were taken")
		}
		if err := x.AttachPQ(q, codes, hnsw.AttachPQOptions{Order: order[:899]}); err == nil {
			t.Fatal("too short an order was taken")
		}
		wrong := slices.Clone(order)
		wrong[500] = 900
		if err := x.AttachPQ(q, codes, hnsw.AttachPQOptions{Order: wrong}); err == nil {
			t.Fatal("an order that leads past the codes was taken")
		}
		var found [2][]search.Neighbor
		for i, a := range []struct {
			codes []byte
			order []int64
		}{{codes, nil}, {shuffled, order}} {
			if err := x.AttachPQ(q, a.codes, hnsw.AttachPQOptions{Order: a.order}); err != nil {
				t.Fatal(err)
			}
			for at := 0; at < 900; at += 90 {
				rows.Decode(at, row)
				got := must(x.SearchInto(nil, row, 5, search.Options{Ef: 100}))
				for _, n := range got {
					if want := far(n.Label, row); n.Distance != want {
						t.Errorf("row %d is said to be at %v, its code is at %v", n.Label, n.Distance, want)
					}
				}
				found[i] = append(found[i], got...)
			}
		}
		if !slices.Equal(found[0], found[1]) {
			t.Error("codes in another order find others")
		}
		if err := x.Attach(rows, hnsw.AttachOptions{}); err != nil {
			t.Fatal(err)
		}
		for at := 0; at < 900; at += 90 {
			rows.Decode(at, row)
			if got := must(x.SearchInto(nil, row, 1, search.Options{})); got[0].Label != uint64(at) || got[0].Distance != 0 {
				t.Errorf("row %d is found as %v", at, got)
			}
		}
	}
}

// TestIndependentWalksAreTheSameInAnyOrder: walks that don't end by what others have found give the same results with
// any number of threads, and find no less.
func TestIndependentWalksAreTheSameInAnyOrder(t *testing.T) {
	a, rows := readAnswers(t)
	x := openFork(t, forkFixture, ForkOptions{})
	if err := x.Attach(rows, hnsw.AttachOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, q := range a.Queries {
		one, err := x.SearchInto(nil, q, 5, search.Options{Independent: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, threads := range []int{2, 3} {
			many, err := x.SearchInto(nil, q, 5, search.Options{Independent: true, Threads: threads})
			if err != nil || !slices.Equal(one, many) {
				t.Fatalf("%d threads: %v, %v, not %v", threads, many, err, one)
			}
		}
		shared, err := x.SearchInto(nil, q, 5, search.Options{})
		if err != nil || shared[4].Distance < one[4].Distance {
			t.Fatalf("together they found %v, %v, alone %v", shared, err, one)
		}
	}
}
