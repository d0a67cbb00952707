package shard

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/shale-search/shale/internal/filelock"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

func TestShardsAreBalancedAndComplete(t *testing.T) {
	t.Parallel()
	rows := clustered(6000, 16, 1)
	for name, c := range map[string]struct {
		copies float64
		memory int64
	}{"one copy": {1, 0}, "two copies": {2, 0}, "one and a half": {1.5, 0}, "from a sample": {2, buildMemory + 2<<20}} {
		if race.Enabled && name != "one and a half" {
			continue // the others differ in how rows are divided
		}
		t.Run(name, func(t *testing.T) {
			dir := built(t, rows, BuildOptions{Config: codes2(vector.L2), Shards: 12, Copies: c.copies, Memory: c.memory})
			x := opened(t, dir, OpenOptions{})
			stored, largest := 0, 0
			for _, s := range x.m.Shards {
				stored += s.Rows
				largest = max(largest, s.Rows)
			}
			if most := 1.3*float64(stored)/12 + 1; float64(largest) > most {
				t.Errorf("the largest shard has %d rows, %v are allowed", largest, most)
			}
			if copies := float64(stored) / 6000; copies > c.copies || c.copies > 1 && copies < 1.05 {
				t.Errorf("%v copies of a row, asked for %v", copies, c.copies)
			}
			if errs := x.CheckLabels(); len(errs) > 0 {
				t.Error(errs)
			}
			if _, err := os.Stat(BuildDir(dir)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the build's directory is left: %v", err)
			}
		})
	}
}

func TestBuildKeepsLabels(t *testing.T) {
	rows := clustered(900, 8, 2)
	labels := make([]uint64, rows.Rows())
	for i := range labels {
		labels[i] = math.MaxUint64 - 1 - uint64(i*i)
	}
	x := opened(t, built(t, rows, BuildOptions{Config: hnsw.Config{M: 8}, Shards: 4, Labels: labels}), OpenOptions{})
	for i := range rows.Rows() {
		found, err := x.SearchInto(nil, vector.Row[float32](rows, i), 1, search.Options{Probes: 4})
		if err != nil || len(found) != 1 || found[0].Label != labels[i] || found[0].Distance != 0 {
			t.Fatalf("row %d: %v, %v", i, found, err)
		}
	}
}

func TestBuildTakesWhateverRows(t *testing.T) {
	same := must(vector.Of(make([]float32, 8*600), 8))
	for name, c := range map[string]struct {
		rows   vector.Matrix
		shards int
		config hnsw.Config
		least  int // rows found: of many that are the same, links lead to some
	}{
		"all the same":      {same, 5, hnsw.Config{M: 4}, 5},
		"zeros, cosine":     {same, 5, hnsw.Config{Metric: vector.Cosine, M: 4}, 5},
		"one row":           {same.Slice(0, 1), 1, hnsw.Config{M: 4}, 1},
		"as many as shards": {clustered(7, 8, 1), 7, hnsw.Config{M: 4}, 7},
		// With few links a row may be one that none leads to: M is ample.
		"bytes": {must(vector.Of(byteRows(300*8), 8)), 3, hnsw.Config{M: 24}, 300},
	} {
		t.Run(name, func(t *testing.T) {
			x := opened(t, built(t, c.rows, BuildOptions{Config: c.config, Shards: c.shards, Copies: 2}), OpenOptions{})
			found, err := x.SearchInto(nil, make([]float32, 8), 1000, search.Options{Probes: c.shards, Ef: 1000})
			if err != nil || len(found) < c.least {
				t.Errorf("%d of %d rows found, %v", len(found), c.rows.Rows(), err)
			}
		})
	}
}

func byteRows(n int) []uint8 {
	rnd := rand.New(rand.NewPCG(9, 1))
	b := make([]uint8, n)
	for i := range b {
		b[i] = uint8(rnd.IntN(256))
	}
	return b
}

