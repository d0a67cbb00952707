package collection

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	pebblevfs "github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// cutDisk calls cut before write number at.
type cutDisk struct {
	at     int64
	writes atomic.Int64
	cut    func()
}

func (d *cutDisk) String() string { return "power cut" }

func (d *cutDisk) MaybeError(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
		if d.writes.Add(1) == d.at {
			d.cut()
		}
	}
	return nil
}

// TestOpeningSurvivesPowerCuts opens a store, and cuts the power before each write. Of the entries of directories and
// of the blocks of files that aren't synced half survive, in no order. The store opens all the same.
func TestOpeningSurvivesPowerCuts(t *testing.T) {
	const dir, seeds = "c", 12
	base := pebblevfs.NewCrashableMem()
	openedAndClosed(t, dir, storeOptions{create: true, disk: base})
	cuts := 0
	for at := int64(1); ; at++ {
		for seed := range uint64(seeds) {
			disk := base.CrashClone(pebblevfs.CrashCloneCfg{})
			var left atomic.Pointer[pebblevfs.MemFS]
			d := &cutDisk{at: at, cut: func() {
				half := pebblevfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(seed, 1))}
				left.Store(disk.CrashClone(half))
			}}
			openedAndClosed(t, dir, storeOptions{disk: errorfs.Wrap(disk, d)})
			if left.Load() == nil {
				if cuts < 10*seeds {
					t.Errorf("the power was cut %d times", cuts)
				}
				return
			}
			cuts++
			openedAndClosed(t, dir, storeOptions{disk: left.Load()})
		}
	}
}

func openedAndClosed(t *testing.T, dir string, o storeOptions) {
	t.Helper()
	db, err := openStore(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	if err := db.Set([]byte("key"), []byte("value"), pebble.Sync); err != nil {
		t.Fatal(err)
	}
}
