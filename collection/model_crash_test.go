package collection

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	pebblevfs "github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"pgregory.net/rapid"

	"github.com/shale-search/shale/internal/vfs/crashfs"
)

// crashDisk is the disk of a collection, until the power is cut: its store in memory, and the files of its segments.
type crashDisk struct {
	segments string
	fault    crashfs.Fault // of an operation on the segments
	files    *crashfs.FS

	store    *pebblevfs.MemFS
	last     int64 // operation that writes to the store, before which the power is cut; 0: none
	survives pebblevfs.CrashCloneCfg
	writes   atomic.Int64
	left     atomic.Pointer[pebblevfs.MemFS] // what the power cut has left of the store
}

// String implements errorfs.Injector.
func (d *crashDisk) String() string { return "power cut" }

// MaybeError implements errorfs.Injector.
func (d *crashDisk) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && d.writes.Add(1) == d.last {
		d.cut()
	}
	return nil
}

// cut cuts the power. The files come first: what the store names must be on the disk before.
func (d *crashDisk) cut() {
	for !d.filesAreCut() {
	}
	d.left.CompareAndSwap(nil, d.store.CrashClone(d.survives))
}

// filesAreCut reports whether the power is cut. It counts as an operation.
func (d *crashDisk) filesAreCut() bool {
	_, err := d.files.Stat(d.segments)
	return errors.Is(err, crashfs.ErrNoPower)
}

// excuses reports whether an error comes of a fault.
func (d *crashDisk) excuses(err error) bool {
	return errors.Is(err, crashfs.ErrNoPower) || d.fault.Err != nil && errors.Is(err, d.fault.Err)
}

// TestModelCrashes does random things to a collection on a disk with faults and power cuts, and to a model. Whatever
// was acknowledged is there afterwards, and no change by half.
func TestModelCrashes(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		x := newModelRun(t, r)
		store := pebblevfs.NewCrashableMem()
		x.moveStore(pebblevfs.Default, store)
		for range rapid.IntRange(1, 4).Draw(r, "lives") {
			x.disk = x.anyDisk(store)
			x.live(t)
			store = x.afterPowerCut()
			x.recover(store)
		}
		x.moveStore(store, pebblevfs.Default)
		x.verify()
	})
}

// moveStore copies the store to another disk.
func (r *modelRun) moveStore(from, to pebblevfs.FS) {
	path := filepath.Join(r.dir, storeDir)
	if to == pebblevfs.Default {
		if err := os.RemoveAll(path); err != nil {
			r.Fatal(err)
		}
	}
	if _, err := pebblevfs.Clone(from, to, path, path, pebblevfs.CloneSync); err != nil {
		r.Fatal(err)
	}
	for to != pebblevfs.Default {
		f, err := to.OpenDir(path)
		if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
			r.Fatal(err)
		}
		if path == filepath.Dir(path) {
			return
		}
		path = filepath.Dir(path)
	}
}

// anyDisk draws a fault of the disk, or when its power is cut.
func (r *modelRun) anyDisk(store *pebblevfs.MemFS) *crashDisk {
	kinds := []crashfs.Kind{crashfs.Cut, crashfs.Cut, crashfs.Fails, crashfs.Misled, crashfs.Tears}
	d := &crashDisk{segments: filepath.Join(r.dir, segmentsDir), store: store}
	d.fault.At = rapid.IntRange(1, 400).Draw(r.T, "fault at")
	if d.fault.Kind = rapid.SampledFrom(kinds).Draw(r.T, "fault"); d.fault.Kind == crashfs.Cut {
		d.last = rapid.Int64Range(0, 300).Draw(r.T, "last write")
		d.survives.UnsyncedDataPercent = rapid.SampledFrom([]int{0, 50, 100}).Draw(r.T, "unsynced")
		d.survives.RNG = rand.New(rand.NewPCG(1, 1))
	} else {
		d.fault.Err = syscall.ENOSPC
		if rapid.Bool().Draw(r.T, "lasting") {
			d.fault.Lasting = crashfs.Op.TakesSpace
		}
	}
	var err error
	if d.files, err = crashfs.New(d.segments, d.fault); err != nil {
		r.Fatal(err)
	}
	return d
}

// live opens the collection and changes it until the power is cut, or for some time.
func (r *modelRun) live(t *testing.T) {
	d := r.disk
	defer d.files.Use(t)()
	r.options.storeDisk = errorfs.Wrap(d.store, d)
	c, err := Open(context.Background(), r.dir, r.options)
	if err != nil {
		if !d.excuses(err) {
			r.Fatal(err)
		}
		return
	}
	r.c, r.before, r.cut = c, nil, false
	for range rapid.IntRange(1, 15).Draw(r.T, "steps") {
		r.steps++
		before := r.model
		if r.change(); d.fault.Kind == crashfs.Cut && (d.left.Load() != nil || d.filesAreCut()) {
			r.before = append(r.before, before)
			r.cut = true
			break
		}
	}
	if d.fault.Kind == crashfs.Cut {
		d.cut()
	}
	if err := c.Close(); err != nil && !d.excuses(err) {
		r.Fatal(err)
	}
}

// afterPowerCut leaves on the disk what a power cut leaves, and returns the store's.
func (r *modelRun) afterPowerCut() *pebblevfs.MemFS {
	d := r.disk
	if d.fault.Kind != crashfs.Cut { // the collection was closed, and all is synced
		d.left.Store(d.store.CrashClone(pebblevfs.CrashCloneCfg{}))
	} else if d.left.Load() == nil {
		d.cut() // it wasn't opened
	}
	image, err := d.files.Image()
	if err != nil {
		r.Fatal(err)
	}
	survival := crashfs.Survival(rapid.IntRange(0, int(crashfs.Survivals)-1).Draw(r.T, "survival"))
	err = errors.Join(os.RemoveAll(d.segments), crashfs.Write(d.segments, image.Entries(survival, 1)))
	if err != nil {
		r.Fatal(err)
	}
	return d.left.Load()
}

// recover opens the collection after a power cut and takes what it holds as the model, if that may be.
func (r *modelRun) recover(store *pebblevfs.MemFS) {
	r.disk, r.options.storeDisk = nil, store
	r.c = modelOpen(r.T, r.dir, r.options)
	defer r.close()
	got, err := r.c.Scroll(context.Background(), ScrollOptions{Fields: Fields{Payload: true, Vectors: true}})
	if err != nil {
		r.Fatal(err)
	}
	may := []model{r.model}
	switch {
	case r.options.SyncWindow > 0:
		may = append(may, r.before...)
	case r.cut:
		may = append(may, r.before[len(r.before)-1])
	}
	for _, m := range may {
		if r.differs(m, got) == "" {
			r.model = m
			r.compareSearch()
			return
		}
	}
	r.Fatalf("after a power cut %s; %d other states may be, too", r.differs(r.model, got), len(may)-1)
}