func TestBuildRefuses(t *testing.T) {
	rows := clustered(200, 8, 3)
	bad := must(vector.Of(append(make([]float32, 8*199), float32(math.NaN()), 0, 0, 0, 0, 0, 0, 0), 8))
	there := t.TempDir()
	if err := os.WriteFile(filepath.Join(there, "letter.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	ok := BuildOptions{Config: hnsw.Config{M: 4}, Shards: 2}
	with := func(change func(*BuildOptions)) BuildOptions {
		o := ok
		change(&o)
		return o
	}
	for name, c := range map[string]struct {
		rows vector.Matrix
		dir  string
		o    BuildOptions
		is   error
	}{
		"no rows":    {rows.Slice(0, 0), "", ok, nil},
		"NaN":        {bad, "", ok, nil},
		"3 copies":   {rows, "", with(func(o *BuildOptions) { o.Copies = 3 }), nil},
		"201 shards": {rows, "", with(func(o *BuildOptions) { o.Shards = 201 }), nil},
		"labels":     {rows, "", with(func(o *BuildOptions) { o.Labels = make([]uint64, 3) }), nil},
		"custom metric": {rows, "", with(func(o *BuildOptions) {
			o.Config.Custom = func(a,
				b []float32) float32 {
				return 0
			}
		}), nil},
		"10 MiB":        {rows, "", with(func(o *BuildOptions) { o.Memory = 10 << 20 }), ErrMemory},
		"an odd config": {rows, "", with(func(o *BuildOptions) { o.Config.M = 1 }), nil},
		"what is there": {rows, there, ok, fs.ErrExist},
	} {
		dir := c.dir
		if dir == "" {
			dir = filepath.Join(t.TempDir(), "index")
		}
		err := Build(context.Background(), MatrixSource(c.rows, "rows"), dir, c.o)
		if err == nil || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(dir); c.dir == "" && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: an index appeared, %v", name, err)
		}
	}
}

func TestBuildDirIsOneBuildsOwn(t *testing.T) {
	rows := MatrixSource(clustered(500, 8, 4), "rows")
	dir := filepath.Join(t.TempDir(), "index")
	o := BuildOptions{Config: hnsw.Config{M: 4}, Shards: 2}
	if err := os.Mkdir(BuildDir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	lock := must(filelock.Try(BuildDir(dir)))
	if err := Build(context.Background(), rows, dir, o); !errors.Is(err, ErrBusy) {
		t.Errorf("locked: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(BuildDir(dir), "letter.txt")
	if err := os.WriteFile(mine, []byte("dear"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Build(context.Background(), rows, dir, o); err == nil || !strings.Contains(err.Error(), "letter.txt") {
		t.Errorf("another file there: %v", err)
	}
	if err := os.Remove(mine); err != nil {
		t.Fatal(err)
	}
	if err := Build(context.Background(), rows, dir, o); err != nil {
		t.Error(err)
	}
}

func TestReplacingAnIndexIsOneStep(t *testing.T) {
	dir := built(t, clustered(300, 8, 5), BuildOptions{Config: hnsw.Config{M: 4}, Shards: 2})
	o := BuildOptions{Config: hnsw.Config{M: 4}, Shards: 3, Replace: true}
	if err := Build(context.Background(), MatrixSource(clustered(400, 8, 5), "others"), dir, o); err != nil {
		t.Fatal(err)
	}
	if x := opened(t, dir, OpenOptions{}); x.Len() != 400 || x.Shards() != 3 {
		t.Errorf("%d rows in %d shards", x.Len(), x.Shards())
	}
	if _, err := os.Stat(BuildDir(dir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old index is left: %v", err)
	}
}

// TestBuildGoesOn is a build in a process of its own, which prints its progress and which TestKilledBuildGoesOn kills.
func TestBuildGoesOn(t *testing.T) {
	dir := os.Getenv("SHALE_TEST_BUILD")
	if dir == "" {
		t.Skip("part of TestKilledBuildGoesOn")
	}
	o := killedOptions
	o.Progress = func(p Progress) { fmt.Printf("%s:%d\n", p.Step, p.Done) }
	if err := Build(context.Background(), MatrixSource(clustered(12000, 24, 6), "rows"), dir, o); err != nil {
		t.Fatal(err)
	}
}

var killedOptions = BuildOptions{Config: codes2(vector.L2), Shards: 10, Copies: 2, Threads: 1}

// buildUntil starts a build of dir in a process of its own and kills it once it reports at least done rows of a step.
// It reports whether the build was killed; a build that ends before must have succeeded.
func buildUntil(t *testing.T, dir, step string, done int) bool {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^TestBuildGoesOn$")
	c.Env = append(os.Environ(), "SHALE_TEST_BUILD="+dir)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var printed bytes.Buffer
	for lines := bufio.NewScanner(io.TeeReader(out, &printed)); lines.Scan(); {
		name, n, _ := strings.Cut(lines.Text(), ":")
		if rows, err := strconv.Atoi(n); err == nil && name == step && rows >= done {
			_ = c.Process.Kill()
			break
		}
	}
	if _, err := io.Copy(io.Discard, out); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil && c.ProcessState.ExitCode() >= 0 {
		t.Fatalf("%v\n%s", err, printed.String())
	}
	return !c.ProcessState.Success()
}

func TestKilledBuildGoesOn(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("kills processes for some seconds")
	}
	dir := filepath.Join(t.TempDir(), "index")
	kills, most := 0, 0
	for _, at := range []struct {
		step string
		done int
	}{
		{"sampling", 1}, {"dividing", 0}, {"routing", 0}, {"reordering", 1}, {"reordering", 11000},
		{"building shards", 1}, {"building shards", 3000}, {"building shards", 9000}, {"building shards", 14000},
		{"building shards", 18000}, {"no more", 0},
	} {
		if buildUntil(t, dir, at.step, at.done) {
			kills++
		}
		if _, err := os.Stat(dir); err == nil {
			break
		}
		m, err := manifest.Read(filepath.Join(BuildDir(dir), indexPart))
		switch {
		case err != nil && most > 0:
			t.Fatalf("killed at %v: %v", at, err)
		case err == nil && len(m.Shards) < most:
			t.Errorf("killed at %v: %d shards are recorded, there were %d", at, len(m.Shards), most)
		case err == nil:
			most = len(m.Shards)
		}
	}
	t.Logf("killed %d times", kills)
	if kills < 6 || most < 5 {
		t.Errorf("only %d builds were killed, the last with %d shards done", kills, most)
	}
	x := opened(t, dir, OpenOptions{})
	if errs := x.CheckLabels(); x.Len() != 12000 || len(errs) > 0 {
		t.Errorf("%d rows, %v", x.Len(), errs)
	}
	entries := must(os.ReadDir(dir))
	if len(entries) != 10+2 {
		t.Errorf("%d files: %v", len(entries), entries)
	}
	at := slices.IndexFunc(x.m.Shards, func(s manifest.Shard) bool { return s.Rows < 100 })
	if at >= 0 {
		t.Errorf("shard %d has %d rows", at, x.m.Shards[at].Rows)
	}
}

func TestDamagedIndexIsRefused(t *testing.T) {
	race.SkipSequential(t)
	t.Parallel()
	rows := clustered(1500, 8, 7)
	dir := built(t, rows, BuildOptions{Config: hnsw.Config{M: 4, EfConstruction: 20}, Shards: 4})
	var names []string
	whole := map[string][]byte{}
	for _, e := range must(os.ReadDir(dir)) {
		names = append(names, e.Name())
		whole[e.Name()] = must(os.ReadFile(filepath.Join(dir, e.Name())))
	}
	rnd := rand.New(rand.NewPCG(8, 1))
	put := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kinds := []struct {
		name   string
		damage func(name string, b []byte) bool // false: nothing was changed
	}{
		{"bit flipped", func(name string, b []byte) bool {
			b = bytes.Clone(b)
			b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(8)
			put(name, b)
			return true
		}},
		{"cut", func(name string, b []byte) bool { put(name, b[:rnd.IntN(len(b))]); return true }},
		{"lengthened", func(name string, b []byte) bool { put(name, append(bytes.Clone(b), 0)); return true }},
		{"missing", func(name string, _ []byte) bool { return os.Remove(filepath.Join(dir, name)) == nil }},
		{"swapped", func(name string, _ []byte) bool {
			other := names[rnd.IntN(len(names))]
			put(name, whole[other])
			return other != name
		}},
		{"page zeroed", func(name string, b []byte) bool {
			b = bytes.Clone(b)
			at := rnd.IntN(len(b))
			clear(b[at:min(at+512, len(b))])
			put(name, b)
			return !bytes.Equal(b, whole[name])
		}},
	}
	for range 1000 {
		name, kind := names[rnd.IntN(len(names))], kinds[rnd.IntN(len(kinds))]
		if !kind.damage(name, whole[name]) {
			put(name, whole[name])
			continue
		}
		m, err := manifest.Read(dir)
		var x *Index
		if err == nil {
			x, err = Open(context.Background(), dir, m, OpenOptions{})
		}
		if err == nil {
			x.Close()
			t.Fatalf("%s %s: no error", name, kind.name)
		}
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s %s: the error doesn't name the file: %v", name, kind.name, err)
		}
		put(name, whole[name])
	}
	opened(t, dir, OpenOptions{})
}

func TestDamagedRowsOnDiskAreToldOf(t *testing.T) {
	race.SkipSequential(t)
	rows, queries := clustered(4000, 48, 10), clustered(30, 48, 10)
	dir := built(t, rows, BuildOptions{Config: codes2(vector.L2), Shards: 2})
	memory := opened(t, dir, OpenOptions{}).Plan().MemoryBytes - 1
	path := filepath.Join(dir, "shard-0001.shale")
	whole := must(os.ReadFile(path))
	rnd := rand.New(rand.NewPCG(11, 1))
	x := opened(t, dir, OpenOptions{Memory: memory})
	right := must(x.SearchBatch(context.Background(), queries, 5, search.Options{Threads: 1, Probes: 2}))
	told := 0
	for range 60 {
		b := bytes.Clone(whole)
		for range 40 { // one bit alone mostly lies where no query looks
			at := int(x.parts[1].rows.place.Offset) + rnd.IntN(int(x.parts[1].rows.place.Bytes()))
			b[at] ^= 1 << rnd.IntN(8)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		found, err := x.SearchBatch(context.Background(), queries, 5, search.Options{Threads: 1, Probes: 2})
		var damage *store.FormatError
		switch {
		case err == nil && !slices.Equal(found.Labels, right.Labels):
			t.Fatal("damaged rows gave other answers")
		case err != nil && (!errors.As(err, &damage) || damage.File != path || damage.Field != "vectors"):
			t.Fatal(err)
		case err != nil:
			told++
			if _, err := x.SearchInto(nil, vector.Row[float32](queries, 0), 5, search.Options{Shards: []uint32{0}}); err != nil {
				t.Fatalf("after an error: %v", err)
			}
		}
	}
	if told == 0 {
		t.Error("no damage was met")
	}
}
