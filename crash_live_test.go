package shale_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/inside"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/vfs/crashfs"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// liveState is what an index in a live file must hold once a Sync or Close has succeeded.
type liveState struct {
	rows    map[uint64][]float32
	deleted []uint64
}

// liveRun changes an index in a live file step by step, and keeps what was acknowledged.
type liveRun struct {
	path  string
	x     *shale.Index
	acked *liveState // nil: nothing, not even the file
	now   liveState
	tried map[uint64][]float32 // vectors of labels that were added, acknowledged or not
}

// change makes all steps until one fails. The index is closed in any case, if it was made.
func (r *liveRun) change(rows, more, most vector.Matrix) (err error) {
	r.now, r.tried = liveState{rows: map[uint64][]float32{}}, map[uint64][]float32{}
	r.x, err = shale.New(rows.Dim(), shale.BuildOptions{Path: r.path, Live: true, Capacity: 30, Threads: 1, M: 4})
	if err != nil {
		return err
	}
	r.acknowledge()
	for _, step := range []func() error{
		func() error { return r.add(rows, 0) },
		r.sync,
		func() error { return r.add(more, 100) },
		func() error { return r.remove(3) },
		r.sync,
		func() error { return r.x.Resize(80) },
		func() error { return r.add(most, 200) },
		r.sync,
		func() error { return r.remove(101) },
	} {
		if err = step(); err != nil {
			break
		}
	}
	closed := r.x.Close()
	if closed == nil && err == nil {
		r.acknowledge()
	}
	return errors.Join(err, closed)
}

func (r *liveRun) add(rows vector.Matrix, first uint64) error {
	for i := range rows.Rows() {
		v := make([]float32, rows.Dim())
		rows.Decode(i, v)
		r.tried[first+uint64(i)] = v
		if err := r.x.Add(first+uint64(i), v); err != nil {
			return err
		}
		r.now.rows[first+uint64(i)] = v
	}
	return nil
}

func (r *liveRun) remove(label uint64) error {
	if err := r.x.Delete(label); err != nil {
		return err
	}
	r.now.deleted = append(r.now.deleted, label)
	return nil
}

func (r *liveRun) sync() error {
	err := r.x.Sync()
	if err == nil {
		r.acknowledge()
	}
	return err
}

// acknowledge keeps what is there now as what must be there from now on.
func (r *liveRun) acknowledge() {
	r.acked = &liveState{rows: map[uint64][]float32{}, deleted: slices.Clone(r.now.deleted)}
	for label, v := range r.now.rows {
		r.acked.rows[label] = v
	}
}

// check opens the file, which repairs it if it has to be, and tests that all that was acknowledged is there.
func (r *liveRun) check(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if r.acked != nil {
			return errors.New("the file isn't there")
		}
		return nil
	}
	x, err := shale.Open(ctx, path, shale.OpenOptions{})
	if err != nil {
		return err
	}
	defer x.Close()
	if r.acked != nil {
		if err := r.compare(x); err != nil {
			return err
		}
	}
	if err := x.Close(); err != nil {
		return err
	}
	report, err := shale.Verify(ctx, path)
	return errors.Join(append(report.Problems, err)...)
}

func (r *liveRun) compare(x *shale.Index) error {
	for label, want := range r.acked.rows {
		gone := slices.Contains(r.acked.deleted, label)
		if gone || slices.Contains(r.now.deleted, label) && !r.found(x, label) {
			if gone && r.found(x, label) {
				return fmt.Errorf("label %d is there again", label)
			}
			continue // deleted, or about to be
		}
		got, err := x.Vectors(label)
		if err != nil || !slices.Equal(vector.Row[float32](got, 0), want) {
			return fmt.Errorf("label %d has the vector %v, not %v: %w", label, got, want, err)
		}
		found, err := x.Search(want, 1, search.Options{Ef: 100})
		if err != nil || len(found) != 1 || found[0].Label != label {
			return fmt.Errorf("label %d isn't found: %v, %w", label, found, err)
		}
	}
	labels, err := inside.Of(x).Graph().Labels()
	for _, label := range labels {
		if r.tried[label] == nil {
			return fmt.Errorf("label %d was never added", label)
		}
	}
	return err
}

func (r *liveRun) found(x *shale.Index, label uint64) bool {
	_, err := x.Vectors(label)
	return err == nil
}

// TestLiveFileSurvivesEveryFault makes every operation of creating, filling, syncing, resizing and closing a live file
// fail or be the last one before a power cut.
func TestLiveFileSurvivesEveryFault(t *testing.T) {
	race.SkipSequential(t)
	rows, more, most := random(t, 20, 6, 1), random(t, 5, 6, 2), random(t, 40, 6, 3)
	root, attempts, images := t.TempDir(), 0, 0
	fresh := func() string {
		attempts++
		return filepath.Join(root, fmt.Sprint(attempts))
	}
	attempt := func(f crashfs.Fault) (*liveRun, *crashfs.FS, error) {
		dir := fresh()
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		x, err := crashfs.New(dir, f)
		if err != nil {
			t.Fatal(err)
		}
		defer x.Use(t)()
		r := &liveRun{path: filepath.Join(dir, "live")}
		return r, x, r.change(rows, more, most)
	}
	cut := func(about string, r *liveRun, x *crashfs.FS) {
		t.Helper()
		image, err := x.Image()
		if err != nil {
			t.Fatal(err)
		}
		for s := range crashfs.Survivals {
			images++
			dir := fresh()
			if err := crashfs.Write(dir, image.Entries(s, uint64(images))); err != nil {
				t.Fatal(err)
			}
			idle, err := crashfs.New(dir, crashfs.Fault{}) // which waits for no disk
			if err != nil {
				t.Fatal(err)
			}
			stop := idle.Use(t)
			if err := r.check(filepath.Join(dir, "live")); err != nil {
				t.Errorf("%s; %v: %v", about, s, err)
			}
			stop()
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}
	}
	r, x, err := attempt(crashfs.Fault{})
	if err != nil {
		t.Fatal(err)
	}
	cut("when it is closed", r, x)
	ops, faults := x.Ops(), 0
	c := &crashCase{}
	for i := 0; i < len(ops); i += stepOf() {
		op := ops[i]
		for _, f := range c.faultsOf(op, i+1) {
			faults++
			r, x, err := attempt(f)
			about := fmt.Sprintf("operation %d, %v, %v (%v): the change gave %v", f.At, op, f.Kind, f.Err, err)
			if n := x.Unclosed(); n > 0 {
				t.Errorf("%s, and %d files are still open", about, n)
			}
			cut(about, r, x)
			if f.Kind != crashfs.Cut && f.Kind != crashfs.TornCut {
				if err := r.check(r.path); err != nil {
					t.Errorf("%s: %v", about, err)
				}
			}
			if err := os.RemoveAll(filepath.Dir(r.path)); err != nil {
				t.Fatal(err)
			}
			if t.Failed() {
				return // the first says enough
			}
		}
	}
	t.Logf("%d operations, %d faults, %d contents of the disk after a power cut", len(ops), faults, images)
}
