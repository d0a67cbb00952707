//go:build unix

package shale_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/search"
)

const (
	victimRows = 3000
	victimDim  = 24
)

// content is the files of a directory by their names.
type content map[string][]byte

func contentOf(t *testing.T, dir string) content {
	t.Helper()
	c := content{}
	for _, name := range files(t, dir) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		c[name] = b
	}
	return c
}

// victim is an index directory that gets damaged again and again, and what its searches find while it is whole.
type victim struct {
	name   string
	dir    string
	whole  content
	twin   content // an index of other rows, built with the same options
	before content // an earlier generation of the index; nil: there is none
	open   shale.OpenOptions
	lazy   bool // rows are read as searches need them
	tight  bool // memory doesn't hold all shards, some of which are mapped
	attach bool // rows are attached
	right  answers
}

// answers are what searches found, those of a usual effort and those that read all.
type answers struct {
	labels    []uint64
	distances []float32
}

func (a answers) equal(b answers) bool {
	return slices.Equal(a.labels, b.labels) && slices.Equal(a.distances, b.distances)
}

// ask opens the index and searches it.
func (v *victim) ask(t *testing.T) (usual, deep answers, openErr, searchErr error) {
	x, err := shale.Open(ctx, v.dir, v.open)
	if err != nil {
		return usual, deep, err, nil
	}
	defer x.Close()
	if v.attach {
		if err := x.Attach(random(t, victimRows, victimDim, 1), false); err != nil {
			return usual, deep, nil, err
		}
	}
	queries := random(t, 3, victimDim, 3)
	find := func(k int, o search.Options) (answers, error) {
		found, err := x.SearchBatch(ctx, queries, k, onThreads(1, o))
		if err != nil {
			return answers{}, err
		}
		return answers{found.Labels, found.Distances}, nil
	}
	usual, err = find(5, search.Options{Ef: 30})
	if err != nil {
		searchErr = err
	}
	deep, err = find(victimRows, search.Options{Ef: 2 * victimRows, Rerank: 2 * victimRows, Probes: 1 << 20})
	return usual, deep, nil, errors.Join(searchErr, err)
}

