package store

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/vfs"
	"github.com/shale-search/shale/search"
)

// failing is the system's file system, one operation of which fails.
type failing struct {
	vfs.System
	at   int // the operation that fails, counted from 1; 0: none
	done []string
}

func (s *failing) do(what, name string) error {
	s.done = append(s.done, what+" "+filepath.Base(name))
	if len(s.done) == s.at {
		return &fs.PathError{Op: what, Path: name, Err: syscall.EIO}
	}
	return nil
}

func (s *failing) file(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return failingFile{f, s}, nil
}

func (s *failing) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	if err := s.do("open", name); err != nil {
		return nil, err
	}
	return s.file(s.System.OpenFile(name, flag, perm))
}

func (s *failing) Unnamed(dir string, perm fs.FileMode) (vfs.File, error) {
	if err := s.do("unnamed", dir); err != nil {
		return nil, err
	}
	return s.file(s.System.Unnamed(dir, perm))
}

func (s *failing) Link(f vfs.File, name string) error {
	if err := s.do("link", name); err != nil {
		return err
	}
	return s.System.Link(f, name)
}

func (s *failing) Rename(from, to string) error {
	if err := s.do("rename", to); err != nil {
		return err
	}
	return s.System.Rename(from, to)
}

type failingFile struct {
	vfs.File
	s *failing
}

func (f failingFile) WriteAt(b []byte, at int64) (int, error) {
	if err := f.s.do("write", f.Name()); err != nil {
		return 0, err
	}
	return f.File.WriteAt(b, at)
}

func (f failingFile) Allocate(size int64) error {
	if err := f.s.do("allocate", f.Name()); err != nil {
		return err
	}
	return f.File.Allocate(size)
}

func (f failingFile) Chmod(mode fs.FileMode) error {
	if err := f.s.do("chmod", f.Name()); err != nil {
		return err
	}
	return f.File.Chmod(mode)
}

func (f failingFile) Sync() error {
	if err := f.s.do("fsync", f.Name()); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f failingFile) Msync(b []byte) error {
	if err := f.s.do("msync", f.Name()); err != nil {
		return err
	}
	return f.File.Msync(b)
}

// memoryDir is a folder in memory, where there is such a file system: syncing costs nothing there.
func memoryDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "shale-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// state is what a label stands for: a version of its vector, or nothing any more.
type state struct {
	version int
	deleted bool
}

// tracked is an index, the state of each label after all changes, and that as of the last Sync that succeeded.
type tracked struct {
	x          *hnsw.Index
	now, acked map[uint64]state
	since      map[uint64][]state // what labels were made since, or were to be by a call that gave an error
}

func track(x *hnsw.Index) *tracked {
	return &tracked{x: x, now: map[uint64]state{}, acked: map[uint64]state{}, since: map[uint64][]state{}}
}

// trackedVector is the vector of a label's version: one of its own or, for every fifth label, one that others have too.
func trackedVector(label uint64, version int) []float32 {
	if label%5 == 0 {
		return killVector(1_000_000, version%2)
	}
	return killVector(label, version)
}

func (k *tracked) add(from, to uint64, version int) error {
	for label := from; label < to; label++ {
		if err := k.note(label, state{version: version},
			k.x.Add(label, trackedVector(label, version), hnsw.AddOptions{})); err != nil {
			return err
		}
	}
	return nil
}

func (k *tracked) remove(label uint64) error {
	return k.note(label, state{version: k.now[label].version, deleted: true}, k.x.Delete(label))
}

func (k *tracked) note(label uint64, s state, err error) error {
	k.since[label] = append(k.since[label], s)
	if err == nil {
		k.now[label] = s
	}
	return err
}

func (k *tracked) sync() error {
	err := k.x.Sync()
	if err == nil {
		k.acked = maps.Clone(k.now)
		clear(k.since)
	}
	return err
}

// check tests that x holds everything acknowledged, or what it was changed to since, and nothing else.
func (k *tracked) check(t *testing.T, x *hnsw.Index, path string) {
	t.Helper()
	if err := CheckLive(path, x); err != nil {
		t.Error(err)
	}
	labels, err := x.Labels()
	if err != nil {
		t.Error(err)
	}
	for label := range k.acked {
		if !slices.Contains(labels, label) {
			labels = append(labels, label)
		}
	}
	got := make([]float32, killDim)
	for _, label := range labels {
		err := x.Vector(label, got)
		is := func(s state) bool {
			if s.deleted {
				return errors.Is(err, hnsw.ErrLabel)
			}
			return err == nil && near(got, trackedVector(label, s.version))
		}
		acked, ok := k.acked[label]
		acked.deleted = acked.deleted || !ok
		if !is(acked) && !slices.ContainsFunc(k.since[label], is) {
			t.Errorf("label %d is neither %+v nor one of %+v: %v, %v", label, acked, k.since[label], got, err)
			continue
		}
		if err != nil || len(labels) > 300 && label%7 > 0 {
			continue
		}
		found, err := x.Search(got, len(labels), search.Options{Ef: 2 * len(labels)})
		if err != nil || !slices.ContainsFunc(found, func(n search.Neighbor) bool { return n.Label == label }) {
			t.Errorf("label %d: found %v, %v", label, found, err)
		}
	}
}

// near reports whether a vector is another one, perhaps rounded to a byte a value.
func near(a, b []float32) bool {
	far := float32(0)
	for i := range a {
		far += (a[i] - b[i]) * (a[i] - b[i])
	}
	return far < 0.01
}

