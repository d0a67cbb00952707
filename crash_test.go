package shale_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/inside"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/internal/vfs/crashfs"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

var longFaults = flag.Bool("shale.faults", false,
	"make every operation of the changes that take long fail, and not those of the others")

// crashCase is a change of an index, every operation of which is made to fail or to be the last one before a power cut.
type crashCase struct {
	rows      vector.Matrix // that are attached to an external index
	before    func(path string) error
	change    func(path string) error // which comes to the same when it is done again
	long      bool                    // whether it takes seconds, and others show nearly the same
	noUnnamed bool                    // whether the file system knows no files without a name
	base, at  string                  // a directory as it is before, and where one as it is after lies
	old, new  string                  // the states
	names     int                     // files and directories after the change
	attempts  int
	faults    int // operations made to fail, or to be the last one
	images    int // contents of the disk after a power cut
	seen      map[string]bool
}

const crashIndex = "index"

// contentOf is all that an index at path answers, after it was verified; "" if nothing is there.
func (c *crashCase) contentOf(path string) (string, error) {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if entries, err := os.ReadDir(path); err == nil && len(entries) == 0 {
		return "", nil
	}
	r, err := shale.Verify(ctx, path)
	if err := errors.Join(append(r.Problems, err)...); err != nil {
		return "", fmt.Errorf("verify: %w", err)
	}
	x, err := shale.Open(ctx, path, shale.OpenOptions{})
	if err != nil {
		return "", err
	}
	defer x.Close()
	if inside.Of(x).External() {
		if err := x.Attach(c.rows, false); err != nil {
			return "", err
		}
	}
	found, err := x.Search(make([]float32, x.Dim()), 2*r.Rows, search.Options{Ef: 2 * r.Rows, Probes: 1 << 10})
	if err != nil {
		return "", err
	}
	slices.SortFunc(found, func(a, b search.Neighbor) int { return int(a.Label) - int(b.Label) })
	return fmt.Sprintf("%d rows, ef %d, %v", r.Rows, inside.Of(x).Effort().Ef, found), nil
}

// attempt changes a copy of the directory with a fault.
func (c *crashCase) attempt(t *testing.T, f crashfs.Fault) (dir string, x *crashfs.FS, err error) {
	t.Helper()
	dir = c.fresh(t)
	if err := crashfs.Copy(c.base, dir); err != nil {
		t.Fatal(err)
	}
	x, err = crashfs.New(dir, f)
	if err != nil {
		t.Fatal(err)
	}
	x.NoUnnamed = c.noUnnamed
	stop := x.Use(t)
	defer stop()
	return dir, x, c.change(filepath.Join(dir, crashIndex))
}

// fresh is a path for a directory that isn't there yet.
func (c *crashCase) fresh(t *testing.T) string {
	c.attempts++
	return filepath.Join(c.at, fmt.Sprint(c.attempts))
}

