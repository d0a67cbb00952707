package shale_test

import (
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/inside"
	"github.com/shale-search/shale/search"
)

// patient waits as long as a slow machine may need.
var patient = shale.OpenOptions{Lock: true, Wait: time.Minute}

// savedAtEach writes an index of 50 rows to a new path of each kind and calls fn with these.
func savedAtEach(t *testing.T, fn func(t *testing.T, path string)) {
	for _, name := range []string{"x.index", "x.shale"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			if err := built(t, 50, shale.BuildOptions{M: 4}).Save(ctx, path, shale.SaveOptions{}); err != nil {
				t.Fatal(err)
			}
			fn(t, path)
		})
	}
}

func add(t *testing.T, x *shale.Index, label uint64) {
	t.Helper()
	if err := x.Add(label, make([]float32, 8)); err != nil {
		t.Fatal(err)
	}
}

func TestLostUpdateIsRefused(t *testing.T) {
	savedAtEach(t, func(t *testing.T, path string) {
		first, second := reopened(t, path, shale.OpenOptions{}), reopened(t, path, shale.OpenOptions{})
		add(t, first, 1000)
		add(t, second, 2000)
		if err := first.Save(ctx, path, shale.SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := second.Save(ctx, path, shale.SaveOptions{}); !errors.Is(err, shale.ErrChanged) {
			t.Errorf("the second index was saved over the first: %v", err)
		}
		add(t, first, 1001)
		if err := first.Save(ctx, path, shale.SaveOptions{}); err != nil {
			t.Errorf("the first index can't be saved again: %v", err)
		}
		if x := reopened(t, path, shale.OpenOptions{}); x.Len() != 52 {
			t.Errorf("%d rows are left", x.Len())
		}
	})
}

// TestBuiltAnewIsRefused saves over an index that was built again, whose generation is the first one again.
func TestBuiltAnewIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	o := shale.BuildOptions{Path: path, M: 4, Shards: 1, Memory: 1 << 30, Blocks: true, Replace: true}
	build := func(seed uint64) {
		t.Helper()
		o.Codes = shale.RaBitQ2
		if err := buildAt(ctx, random(t, 60, 8, seed), o); err != nil {
			t.Fatal(err)
		}
	}
	build(1)
	x := reopened(t, path, shale.OpenOptions{})
	x.Tune(search.Effort{Ef: 50}, 10, 1)
	build(2)
	if err := x.Save(ctx, path, shale.SaveOptions{TuningOnly: true}); !errors.Is(err, shale.ErrChanged) {
		t.Errorf("what was tuned for another index was saved: %v", err)
	}
}

func TestTuningOfOthersIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := built(t, 50, shale.BuildOptions{M: 4}).Save(ctx, path, shale.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	x, y := reopened(t, path, shale.OpenOptions{}), reopened(t, path, shale.OpenOptions{})
	y.Tune(search.Effort{Ef: 41}, 10, 0.96)
	if err := y.Save(ctx, path, shale.SaveOptions{TuningOnly: true}); err != nil {
		t.Fatal(err)
	}
	add(t, x, 1000)
	if err := x.Save(ctx, path, shale.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	if z := reopened(t, path, shale.OpenOptions{}); inside.Of(z).Effort().Ef != 41 || z.Len() != 51 {
		t.Errorf("ef %d, %d rows", inside.Of(z).Effort().Ef, z.Len())
	}
}

func TestLockKeepsOthersOut(t *testing.T) {
	savedAtEach(t, func(t *testing.T, path string) {
		x := reopened(t, path, patient)
		if _, err := shale.Open(ctx, path, shale.OpenOptions{Lock: true, Wait: -1}); !errors.Is(err, shale.ErrLocked) {
			t.Errorf("opened to be changed twice: %v", err)
		}
		other := reopened(t, path, shale.OpenOptions{}) // reading needs no lock
		add(t, other, 1)
		if err := other.Save(ctx, path, shale.SaveOptions{Wait: -1}); !errors.Is(err, shale.ErrLocked) {
			t.Errorf("saved what another has locked: %v", err)
		}
		add(t, x, 1000)
		if err := x.Save(ctx, path, shale.SaveOptions{}); err != nil {
			t.Error(err)
		}
		waited := false
		y := reopened(t, path, shale.OpenOptions{Lock: true, Wait: time.Minute, Waiting: func() { waited = true; x.Close() }})
		if y.Len() != 51 || !waited {
			t.Errorf("%d rows, waited %v", y.Len(), waited)
		}
	})
}

func TestNoUpdateOfManyIsLost(t *testing.T) {
	const writers, each = 6, 5
	savedAtEach(t, func(t *testing.T, path string) {
		var group sync.WaitGroup
		for w := range writers {
			group.Go(func() {
				for i := range each {
					if err := addOne(path, uint64(1000+w*each+i)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
		if x := reopened(t, path, shale.OpenOptions{}); x.Len() != 50+writers*each {
			t.Errorf("%d rows, not %d", x.Len(), 50+writers*each)
		}
	})
}

func addOne(path string, label uint64) error {
	x, err := shale.Open(ctx, path, patient)
	if err != nil {
		return err
	}
	defer x.Close()
	if err := x.Add(label, make([]float32, 8)); err != nil {
		return err
	}
	return x.Save(ctx, path, shale.SaveOptions{})
}

// TestReadersNeverFail opens and verifies an index that is saved and replaced all the time.
func TestReadersNeverFail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	build := func(shards int, seed uint64) {
		t.Helper()
		o := shale.BuildOptions{Path: path, M: 4, Shards: shards, Replace: true}
		if err := buildAt(ctx, random(t, 60, 8, seed), o); err != nil {
			t.Fatal(err)
		}
	}
	build(1, 0)
	var reads atomic.Int64
	stop := make(chan struct{})
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := readOnce(path); err != nil {
					t.Error(err)
				}
				reads.Add(1)
			}
		})
	}
	for round := range 12 {
		build(1+round%3, uint64(round))
		build(1, uint64(round)) // in steps, or by saving over what is there
		for i := range 3 {
			if err := addOne(path, uint64(1000+i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for end := reads.Load() + 4; reads.Load() < end && !t.Failed(); {
		time.Sleep(time.Millisecond)
	}
	close(stop)
	group.Wait()
}

func readOnce(path string) error {
	x, err := shale.Open(ctx, path, shale.OpenOptions{})
	if err != nil {
		return err
	}
	defer x.Close()
	if n := x.Len(); n < 60 || n > 63 {
		return errors.New("rows are missing")
	}
	if _, err := x.Search(make([]float32, 8), 5, search.Options{}); err != nil {
		return err
	}
	r, err := shale.Verify(ctx, path)
	return errors.Join(err, errors.Join(r.Problems...))
}