// everyCall makes a live file, changes it and lets it grow, until an error.
func everyCall(path string, c hnsw.Config) (*tracked, error) {
	x, err := CreateLive(path, c, CreateOptions{Fill: func(x *hnsw.Index) error {
		return track(x).add(0, 10, 0)
	}})
	if err != nil {
		return nil, err
	}
	k := track(x)
	for label := range uint64(10) {
		k.acked[label], k.now[label] = state{}, state{}
	}
	for _, step := range []func() error{
		func() error { return k.add(10, 40, 0) }, k.sync,
		func() error { return k.add(40, 60, 0) }, func() error { return k.remove(3) }, func() error { return k.add(5, 6, 1) },
		k.sync,
		func() error { return k.add(60, 90, 0) }, k.sync, // which makes it grow
		func() error { return k.x.Resize(2000) }, func() error { return k.add(7, 9, 1) }, k.sync,
		func() error { return k.add(90, 95, 0) },
	} {
		if err := step(); err != nil {
			return k, err
		}
	}
	return k, nil
}

var faultConfigs = map[string]hnsw.Config{
	"rows":  {Dim: killDim, M: 4, Capacity: 64},
	"codes": {Dim: killDim, M: 4, Capacity: 64, Storage: rowtype.NoRows, Codes: hnsw.Codes{Bits: 8}},
}

// TestLiveEveryFailure lets each operation on files fail once: what was acknowledged is in the file afterwards, an
// index of which something may not be on the disk takes no more changes, and its file stays marked.
func TestLiveEveryFailure(t *testing.T) {
	race.SkipSequential(t)
	points, faults := 0, 0
	for name, c := range faultConfigs {
		for at := 1; ; at++ {
			path := filepath.Join(memoryDir(t), name+".live")
			s := &failing{at: at}
			before := vfs.Swap(s)
			k, err := everyCall(path, c)
			if k != nil && err == nil {
				err = k.sync()
			}
			vfs.Swap(before)
			reached := len(s.done) >= at
			s.at = 0
			if k != nil {
				faults += afterFailure(t, k, path, err)
			}
			if !reached {
				break // nothing failed
			}
			points++
			if t.Failed() {
				t.Fatalf("%s: operation %d, %s, failed: %v", name, at, s.done[at-1], err)
			}
			if k == nil {
				if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) > 0 {
					t.Fatalf("%s: operation %d, %s: not made, and %v are left, %v", name, at, s.done[at-1], left, err)
				}
				continue
			}
			reopenBoth(t, k, path)
			if t.Failed() {
				t.Fatalf("%s: operation %d, %s, failed: %v", name, at, s.done[at-1], err)
			}
		}
	}
	t.Logf("%d operations failed, of which %d left the index faulted", points, faults)
}

// afterFailure goes on with an index after an error, if there was one, and closes it. It
// gives 1 if the index was faulted.
func afterFailure(t *testing.T, k *tracked, path string, failed error) int {
	t.Helper()
	faulted := errors.Is(k.x.Sync(), hnsw.ErrFaulted)
	if failed != nil && !faulted && !errors.Is(failed, hnsw.ErrFull) &&
		!strings.Contains(failed.Error(), "room for 2000") {
		t.Errorf("the index goes on after %v", failed)
	}
	if failed == nil && faulted {
		t.Error("the index is faulted, and no call has failed")
	}
	again := map[string]error{"add": k.add(200, 201, 0), "delete": k.remove(20)}
	again["sync"] = k.sync()
	if found, err := k.x.Search(killVector(1, 0), 1, search.Options{}); err != nil ||
		len(found) != 1 || found[0].Label != 1 {
		t.Errorf("search: %v, %v", found, err)
	}
	if again["close"] = k.x.Close(); again["close"] == nil {
		k.acked = maps.Clone(k.now)
	}
	for what, err := range again {
		told := errors.Is(err, hnsw.ErrFaulted) && errors.Is(err, syscall.EIO) && strings.Contains(err.Error(), path)
		if faulted && !told || !faulted && err != nil && what != "close" {
			t.Errorf("%s, faulted %v: %v", what, faulted, err)
		}
	}
	if dirty := firstByte(t, path, dirtyAt); faulted != (dirty == 1) && again["close"] == nil {
		t.Errorf("the mark is %d, faulted %v", dirty, faulted)
	}
	if faulted {
		return 1
	}
	return 0
}

func firstByte(t *testing.T, path string, at int64) byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	return b[0]
}

// reopenBoth opens the file for searching and for changing.
func reopenBoth(t *testing.T, k *tracked, path string) {
	t.Helper()
	m, err := MapLive(path, Options{})
	if err != nil {
		t.Error(err)
		return
	}
	k.check(t, m, path)
	if err := m.Add(1, killVector(1, 3), hnsw.AddOptions{}); !errors.Is(err, hnsw.ErrFrozen) {
		t.Errorf("changed while it is open for searching: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	x, _, err := OpenLive(path, Options{})
	if err != nil {
		t.Error(err)
		return
	}
	k.check(t, x, path)
	if err := errors.Join(x.Add(1000, killVector(1000, 0), hnsw.AddOptions{}), x.Sync(), x.Close()); err != nil {
		t.Error(err)
	}
	if b := firstByte(t, path, dirtyAt) + firstByte(t, path, faultedAt); b != 0 {
		t.Error("the file is marked after it was repaired and closed")
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Error(fmt.Sprint(left), err)
	}
}
