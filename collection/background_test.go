package collection

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/shale-search/shale/internal/vfs/crashfs"
	"github.com/shale-search/shale/vector"
)

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after a minute not yet: %s", what)
		}
	}
}

func mustInfo(t testing.TB, c *Collection) Info {
	t.Helper()
	info, err := c.Info()
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// TestSealsByItself writes more documents than segments in memory may hold, without a call of Seal.
func TestSealsByItself(t *testing.T) {
	const documents = 1000
	c := created(t, plain(vector.L2), Options{SegmentRows: 100})
	for i := range documents / 20 {
		var batch []Document
		for j := range 20 {
			n := 20*i + j
			batch = append(batch, document(NumberID(uint64(n)), n, float32(n), 0, 0, 0))
		}
		mustUpsert(t, c, batch...)
	}
	eventually(t, "all but the growing segment are in files", func() bool {
		return mustInfo(t, c).Growing <= 100
	})
	for i := range documents {
		hits := mustQuery(t, c, Query{Near: [][]float32{{float32(i), 0, 0, 0}}, K: 1})[0]
		if len(hits) != 1 || hits[0].ID != NumberID(uint64(i)) {
			t.Fatalf("a query for document %d found %s", i, text(t, hits))
		}
	}
	c = reopened(t, c)
	verified(t, c, documents)
}

// TestFullDisk writes while no segment can be written to files: changes fail once the segments in memory are full, and
// go on once there is room again. All that was acknowledged is there.
func TestFullDisk(t *testing.T) {
	c := created(t, plain(vector.L2), Options{SegmentRows: 10})
	full, err := crashfs.New(filepath.Join(c.dir, segmentsDir),
		crashfs.Fault{At: 1, Kind: crashfs.Fails, Err: syscall.ENOSPC, Lasting: crashfs.Any})
	if err != nil {
		t.Fatal(err)
	}
	stop := full.Use(t)
	written := 0
	write := func() error {
		d := document(NumberID(uint64(written)), written, float32(written), 0, 0, 0)
		err := c.Upsert(context.Background(), []Document{d})
		if err == nil {
			written++
		}
		return err
	}
	for err = write(); err == nil && written < 1000; err = write() {
	}
	stop()
	if !errors.Is(err, syscall.ENOSPC) || written != 10*(mostFrozen+1) {
		t.Fatalf("%d documents were written, then came %v", written, err)
	}
	if p := mustInfo(t, c).Problem; p == "" {
		t.Error("Info tells of no problem")
	}
	for range 25 {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Seal(context.Background()); err != nil {
		t.Fatal(err)
	}
	if info := mustInfo(t, c); info.Problem != "" || info.Growing != 0 {
		t.Errorf("after all was written to files: %+v", info)
	}
	verified(t, c, written)
}

// TestCloseWhileSealing closes collections at any moment of the work in the background.
func TestCloseWhileSealing(t *testing.T) {
	c := created(t, plain(vector.L2), Options{SegmentRows: 20})
	rnd := rand.New(rand.NewPCG(5, 5))
	for i := range 10 {
		for range 1 + rnd.IntN(5) {
			var batch []Document
			for range 15 {
				n := rnd.IntN(200)
				batch = append(batch, document(StringID(fmt.Sprint(len(batch), " ", n)), n, float32(n), 0, 0, 0))
			}
			mustUpsert(t, c, batch...)
		}
		n, err := c.Count()
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			verified(t, c, n)
			c = opened(t, c.dir, c.options)
			continue
		}
		c = reopened(t, c)
	}
}

// TestManyAtOnce writes, deletes and searches from several goroutines while segments are written to files.
func TestManyAtOnce(t *testing.T) {
	const writers, each, rounds = 2, 30, 12
	c := created(t, plain(vector.L2), Options{SegmentRows: 50})
	var writing, reading sync.WaitGroup
	var over atomic.Bool
	for w := range writers {
		writing.Go(func() {
			for round := range rounds {
				var batch []Document
				for i := range each {
					batch = append(batch, document(NumberID(uint64(w*each+i)), round, float32(w), float32(i), 0, float32(round)))
				}
				if err := c.Upsert(context.Background(), batch); err != nil {
					t.Error(err)
				}
				if _, err := c.Delete(context.Background(), NumberID(uint64(w*each))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for w := range writers {
		reading.Go(func() {
			for !over.Load() {
				q := Query{Near: [][]float32{{float32(w), 5, 0, rounds}}, K: 4 * each, Fields: Fields{Payload: true}}
				hits, err := c.Query(context.Background(), q)
				if err != nil {
					t.Error(err)
					return
				}
				seen := map[ID]bool{}
				for _, h := range hits[0] {
					if seen[h.ID] {
						t.Errorf("%v was found twice", h.ID)
					}
					seen[h.ID] = true
				}
			}
		})
	}
	writing.Wait()
	over.Store(true)
	reading.Wait()
	verified(t, c, writers*(each-1))
}
