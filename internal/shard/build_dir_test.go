package shard

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/internal/vfs"
	"github.com/shale-search/shale/search"
)

var errKilled = errors.New("killed")

// mortal is a file system of a process that is killed after a number of changes: from then on nothing works.
type mortal struct {
	vfs.FS
	left int
}

func (m *mortal) step() error {
	if m.left--; m.left < 0 {
		return errKilled
	}
	return nil
}

func (m *mortal) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	if m.left < 0 {
		return nil, errKilled
	}
	return m.FS.OpenFile(name, flag, perm)
}

func (m *mortal) Unnamed(dir string, perm fs.FileMode) (vfs.File, error) {
	if err := m.step(); err != nil {
		return nil, err
	}
	return m.FS.Unnamed(dir, perm)
}

func (m *mortal) Link(f vfs.File, name string) error {
	if err := m.step(); err != nil {
		return err
	}
	return m.FS.Link(f, name)
}

func (m *mortal) Rename(from, to string) error {
	if err := m.step(); err != nil {
		return err
	}
	return m.FS.Rename(from, to)
}

func (m *mortal) Exchange(a, b string) error {
	if err := m.step(); err != nil {
		return err
	}
	return m.FS.Exchange(a, b)
}

func (m *mortal) Remove(name string) error {
	if err := m.step(); err != nil {
		return err
	}
	return m.FS.Remove(name)
}

// RemoveAll may be interrupted between any two files.
func (m *mortal) RemoveAll(name string) error {
	entries, err := m.ReadDir(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return m.Remove(name)
	}
	for _, e := range entries {
		if err := m.RemoveAll(filepath.Join(name, e.Name())); err != nil {
			return err
		}
	}
	return m.Remove(name)
}

func (m *mortal) Mkdir(name string, perm fs.FileMode) error {
	if err := m.step(); err != nil {
		return err
	}
	return m.FS.Mkdir(name, perm)
}

// buildOf builds an index of the given number of rows. Tests recognise an index by its number of rows.
func buildOf(dir string, rows int) error {
	o := BuildOptions{Config: hnsw.Config{M: 4, EfConstruction: 8}, Shards: 2, Replace: true, Threads: 1}
	return Build(context.Background(), MatrixSource(clustered(rows, 4, uint64(rows)), "rows"), dir, o)
}

// holds checks that the index at dir has a number of rows, one of those allowed, and returns it.
func holds(t *testing.T, dir string, allowed ...int) int {
	t.Helper()
	x := opened(t, dir, OpenOptions{})
	for _, n := range allowed {
		if x.Len() == n {
			return n
		}
	}
	t.Fatalf("%d rows, not %v", x.Len(), allowed)
	return 0
}

// TestKilledAtAnyPoint kills a build that replaces an index after each of its changes, and
// then builds the same or another.
func TestKilledAtAnyPoint(t *testing.T) {
	race.SkipSequential(t)
	const before, killed, another = 40, 50, 60
	old := filepath.Join(t.TempDir(), "index")
	if err := buildOf(old, before); err != nil {
		t.Fatal(err)
	}
	points, replaced := 0, 0
	for done := false; !done; points++ {
		for _, next := range []int{killed, another} {
			dir := filepath.Join(t.TempDir(), "index")
			if err := os.CopyFS(dir, os.DirFS(old)); err != nil {
				t.Fatal(err)
			}
			m := &mortal{FS: vfs.System{}, left: points}
			system := vfs.Swap(m)
			err := buildOf(dir, killed)
			vfs.Swap(system)
			done = err == nil && m.left >= 0
			exchanged := holds(t, dir, before, killed) == killed
			if exchanged {
				replaced++
			}
			if err := buildOf(dir, next); err != nil {
				t.Fatalf("after change %d: %v", points, err)
			}
			holds(t, dir, next)
			if left := must(os.ReadDir(filepath.Dir(dir))); len(left) != 1 {
				t.Fatalf("after change %d: %v are left", points, left)
			}
			if !exchanged && points%2 == 0 {
				break // every second point is tried with both
			}
		}
	}
	t.Logf("%d points, %d builds after the exchange", points, replaced)
	if points < 20 || replaced < 10 {
		t.Errorf("only %d points, %d builds after the exchange", points, replaced)
	}
}

// begun kills a build of dir once its own directory holds a part of the index.
func begun(t *testing.T, dir string, rows int) {
	t.Helper()
	for points := 16; ; points++ {
		system := vfs.Swap(&mortal{FS: vfs.System{}, left: points})
		err := buildOf(dir, rows)
		vfs.Swap(system)
		if err == nil {
			t.Fatal("the build ended before it had written a shard")
		}
		m, err := manifest.Read(filepath.Join(BuildDir(dir), indexPart))
		if err == nil && len(m.Shards) > 0 {
			return
		}
	}
}

