package collection

import (
	"testing"

	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/internal/vfs/crashfs"
)

// TestMemory divides memory.
func TestMemory(t *testing.T) {
	s := Schema{Vectors: []Vector{{Dim: 384}}}
	for _, c := range []struct {
		o        Options
		cache    int64
		memtable uint64
		rows     int
	}{
		{Options{}, 32 << 20, 8 << 20, 17_367},
		{Options{Memory: 512 << 20}, 32 << 20, 8 << 20, 17_367},
		{Options{Memory: 256 << 20}, 16 << 20, 4 << 20, 8_683},
		{Options{Memory: 64 << 30}, 4 << 30, 64 << 20, 20_000},
		{Options{CacheBytes: 1, SegmentRows: 7}, 1, 8 << 20, 7},
	} {
		if err := c.o.setDefaults(); err != nil {
			t.Fatal(err)
		}
		c.o.chooseSegmentRows(s)
		got := c.o.store()
		if got.cache != c.cache || got.memtable != c.memtable || c.o.SegmentRows != c.rows {
			t.Errorf("%+v: the store has %+v", c.o, got)
		}
	}
	if err := (&Options{Memory: 1 << 20}).setDefaults(); err == nil {
		t.Error("a MiB is enough")
	}
}

// TestKilledBuild opens a collection whose process was killed while it built a segment of several shards.
func TestKilledBuild(t *testing.T) {
	c := mergeCase(t)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	left := segmentPath(c.dir, 7, 0) + ".building"
	if err := crashfs.Copy(segmentPath(c.dir, 0, 0), left); err != nil {
		t.Fatal(err)
	}
	if left != shard.BuildDir(segmentPath(c.dir, 7, 0)) {
		t.Errorf("shards are built in %s", shard.BuildDir(segmentPath(c.dir, 7, 0)))
	}
	c = opened(t, c.dir, Options{idle: true})
	if files := segmentFiles(t, c); len(files) != 2 {
		t.Errorf("segments are %q", files)
	}
	verified(t, c, 28)
}
