// Package rowway records through which functions of this module bytes come to a file. It is for tests.
package rowway

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/shale-search/shale/internal/datafile"
	"github.com/shale-search/shale/internal/vfs"
	"github.com/shale-search/shale/vector"
)

const module = "github.com/shale-search/shale"

// Most is the number of calls that a way may have.
const Most = 25

// Way is the functions that have called each other, the outermost first: a package's folder, a colon and a name.
type Way []string

// Here returns the way to its caller. Functions of tests and of other modules aren't part of it.
func Here() (w Way) {
	callers := make([]uintptr, 256)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	for {
		f, more := frames.Next()
		name, own := strings.CutPrefix(f.Function, module)
		if own && !strings.HasSuffix(f.File, "_test.go") && !strings.HasPrefix(name, "/internal/rowway") {
			w = append(w, call(name))
		}
		if !more {
			slices.Reverse(w)
			return w
		}
	}
}

// call returns the call of a function, such as "internal/store:Write" of "/internal/store.Write".
func call(function string) string {
	folder, name, _ := strings.Cut(strings.TrimPrefix(function, "/"), ".")
	if i := strings.LastIndex(function, "/"); i >= 0 {
		dot := i + strings.Index(function[i:], ".")
		folder, name = strings.TrimPrefix(function[:dot], "/"), function[dot+1:]
	}
	if folder == "" {
		folder = "."
	}
	return folder + ":" + name
}

// Input returns rows, and the path of a file with them. They are few, so that they are added in the goroutine of the
// build, and longer than the buffers of the files written.
func Input(t testing.TB) (rows vector.Matrix, path string) {
	t.Helper()
	const count, dim = 120, 2048
	random, values := rand.New(rand.NewPCG(1, 1)), make([]float32, count*dim)
	for i := range values {
		values[i] = float32(random.NormFloat64())
	}
	rows, err := vector.Of(values, dim)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "rows.npy")
	err = datafile.Write(path, vector.Float32, dim, func(put func(vector.Matrix) error) error { return put(rows) })
	if err != nil {
		t.Fatal(err)
	}
	return rows, path
}

// FS is the system's file system, which records how its files are written to.
type FS struct {
	vfs.System
	mu   sync.Mutex
	ways map[string]Way
}

// Watch puts a file system in the place of the present one until the test ends.
func Watch(t testing.TB) *FS {
	f := &FS{ways: map[string]Way{}}
	before := vfs.Swap(f)
	t.Cleanup(func() { vfs.Swap(before) })
	return f
}

// Ways returns the longest way to each file that was written, by its base name.
func (f *FS) Ways() map[string]Way {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ways
}

// OpenFile implements vfs.FS.
func (f *FS) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	opened, err := f.System.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &file{File: opened, fs: f, name: filepath.Base(name)}, nil
}

// Unnamed implements vfs.FS.
func (f *FS) Unnamed(dir string, perm fs.FileMode) (vfs.File, error) {
	opened, err := f.System.Unnamed(dir, perm)
	if err != nil {
		return nil, err
	}
	return &file{File: opened, fs: f}, nil
}

// Link implements vfs.FS.
func (f *FS) Link(linked vfs.File, name string) error {
	w := linked.(*file)
	if w.name == "" {
		w.name = filepath.Base(name)
		f.note(w)
	}
	return f.System.Link(w.File, name)
}

// note records the way to a file under the name that it has in the end.
func (f *FS) note(w *file) {
	name := w.name
	if m := temporary.FindStringSubmatch(name); m != nil {
		name = m[1]
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if name != "" && len(w.way) > len(f.ways[name]) {
		f.ways[name] = w.way
	}
}

// temporary matches the names of files that are being written.
var temporary = regexp.MustCompile(`^\.(.+)\.[0-9a-f]+\.shale-tmp$`)

// file is an open file. Goroutines that write to it do so one after another.
type file struct {
	vfs.File
	fs   *FS
	name string // "" while it has none
	way  Way    // the longest
}

// Write implements vfs.File.
func (w *file) Write(b []byte) (int, error) {
	if now := Here(); len(now) > len(w.way) {
		w.way = now
		w.fs.note(w)
	}
	return w.File.Write(b)
}

// To returns the part of the way up to the last call of a function.
func (w Way) To(call string) Way {
	for i := len(w) - 1; i >= 0; i-- {
		if w[i] == call {
			return w[:i+1]
		}
	}
	return nil
}

// Check fails the test where a way has more than Most calls, or where a package calls one that isn't further down in
// ARCHITECTURE.md. The one such call that is allowed is that of a source of rows, which hands its blocks to its reader.
func Check(t testing.TB, about string, w Way) {
	t.Helper()
	t.Logf("%s: %d calls\n\t%s", about, len(w), strings.Join(w, "\n\t"))
	if len(w) == 0 || len(w) > Most {
		t.Errorf("%s: %d calls, 1 to %d are allowed", about, len(w), Most)
	}
	place := places(t)
	for i, now := range w[min(1, len(w)):] {
		from, to := folder(w[i]), folder(now)
		if from != to && place[to] <= place[from] && !inSource(w[:i+1]) {
			t.Errorf("%s: %s calls %s, which isn't further down in ARCHITECTURE.md", about, w[i], now)
		}
	}
}

// inSource reports whether a way ends within a source of rows that reads its blocks.
func inSource(w Way) bool {
	for i := len(w) - 1; i >= 0 && folder(w[i]) == folder(w[len(w)-1]); i-- {
		if strings.HasSuffix(w[i], ".Blocks") {
			return true
		}
	}
	return false
}

func folder(call string) string {
	folder, _, _ := strings.Cut(call, ":")
	return folder
}

// places returns the order of the folders in ARCHITECTURE.md.
func places(t testing.TB) map[string]int {
	t.Helper()
	const name = "ARCHITECTURE.md"
	path := name
	for range 4 {
		if _, err := os.Stat(path); err == nil {
			break
		}
		path = filepath.Join("..", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	place := map[string]int{}
	for _, m := range regexp.MustCompile("(?m)^- \\[`[^`]+`\\]\\(([^)]+)\\)").FindAllStringSubmatch(string(text), -1) {
		place[m[1]] = len(place)
	}
	return place
}