// run tries everything.
func (c *crashCase) run(t *testing.T) {
	c.at = t.TempDir()
	c.base = c.fresh(t)
	if err := os.Mkdir(c.base, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(c.base, crashIndex)
	if c.before != nil {
		if err := c.before(path); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if c.old, err = c.contentOf(path); err != nil {
		t.Fatal(err)
	}
	dir, x, err := c.attempt(t, crashfs.Fault{})
	if err != nil {
		t.Fatal(err)
	}
	if c.new, err = c.contentOf(filepath.Join(dir, crashIndex)); err != nil || c.new == c.old {
		t.Fatalf("after the change: %q, %v", c.new, err)
	}
	c.names = c.count(t, dir)
	ops := x.Ops()
	c.cut(t, "when it is done", x, true)
	for i := 0; i < len(ops); i += stepOf() {
		op := ops[i]
		for _, f := range c.faultsOf(op, i+1) {
			c.try(t, op, f)
			if t.Failed() {
				return // the first says enough
			}
		}
	}
	t.Logf("%d operations, %d faults, %d contents of the disk after a power cut, %d of them different",
		len(ops), c.faults, c.images, len(c.seen))
}

// stepOf is how far apart the operations are that faults are tried at.
func stepOf() int {
	if testing.Short() {
		return 6
	}
	return 1
}

// faultsOf are all the faults of operation n.
func (c *crashCase) faultsOf(op crashfs.Op, n int) []crashfs.Fault {
	all := []crashfs.Fault{{At: n, Kind: crashfs.Fails, Err: syscall.EIO}}
	if op.TakesSpace() {
		all = append(all, crashfs.Fault{At: n, Kind: crashfs.Fails, Err: syscall.ENOSPC},
			crashfs.Fault{At: n, Kind: crashfs.Fails, Err: syscall.ENOSPC, Lasting: crashfs.Op.TakesSpace})
	}
	if op.TakesDescriptor() {
		all = append(all, crashfs.Fault{At: n, Kind: crashfs.Fails, Err: syscall.EMFILE},
			crashfs.Fault{At: n, Kind: crashfs.Fails, Err: syscall.EMFILE, Lasting: crashfs.Op.TakesDescriptor})
	}
	if op.Changes {
		all = append(all, crashfs.Fault{At: n, Kind: crashfs.Fails, Err: syscall.EIO, Lasting: crashfs.Any},
			crashfs.Fault{At: n, Kind: crashfs.Misled, Err: syscall.EIO}, crashfs.Fault{At: n, Kind: crashfs.Cut})
	}
	if op.IsWrite() {
		all = append(all, crashfs.Fault{At: n, Kind: crashfs.Tears, Err: syscall.ENOSPC},
			crashfs.Fault{At: n, Kind: crashfs.TornCut})
	}
	return all
}

// try lets one operation fail or be the last.
func (c *crashCase) try(t *testing.T, op crashfs.Op, f crashfs.Fault) {
	t.Helper()
	c.faults++
	dir, x, err := c.attempt(t, f)
	defer os.RemoveAll(dir)
	lasting := ""
	if f.Lasting != nil {
		lasting = " and all after it"
	}
	about := fmt.Sprintf("operation %d%s, %v, %v (%v): the change gave %v", f.At, lasting, op, f.Kind, f.Err, err)
	if f.Kind == crashfs.Cut || f.Kind == crashfs.TornCut {
		c.cut(t, about, x, err == nil)
		return
	}
	if n := x.Unclosed(); n > 0 {
		t.Errorf("%s, and %d files are still open", about, n)
	}
	c.cut(t, about+"; then the power is cut", x, err == nil)
	if entries, readErr := crashfs.Read(dir); readErr != nil {
		t.Error(readErr)
	} else if c.isNew(entries, err == nil) {
		c.check(t, about, dir, err == nil)
		c.again(t, about, dir)
	}
}

// cut tries all that may be on the disk after a power cut.
func (c *crashCase) cut(t *testing.T, about string, x *crashfs.FS, done bool) {
	t.Helper()
	image, err := x.Image()
	if err != nil {
		t.Fatal(err)
	}
	for s := range crashfs.Survivals {
		c.images++
		entries := image.Entries(s, uint64(c.images))
		if !c.isNew(entries, done) {
			continue
		}
		dir := c.fresh(t)
		if err := crashfs.Write(dir, entries); err != nil {
			t.Fatal(err)
		}
		c.check(t, fmt.Sprintf("%s; %v", about, s), dir, done)
		c.again(t, fmt.Sprintf("%s; %v", about, s), dir)
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
}

// temporary matches the random number in temporary names.
var temporary = regexp.MustCompile(`\.[0-9a-f]{16}(\.shale-tmp)`)

// isNew reports whether no disk that held the same was looked at before.
func (c *crashCase) isNew(entries []crashfs.Entry, done bool) bool {
	h := sha256.New()
	for _, e := range entries {
		path := temporary.ReplaceAllString(e.Path, "$1")
		fmt.Fprintf(h, "%q %v %d\n", path, e.Dir, len(e.Content))
		h.Write(e.Content)
	}
	key := fmt.Sprint(done, h.Sum(nil))
	if c.seen[key] {
		return false
	}
	if c.seen == nil {
		c.seen = map[string]bool{}
	}
	c.seen[key] = true
	return true
}

// check tests that the index is as before the change or after it, and after it if it was done.
func (c *crashCase) check(t *testing.T, about, dir string, done bool) {
	t.Helper()
	is, err := c.contentOf(filepath.Join(dir, crashIndex))
	switch {
	case err != nil:
		t.Errorf("%s\n%v\n%v", about, err, c.list(t, dir))
	case done && is != c.new:
		t.Errorf("%s, but the index is\n%s, not\n%s", about, is, c.new)
	case is != c.new && is != c.old:
		t.Errorf("%s\nthe index is\n%s\nit was\n%s\nand was to become\n%s", about, is, c.old, c.new)
	}
}

// again makes the change on a sound disk, which leaves nothing of what went wrong.
func (c *crashCase) again(t *testing.T, about, dir string) {
	t.Helper()
	if t.Failed() {
		return
	}
	x, err := crashfs.New(dir, crashfs.Fault{}) // which waits for no disk
	if err != nil {
		t.Fatal(err)
	}
	defer x.Use(t)()
	if err := c.change(filepath.Join(dir, crashIndex)); err != nil {
		t.Errorf("%s\nafterwards, on a sound disk: %v\n%v", about, err, c.list(t, dir))
		return
	}
	c.check(t, about+"; again on a sound disk", dir, true)
	if n := c.count(t, dir); n != c.names {
		t.Errorf("%s\nafterwards, on a sound disk, %d files and directories are there, not %d: %v",
			about, n, c.names, c.list(t, dir))
	}
}

func (c *crashCase) list(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		names = append(names, strings.TrimPrefix(path, dir))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func (c *crashCase) count(t *testing.T, dir string) int {
	t.Helper()
	return len(c.list(t, dir))
}

// changeOf opens the index at a path, changes it with fn and saves it.
func changeOf(fn func(x *shale.Index) error) func(string) error {
	return func(path string) error {
		x, err := shale.Open(ctx, path, shale.OpenOptions{})
		if err != nil {
			return err
		}
		defer x.Close()
		if err := fn(x); err != nil {
			return err
		}
		return x.Save(ctx, path, shale.SaveOptions{})
	}
}

// saved gives a function that saves an index of rows, as any format.
func saved(rows vector.Matrix, o shale.BuildOptions, format shale.Format) func(string) error {
	return func(path string) error {
		o.Threads = 1
		x, err := shale.Build(ctx, rows, o)
		if err != nil {
			return err
		}
		defer x.Close()
		return x.Save(ctx, path, shale.SaveOptions{Format: format, Replace: true})
	}
}

func TestSavingSurvivesEveryFault(t *testing.T) {
	race.SkipSequential(t)
	rows, others, few := random(t, 24, 6, 1), random(t, 30, 6, 2), random(t, 3, 6, 3)
	plain := saved(rows, shale.BuildOptions{}, shale.Directory)
	deleted := func(path string) error {
		return errors.Join(plain(path), changeOf(func(x *shale.Index) error { return x.Delete(1, 2, 3) })(path))
	}
	ignore := func(error) error { return nil } // of labels that are as they are to be, when the change is made again
	fork := forkOf(t, rows)
	converted := func(format shale.Format) func(string) error {
		return func(path string) error {
			x, err := shale.Open(ctx, fork, shale.OpenOptions{})
			if err != nil {
				return err
			}
			defer x.Close()
			return x.Save(ctx, path, shale.SaveOptions{Format: format, Replace: true})
		}
	}
	shardsOf := func(ctx context.Context, rows vector.Matrix, id string, step func(string, int, int)) func(string) error {
		return func(path string) error {
			return buildAt(ctx, shard.MatrixSource(rows, id), shale.BuildOptions{
				Path: path, Threads: 1, Shards: 2, Replace: true, Progress: step,
			})
		}
	}
	shards, otherShards := shardsOf(ctx, rows, "rows", nil), shardsOf(ctx, others, "others", nil)
	interrupted := func(path string) error {
		building, stop := context.WithCancel(ctx)
		defer stop()
		err := shardsOf(building, rows, "rows", func(step string, _, _ int) {
			if step == "building shards" {
				stop()
			}
		})(path)
		if !errors.Is(err, context.Canceled) {
			return fmt.Errorf("the build wasn't interrupted: %w", err)
		}
		return nil
	}
	shardsElsewhere := filepath.Join(t.TempDir(), "shards")
	if err := otherShards(shardsElsewhere); err != nil {
		t.Fatal(err)
	}
	faults, images := 0, 0
	for name, c := range map[string]*crashCase{
		"new directory":   {change: plain},
		"empty directory": {before: func(path string) error { return os.Mkdir(path, 0o755) }, change: plain},
		"over a directory": {
			before: plain, change: saved(others, shale.BuildOptions{}, shale.Directory),
		},
		"over a directory, all temporary files named": {
			before: plain, change: saved(others, shale.BuildOptions{}, shale.Directory), noUnnamed: true, long: true,
		},
		"new file": {change: saved(rows, shale.BuildOptions{}, shale.File)},
		"over a file": {
			before: saved(rows, shale.BuildOptions{}, shale.File), change: saved(others, shale.BuildOptions{}, shale.File),
		},
		"over a file, all temporary files named": {
			before: saved(rows, shale.BuildOptions{}, shale.File), change: saved(others, shale.BuildOptions{}, shale.File),
			noUnnamed: true,
		},
		"add": {before: plain, change: changeOf(func(x *shale.Index) error {
			return x.AddBatch(ctx, few, shale.AddOptions{Labels: []uint64{3, 100, 101}, Threads: 1})
		})},
		"delete": {before: plain, change: changeOf(func(x *shale.Index) error { return ignore(x.Delete(4, 5)) })},
		"undelete": {long: true, before: deleted,
			change: changeOf(func(x *shale.Index) error { return ignore(x.Undelete(2)) })},
		"tune": {before: plain, change: func(path string) error {
			x, err := shale.Open(ctx, path, shale.OpenOptions{})
			if err != nil {
				return err
			}
			defer x.Close()
			x.Tune(search.Effort{Ef: 77}, 10, 0.9)
			return x.Save(ctx, path, shale.SaveOptions{TuningOnly: true})
		}},
		"hnswlib": {change: saved(rows, shale.BuildOptions{}, shale.Hnswlib)},
		"over hnswlib": {
			before: saved(rows, shale.BuildOptions{}, shale.Hnswlib), change: saved(others, shale.BuildOptions{}, shale.Hnswlib),
		},
		"graph":       {rows: rows, change: saved(rows, shale.BuildOptions{}, shale.Graph)},
		"fork shards": {rows: rows, change: converted(shale.ForkShards)},
		"over fork shards": {long: true, rows: rows, before: saved(rows, shale.BuildOptions{}, shale.ForkShards),
			change: converted(shale.ForkShards)},
		"external":       {rows: rows, change: saved(rows, shale.BuildOptions{External: true}, shale.Directory)},
		"several graphs": {rows: rows, change: converted(shale.Directory)},
		"several graphs over one": {long: true, rows: rows,
			before: saved(rows, shale.BuildOptions{External: true}, shale.Directory), change: converted(shale.Directory)},
		"one graph over several": {long: true, rows: rows, before: converted(shale.Directory),
			change: saved(rows, shale.BuildOptions{External: true}, shale.Directory)},
		"build": {change: func(path string) error {
			return buildAt(ctx, shard.MatrixSource(rows, "rows"), shale.BuildOptions{Path: path, Replace: true})
		}},
		"build of shards": {long: true, change: shards},
		"add to shards": {before: shards, change: changeOf(func(x *shale.Index) error {
			return x.AddBatch(ctx, few, shale.AddOptions{Labels: []uint64{3, 100, 101}, Threads: 1})
		})},
		"delete in one of the shards": {long: true, before: shards,
			change: changeOf(func(x *shale.Index) error { return ignore(x.Delete(4)) })},
		"shards saved elsewhere": {change: func(path string) error {
			x, err := shale.Open(ctx, shardsElsewhere, shale.OpenOptions{})
			if err != nil {
				return err
			}
			defer x.Close()
			return x.Save(ctx, path, shale.SaveOptions{Replace: true})
		}},
		"build of shards over an index":   {long: true, before: plain, change: shards},
		"build of shards goes on":         {before: interrupted, change: shards},
		"build of shards with other rows": {long: true, before: interrupted, change: otherShards},
	} {
		if c.long != *longFaults {
			continue
		}
		t.Run(name, c.run)
		faults += c.faults
		images += c.images
	}
	t.Logf("%d faults, %d contents of the disk after a power cut", faults, images)
}
