//go:build cgo

package main

import (
	"path/filepath"
	"testing"
	"unsafe"

	"github.com/shale-search/shale/internal/location"
	"github.com/shale-search/shale/internal/rowway"
)

// buildSource is struct shale_source.
type buildSource struct {
	rows             unsafe.Pointer
	typ, count, dim  int64
	path, id, labels unsafe.Pointer
	labelCount       int64
}

// TestWayOfARow bounds the calls between the C interface and the writing of a row, which only go down.
func TestWayOfARow(t *testing.T) {
	_, input := rowway.Input(t)
	dir := t.TempDir()
	for shards, files := range map[string][]string{
		"1": {location.ShardName(1), "manifest.json"}, "2": {"part-0000", "shard-0000.shale", "manifest.json"},
	} {
		watched := rowway.Watch(t)
		from := &buildSource{path: unsafe.Pointer(unsafe.StringData(input + "\x00"))}
		options := `{"metric": "l2", "threads": 1, "shards": ` + shards + "}"
		h, status := buildAt(goBuild, unsafe.Pointer(from), filepath.Join(dir, shards+".index"), options)
		if status != ok {
			t.Fatalf("status %v", status)
		}
		if got := goClose(h); got != ok {
			t.Errorf("close: %v", got)
		}
		for _, file := range files {
			rowway.Check(t, shards+" shards, "+file, watched.Ways()[file])
		}
	}
}

// buildAt calls goBuild, whose types of C tests can't name.
func buildAt[C, N any](
	build func(from unsafe.Pointer, output, options *C, progress N, out, job *N) status,
	from unsafe.Pointer, output, options string,
) (index N, s status) {
	var none N
	text := func(s string) *C { return (*C)(unsafe.Pointer(unsafe.StringData(s + "\x00"))) }
	s = build(from, text(output), text(options), none, &index, nil)
	return index, s
}