// restore makes the directory whole again.
func (v *victim) restore(t *testing.T) {
	t.Helper()
	for _, name := range files(t, v.dir) {
		path := filepath.Join(v.dir, name)
		if v.whole[name] != nil && isRegular(path) {
			if b, err := os.ReadFile(path); err == nil && bytes.Equal(b, v.whole[name]) {
				continue
			}
		}
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
	for name, b := range v.whole {
		if _, err := os.Lstat(filepath.Join(v.dir, name)); errors.Is(err, fs.ErrNotExist) {
			v.put(t, name, b)
		}
	}
}

func isRegular(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular()
}

func (v *victim) put(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(v.dir, name), b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// tells reports whether an error says what is wrong with one of the files.
func tells(err error, names []string) bool {
	var format *store.FormatError
	var path *fs.PathError
	if !errors.As(err, &format) && !errors.As(err, &path) && !errors.Is(err, shale.ErrNotIndex) {
		return false
	}
	return slices.ContainsFunc(names, func(n string) bool { return strings.Contains(err.Error(), n) })
}

// check opens, searches and verifies the damaged directory.
func (v *victim) check(t *testing.T, names []string) error {
	usual, deep, openErr, searchErr := v.ask(t)
	switch {
	case openErr != nil:
		if !tells(openErr, names) {
			return fmt.Errorf("opening doesn't tell what is wrong with %v: %w", names, openErr)
		}
	case v.open.Mapped: // what isn't read isn't checked; that searches end is all that is promised
	case !v.lazy:
		return fmt.Errorf("opened, with %v damaged", names)
	case searchErr == nil:
		return fmt.Errorf("all rows were read, with %v damaged", names)
	case !tells(searchErr, names):
		return fmt.Errorf("searching doesn't tell what is wrong with %v: %w", names, searchErr)
	case usual.labels != nil && !usual.equal(v.right) || deep.labels != nil:
		return errors.New("a search gave other answers")
	}
	report, err := shale.Verify(ctx, v.dir)
	if err = errors.Join(append(report.Problems, err)...); err == nil {
		return fmt.Errorf("verify found nothing, with %v damaged", names)
	}
	if !tells(err, names) {
		return fmt.Errorf("verify doesn't tell what is wrong with %v: %w", names, err)
	}
	return nil
}

// A thousand index directories, each damaged in another way, are refused with an error that names a damaged file; where
// rows are read later the error comes from the search that reads them; and Verify finds all of it.
func TestDamagedDirectoriesAreRefused(t *testing.T) {
	race.SkipSequential(t)
	cases := 1000
	if testing.Short() {
		cases = 150
	}
	victims := makeVictims(t)
	tried := map[string]int{}
	for seed, done := 0, 0; done < cases; seed++ {
		v := victims[seed%len(victims)]
		rnd := rand.New(rand.NewPCG(uint64(seed), 1))
		d := damages[rnd.IntN(len(damages))]
		names := d.do(t, v, rnd)
		if len(names) == 0 {
			v.restore(t)
			continue
		}
		tried[d.name]++
		done++
		if err := v.check(t, names); err != nil {
			t.Errorf("case %d, %s, %s: %v", seed, v.name, d.name, err)
		}
		v.restore(t)
	}
	for _, d := range damages {
		if tried[d.name] == 0 {
			t.Errorf("no case of: %s", d.name)
		}
	}
	for _, v := range victims {
		usual, _, openErr, searchErr := v.ask(t)
		if err := errors.Join(openErr, searchErr); err != nil || !usual.equal(v.right) {
			t.Errorf("%s, whole again: %v", v.name, err)
		}
	}
	t.Logf("%v", tried)
}

// Nothing of a mapped index is checked before a search reads it: a search of a damaged one may find other rows, or give
// an error that names the index, but it ends.
func TestSearchesOfDamagedMappingsEnd(t *testing.T) {
	race.SkipSequential(t)
	const cases = 150
	told := 0
	for _, v := range makeVictims(t) {
		if !v.open.Mapped {
			continue
		}
		for seed := range cases {
			rnd := rand.New(rand.NewPCG(uint64(seed), 2))
			names := flipInSection(t, v, rnd)
			if _, _, _, err := v.ask(t); err != nil {
				told++
				if !strings.Contains(err.Error(), v.dir) {
					t.Errorf("case %d, %s: the error doesn't name the index: %v", seed, v.name, err)
				}
			}
			v.put(t, names[0], v.whole[names[0]])
		}
	}
	if told == 0 {
		t.Error("no damage was met that a search can't pass over")
	}
}

// makeVictims builds the kinds of directories there are.
func makeVictims(t *testing.T) []*victim {
	t.Helper()
	options := shale.BuildOptions{M: 5, EfConstruction: 30, Codes: shale.RaBitQ4, Threads: 1}
	plain := shale.BuildOptions{M: 5, EfConstruction: 30, Codes: shale.Float32, Threads: 1}
	only := shale.BuildOptions{M: 5, EfConstruction: 30, External: true, Threads: 1}
	one, links, shards := makeOne(t, options), makeOne(t, only), makeShards(t, options)
	plainShards := makeShards(t, plain)
	return []*victim{
		makeVictim(t, victim{name: "one shard", whole: one.whole, twin: one.twin, before: one.before}),
		makeVictim(t, victim{name: "one shard, rows on disk", whole: one.whole, twin: one.twin,
			before: one.before, lazy: true}),
		makeVictim(t, victim{name: "one shard, mapped", whole: one.whole, twin: one.twin, before: one.before,
			open: shale.OpenOptions{Mapped: true}}),
		makeVictim(t, victim{name: "external", whole: links.whole, twin: links.twin, attach: true}),
		makeVictim(t, victim{name: "external, mapped", whole: links.whole, twin: links.twin, attach: true,
			open: shale.OpenOptions{Mapped: true}}),
		makeVictim(t, victim{name: "shards", whole: shards.whole, twin: shards.twin}),
		makeVictim(t, victim{name: "shards, rows on disk", whole: shards.whole, twin: shards.twin, lazy: true}),
		makeVictim(t, victim{name: "shards, mapped", whole: shards.whole, twin: shards.twin,
			open: shale.OpenOptions{Mapped: true}}),
		makeVictim(t, victim{name: "shards without codes", whole: plainShards.whole, twin: plainShards.twin}),
		makeVictim(t, victim{name: "shards without codes, mapped for want of memory", whole: plainShards.whole,
			twin: plainShards.twin, tight: true}),
	}
}

// makeVictim writes the directory and asks it while it is whole.
func makeVictim(t *testing.T, v victim) *victim {
	t.Helper()
	v.dir = t.TempDir()
	v.restore(t)
	if v.lazy || v.tight {
		v.open.Memory = rowsOnDisk(t, v.dir)
	}
	usual, deep, openErr, searchErr := v.ask(t)
	if err := errors.Join(openErr, searchErr); err != nil || len(deep.labels) == 0 {
		t.Fatalf("%s, whole: %v", v.name, err)
	}
	v.right = usual
	if report, err := shale.Verify(ctx, v.dir); err != nil || len(report.Problems) > 0 {
		t.Fatalf("%s, whole: %v, %v", v.name, report.Problems, err)
	}
	return &v
}

// rowsOnDisk is a memory that holds all of an index but its rows.
func rowsOnDisk(t *testing.T, dir string) int64 {
	t.Helper()
	m, err := manifest.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	x, err := shale.Open(ctx, dir, shale.OpenOptions{Memory: 1 << 40})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	memory := int64(24 << 20)
	for _, s := range m.Shards {
		info, err := store.Inspect(filepath.Join(dir, s.File))
		if err != nil {
			t.Fatal(err)
		}
		memory += s.Bytes - info.Section(store.Vectors).Length/2
	}
	if m.Routing != nil {
		memory += m.Routing.Bytes
	}
	return memory
}

// makeOne builds an index of one shard, and changes it once.
func makeOne(t *testing.T, o shale.BuildOptions) victim {
	t.Helper()
	var v victim
	save := func(seed uint64) (x *shale.Index, dir string) {
		x, err := shale.Build(ctx, random(t, victimRows, victimDim, seed), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { x.Close() })
		dir = filepath.Join(t.TempDir(), "index")
		if err := x.Save(ctx, dir, shale.SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		return x, dir
	}
	_, twin := save(2)
	v.twin = contentOf(t, twin)
	x, dir := save(1)
	if !o.External {
		v.before = contentOf(t, dir)
		if err := x.Delete(5); err != nil {
			t.Fatal(err)
		}
		if err := x.Save(ctx, dir, shale.SaveOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	v.whole = contentOf(t, dir)
	return v
}

func makeShards(t *testing.T, o shale.BuildOptions) victim {
	t.Helper()
	build := func(seed uint64) content {
		dir := filepath.Join(t.TempDir(), "index")
		o.Path, o.Shards, o.Copies, o.Centroids = dir, 3, 1.5, 8
		if err := buildAt(ctx, matrixSource{random(t, victimRows, victimDim, seed)}, o); err != nil {
			t.Fatal(err)
		}
		return contentOf(t, dir)
	}
	return victim{whole: build(1), twin: build(2)}
}
