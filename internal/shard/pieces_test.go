package shard

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/quant"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/vector"
)

// The pieces of a build, each on its own and as several machines would run them.

func divided(t *testing.T, rows vector.Matrix, o DivideOptions) *Division {
	t.Helper()
	d, err := Divide(context.Background(), rows, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func divideInto(shards int, copies float64) DivideOptions {
	return DivideOptions{Config: codes2(vector.L2), Shards: shards, Sample: 900, Copies: copies, Centroids: 20, Threads: 1}
}

// TestDivide: every row of the sample has a home, no shard has too many, and every shard has centroids.
func TestDivide(t *testing.T) {
	t.Parallel()
	rows := clustered(2000, 16, 1)
	d := divided(t, rows, divideInto(5, 2))
	if d.Sample.Len() != 900 || len(d.Home) != 900 || len(d.Second) != 900 || len(d.Held) != 100*16 {
		t.Fatalf("a sample of %d rows, %d homes, %d second ones, %d values held out",
			d.Sample.Len(), len(d.Home), len(d.Second), len(d.Held))
	}
	sizes, second := make([]int, 5), 0
	for i, home := range d.Home {
		sizes[home]++
		if d.Second[i] != home {
			second++
		}
	}
	if most := mostOfSample(900, 5, 2); slices.Max(sizes) > most || second == 0 {
		t.Errorf("%v rows of the sample in each shard, at most %d may be; %d have a second one", sizes, most, second)
	}
	leads := make([]bool, 5)
	for _, label := range must(d.Centroids().Labels()) {
		leads[label>>32] = true
	}
	if slices.Contains(leads, false) {
		t.Errorf("shards with centroids: %v", leads)
	}
}

// TestAssign: every row goes to one shard or, with copies, to at most two, with its bytes, and none gets too many.
func TestAssign(t *testing.T) {
	t.Parallel()
	rows := clustered(2000, 16, 1)
	for _, copies := range []float64{1, 1.5} {
		d := divided(t, rows, divideInto(5, copies))
		went := make([][]uint32, rows.Rows())
		put := func(shard uint32, row int, values []byte) error {
			if !bytes.Equal(values, rows.RowBytes(row)) || slices.Contains(went[row], shard) {
				t.Errorf("row %d goes to shard %d after %v", row, shard, went[row])
			}
			went[row] = append(went[row], shard)
			return nil
		}
		a, err := Assign(context.Background(), rows, d, AssignOptions{Copies: copies, Threads: 1}, put)
		if err != nil {
			t.Fatal(err)
		}
		sizes, stored := make([]int, 5), 0
		for row, shards := range went {
			if n := len(shards); n < 1 || n > 2 || copies == 1 && n > 1 {
				t.Fatalf("row %d went to %v", row, shards)
			}
			stored += len(shards)
			for _, s := range shards {
				sizes[s]++
			}
		}
		if a.Rows != 2000 || a.Stored != stored || !slices.Equal(a.Sizes, sizes) {
			t.Errorf("the assignment is %+v, %v rows went to the shards, %d in all", a, sizes, stored)
		}
		if copies > 1 == (stored == 2000) || float64(slices.Max(sizes)) > float64(stored)/5*skew+1 {
			t.Errorf("%v copies: %v rows went to the shards", copies, sizes)
		}
		failed := errors.New("no room")
		_, err = Assign(context.Background(), rows, d, AssignOptions{Copies: copies},
			func(uint32, int, []byte) error { return failed })
		if !errors.Is(err, failed) {
			t.Errorf("an assignment whose rows can't be put away: %v", err)
		}
	}
}

// parted writes rows as one part file.
func parted(t *testing.T, dir string, rows vector.Matrix, labels []uint64) Part {
	t.Helper()
	w, err := CreateParts(dir, 1, rows.Dim()*4, 1<<10, labels)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for i := range rows.Rows() {
		if err := w.Put(0, i, rows.RowBytes(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	return Part{Path: filepath.Join(dir, PartFile(0)), Rows: rows.Rows(), Type: rows.Type(), Dim: rows.Dim()}
}

// TestBuildShard: a shard is built of its part file alone, and is what the manifest's entry says.
func TestBuildShard(t *testing.T) {
	t.Parallel()
	rows, labels := clustered(60, 16, 1), make([]uint64, 60)
	for i := range labels {
		labels[i] = uint64(7 * (i + 1))
	}
	part, to := parted(t, t.TempDir(), rows, labels), t.TempDir()
	last := 0
	s, err := BuildShard(context.Background(), part, to, "a.shale", ShardOptions{
		Config: codes2(vector.L2), Blocks: true, Progress: func(done int) { last = done },
	})
	if err != nil {
		t.Fatal(err)
	}
	want := must(manifest.Describe(to, "a.shale"))
	same := s.File == want.File && s.Bytes == want.Bytes && s.CRC32C == want.CRC32C
	if !same || s.Rows != 60 || s.Blocks == nil || last != 60 {
		t.Errorf("the shard is %+v, its file %+v, %d rows were told of", s, want, last)
	}
	x, err := store.OpenIndex(context.Background(), filepath.Join(to, "a.shale"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	found, row := must(x.Labels()), make([]float32, 16)
	slices.Sort(found)
	if !slices.Equal(found, labels) {
		t.Errorf("labels %v", found)
	}
	for i, label := range labels {
		if err := x.Vector(label, row); err != nil || !slices.Equal(row, vector.Row[float32](rows, i)) {
			t.Fatalf("label %d has %v, %v", label, row, err)
		}
	}
	part.Rows++
	_, err = BuildShard(context.Background(), part, to, "b.shale", ShardOptions{})
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a part file that is too short: %v", err)
	}
	if _, err := os.Stat(filepath.Join(to, "b.shale")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it has left a file: %v", err)
	}
}

// TestPublish: what is published takes the place of an index only if that is asked for, and without the files of steps.
func TestPublish(t *testing.T) {
	t.Parallel()
	rows, dir, to := clustered(60, 16, 1), t.TempDir(), filepath.Join(t.TempDir(), "index")
	make := func(name string) (string, *manifest.Manifest) {
		from := filepath.Join(dir, name)
		if err := os.Mkdir(from, 0o777); err != nil {
			t.Fatal(err)
		}
		part := parted(t, from, rows, nil)
		s, err := BuildShard(context.Background(), part, from, ShardFile(0), ShardOptions{Config: codes2(vector.L2)})
		if err != nil {
			t.Fatal(err)
		}
		return from, must(IndexManifest(from, []manifest.Shard{s}, nil, 60))
	}
	from, m := make("first")
	if err := Publish(from, to, m, false); err != nil {
		t.Fatal(err)
	}
	published := must(manifest.Read(to))
	if published.CRC32C != m.CRC32C || published.Rows != 60 || published.Dim != 16 || published.Check(to) != nil {
		t.Errorf("published: %+v", published)
	}
	if left := names(t, to); !slices.Equal(left, []string{manifest.Name, ShardFile(0)}) {
		t.Errorf("published: %v", left)
	}
	from, m = make("second")
	if err := Publish(from, to, m, false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("an index in the place of another: %v", err)
	}
	if err := Publish(from, to, m, true); err != nil {
		t.Errorf("once it may: %v", err)
	}
}

func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestPiecesMakeWhatBuildMakes: where each step is done in a directory of its own, and the shards are built from the
// last to the first, the index is the same as that of Build, byte for byte.
func TestPiecesMakeWhatBuildMakes(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	rows, labels := clustered(2000, 16, 1), make([]uint64, 2000)
	for i := range labels {
		labels[i] = uint64(3 * (i + 1))
	}
	for name, codes := range map[string]hnsw.Codes{"bits": {Bits: 2}, "products": {Kind: quant.Product, Bits: 8}} {
		c := hnsw.Config{M: 8, EfConstruction: 60, Storage: vector.Float32, Codes: codes, Seed: 5}
		whole := built(t, rows, BuildOptions{
			Config: c, Labels: labels, Shards: 4, Sample: 900, Copies: 1.5, Centroids: 20, Threads: 1, Blocks: true,
		})
		steps, index := t.TempDir(), filepath.Join(t.TempDir(), "index")
		o := divideInto(4, 1.5)
		o.Config = c
		d := divided(t, rows, o)
		w := must(CreateParts(steps, 4, 16*4, 1<<12, labels))
		a, err := Assign(ctx, rows, d, AssignOptions{Copies: 1.5, Threads: 1}, w.Put)
		if err := errors.Join(err, w.Commit()); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(index, 0o777); err != nil {
			t.Fatal(err)
		}
		routing := must(WriteRouting(ctx, index, d, float64(a.Stored)/float64(a.Rows), 1))
		shards := make([]manifest.Shard, 4)
		for i := 3; i >= 0; i-- {
			other := t.TempDir()
			part := Part{Path: filepath.Join(other, "rows"), Rows: a.Sizes[i], Type: vector.Float32, Dim: 16}
			if err := os.Rename(filepath.Join(steps, PartFile(i)), part.Path); err != nil {
				t.Fatal(err)
			}
			s := ShardOptions{Config: c, Blocks: true, Threads: 1}
			s.Config.Dim = 16
			s.Config.Quantizer = must(TrainCodes(ctx, rows, CodesOptions{Config: c, Threads: 1}))
			shards[i] = must(BuildShard(ctx, part, other, ShardFile(i), s))
			for _, file := range []string{shards[i].File, shards[i].Blocks.File} {
				if err := os.Rename(filepath.Join(other, file), filepath.Join(index, file)); err != nil {
					t.Fatal(err)
				}
			}
		}
		m := must(IndexManifest(index, shards, routing, 2000))
		to := filepath.Join(t.TempDir(), "index")
		if err := Publish(index, to, m, false); err != nil {
			t.Fatal(err)
		}
		files := names(t, whole)
		if got := names(t, to); !slices.Equal(got, files) || len(files) != 4+4+2 {
			t.Fatalf("%s: %v, Build makes %v", name, got, files)
		}
		for _, file := range files {
			if !bytes.Equal(must(os.ReadFile(filepath.Join(to, file))), must(os.ReadFile(filepath.Join(whole, file)))) {
				t.Errorf("%s: %s isn't what Build makes", name, file)
			}
		}
	}
}
