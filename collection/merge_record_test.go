package collection

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/vector"
)

// endsAfter is a context that ends when it has been asked some times whether it has.
type endsAfter struct {
	context.Context
	left atomic.Int64
}

func (e *endsAfter) Err() error {
	if e.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// interruptedCase returns a collection whose merge makes several shards, in memory for mergeMemory of its options.
func interruptedCase(t *testing.T) (*Collection, *inShards) {
	t.Helper()
	const dim = 400
	s := Schema{Vectors: []Vector{{Dim: dim, Metric: vector.L2, Codes: shale.Float32, M: 6, EfConstruction: 70}}}
	c := created(t, s, Options{idle: true, MergeThreads: 1, mergeMemory: 96<<20 + 1100<<10})
	x := newInShards(t, c, dim)
	for range 4 {
		x.write(230, 20)
	}
	return c, x
}

// mergeStep is how often a merge looks whether its context has ended between the moments at which it is interrupted.
const mergeStep = 350

// TestMergeGoesOn interrupts a merge at many moments and closes the collection. Documents die before the merge goes on;
// shards that were complete aren't built again, and nothing is lost.
func TestMergeGoesOn(t *testing.T) {
	c, x := interruptedCase(t)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	kept := 0
	for asked := int64(2750); ; asked += mergeStep {
		c := copied(t, c.dir)
		c.options = x.c.options
		ctx := &endsAfter{Context: context.Background()}
		ctx.left.Store(asked)
		_, err := c.mergeSome(ctx)
		if err == nil {
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if n, err := c.Delete(context.Background(), NumberID(x.alive[0]), NumberID(x.alive[500])); n != 2 || err != nil {
			t.Fatalf("%d documents were deleted: %v", n, err)
		}
		kept += goOn(t, reopened(t, c), len(x.alive)-2)
	}
	if kept == 0 {
		t.Error("no merge was interrupted after its first shard: the test shows nothing")
	}
}

// goOn ends the merge that was interrupted, and returns the number of shards that were complete before.
func goOn(t *testing.T, c *Collection, documents int) (kept int) {
	t.Helper()
	if c.merging.interrupted == nil {
		t.Fatal("it isn't known that a merge was interrupted")
	}
	path := segmentPath(c.dir, c.merging.interrupted.Number, 0)
	var before []os.FileInfo
	for i := range 100 {
		info, err := os.Stat(filepath.Join(shard.BuildDir(path), "index", shard.ShardFile(i)))
		if err != nil {
			break
		}
		before = append(before, info)
	}
	if _, err := c.mergeSome(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := len(mustInfo(t, c).Segments); n != 1 {
		t.Errorf("%d segments are left", n)
	}
	for i, was := range before {
		if now, err := os.Stat(filepath.Join(path, shard.ShardFile(i))); err != nil || !os.SameFile(was, now) {
			t.Errorf("shard %d was built again: %v", i, err)
		}
	}
	if names := segmentFiles(t, c); len(names) != 1 {
		c.running.Wait()
		if names = segmentFiles(t, c); len(names) != 1 {
			t.Errorf("there are files of %v", names)
		}
	}
	verified(t, c, documents)
	return len(before)
}

// TestInterruptedMergeOfOtherSegments has the record of a merge whose segments are no longer there: it is forgotten.
func TestInterruptedMergeOfOtherSegments(t *testing.T) {
	c := mergeCase(t)
	s := c.pin()
	views := append([]view(nil), s.views[:2]...)
	views[0].dead, views[1].dead = noneDead(), noneDead()
	if err := errors.Join(c.recordMerge(views, 7), mergeAll(c), c.recordMerge(views, 7), s.release()); err != nil {
		t.Fatal(err)
	}
	c.running.Wait()
	left := segmentPath(c.dir, 7, 0)
	if err := os.Mkdir(left, 0o777); err != nil {
		t.Fatal(err)
	}
	c = reopened(t, c)
	if err := mergeAll(c); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("files of the merge are left: %v", err)
	}
	if info := mustInfo(t, c); len(info.Segments) != 1 {
		t.Errorf("segments: %+v", info.Segments)
	}
	checkMergeCase(t, "merged", c)
	c = reopened(t, c)
	if c.merging.interrupted != nil {
		t.Error("the merge isn't forgotten")
	}
	verified(t, c, 28)
}