func TestBuildGoesOnWithItsOwnOnly(t *testing.T) {
	for name, c := range map[string]struct {
		plant func(t *testing.T, at string) // what lies in the place of the build's directory
		says  string
	}{
		"a link": {func(t *testing.T, at string) {
			elsewhere := filepath.Join(t.TempDir(), "elsewhere")
			if err := errors.Join(os.Rename(at, elsewhere), os.Symlink(elsewhere, at)); err != nil {
				t.Fatal(err)
			}
		}, "symbolic link"},
		"a file": {func(t *testing.T, at string) {
			if err := errors.Join(os.RemoveAll(at), os.WriteFile(at, nil, 0o644)); err != nil {
				t.Fatal(err)
			}
		}, "no directory"},
		"a finished index": {func(t *testing.T, at string) {
			if err := errors.Join(os.RemoveAll(at), buildOf(at, 40)); err != nil {
				t.Fatal(err)
			}
		}, "no build made"},
		"a linked shard": {func(t *testing.T, at string) {
			shard := filepath.Join(at, indexPart, ShardFile(0))
			if err := errors.Join(os.Rename(shard, shard+".away"), os.Symlink(shard+".away", shard)); err != nil {
				t.Fatal(err)
			}
		}, "no regular file"},
		"a linked index": {func(t *testing.T, at string) {
			elsewhere := filepath.Join(t.TempDir(), "elsewhere")
			index := filepath.Join(at, indexPart)
			if err := errors.Join(os.Rename(index, elsewhere), os.Symlink(elsewhere, index)); err != nil {
				t.Fatal(err)
			}
		}, "no directory"},
		"a letter": {func(t *testing.T, at string) {
			if err := errors.Join(os.RemoveAll(filepath.Join(at, noteFile)),
				os.WriteFile(filepath.Join(at, "letter.txt"), nil, 0o644)); err != nil {
				t.Fatal(err)
			}
		}, "no build made"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "index")
			begun(t, dir, 50)
			c.plant(t, BuildDir(dir))
			before := listed(t, BuildDir(dir))
			if err := buildOf(dir, 50); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v doesn't say %q", err, c.says)
			}
			if after := listed(t, BuildDir(dir)); after != before {
				t.Errorf("there is %s, there was %s", after, before)
			}
		})
	}
}

// listed returns the names of path and of all files below it.
func listed(t *testing.T, path string) string {
	t.Helper()
	var names []string
	to := must(filepath.EvalSymlinks(path))
	err := filepath.WalkDir(to, func(name string, _ fs.DirEntry, err error) error {
		names = append(names, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ")
}

// TestBuildOfAnotherUser needs the right to give files away.
func TestBuildOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only the superuser can give files away")
	}
	for _, of := range []string{"", indexPart, filepath.Join(indexPart, ShardFile(0))} {
		dir := filepath.Join(t.TempDir(), "index")
		begun(t, dir, 50)
		if err := os.Chown(filepath.Join(BuildDir(dir), of), 12345, -1); err != nil {
			t.Fatal(err)
		}
		if err := buildOf(dir, 50); err == nil || !strings.Contains(err.Error(), "user 12345") {
			t.Errorf("%q: %v", of, err)
		}
	}
}

// TestBuildKnowsItsRows builds of other rows of the same name, number and length.
func TestBuildKnowsItsRows(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "index")
	begun(t, dir, 50)
	o := BuildOptions{Config: hnsw.Config{M: 4, EfConstruction: 8}, Shards: 2, Threads: 1}
	rows := clustered(50, 4, 999)
	if err := Build(context.Background(), MatrixSource(rows, "rows"), dir, o); err != nil {
		t.Fatal(err)
	}
	found := must(opened(t, dir, OpenOptions{}).SearchBatch(context.Background(), rows, 1,
		search.Options{Threads: 1, Probes: 2}))
	for i, d := range found.Distances {
		if d != 0 {
			t.Errorf("row %d isn't in the index: its nearest is %v away", i, d)
		}
	}
}

func TestOnlyAnIndexIsReplaced(t *testing.T) {
	for name, c := range map[string]struct {
		file, content string // in the directory
		says          string
	}{
		"a folder":              {"notes.txt", "notes", "notes.txt"},
		"nearly a shard":        {"shard-notes.shale", "notes", "shard-notes.shale"},
		"another's manifest":    {manifest.Name, `{"name": "a web page"}`, "no index"},
		"shards of no manifest": {ShardFile(0), "", "no index"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "index")
			if err := errors.Join(os.Mkdir(dir, 0o755),
				os.WriteFile(filepath.Join(dir, c.file), []byte(c.content), 0o644)); err != nil {
				t.Fatal(err)
			}
			if err := buildOf(dir, 40); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v doesn't say %q", err, c.says)
			}
			if b := must(os.ReadFile(filepath.Join(dir, c.file))); string(b) != c.content {
				t.Errorf("%q is left", b)
			}
		})
	}
	dir := filepath.Join(t.TempDir(), "index")
	if err := buildOf(dir, 40); err != nil {
		t.Fatal(err)
	}
	note := filepath.Join(dir, "README")
	if err := os.WriteFile(note, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := buildOf(dir, 50); err == nil || !strings.Contains(err.Error(), "README") {
		t.Errorf("replaced with a file that isn't its own: %v", err)
	}
	holds(t, dir, 40)
	damaged := []byte(`{"format": "shale index", damaged`)
	if err := os.WriteFile(filepath.Join(dir, manifest.Name), damaged, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Remove(note), buildOf(dir, 50)); err != nil {
		t.Errorf("a damaged index isn't replaced: %v", err)
	}
}

func TestBuildAtALink(t *testing.T) {
	dir := t.TempDir()
	link, to := filepath.Join(dir, "link"), filepath.Join(dir, "other", "index")
	if err := errors.Join(os.Mkdir(filepath.Dir(to), 0o755), os.Symlink(to, link)); err != nil {
		t.Fatal(err)
	}
	for _, rows := range []int{40, 50} {
		if err := buildOf(link, rows); err != nil {
			t.Fatal(err)
		}
		holds(t, to, rows)
		if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			t.Fatalf("the link is %v now, %v", info, err)
		}
		for _, d := range []string{dir, filepath.Dir(to)} {
			if n := len(must(os.ReadDir(d))); n != 2 && d == dir || n != 1 && d != dir {
				t.Errorf("%d entries are left in %s", n, d)
			}
		}
	}
}
