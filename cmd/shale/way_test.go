package main

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"

	"github.com/shale-search/shale/internal/location"
	"github.com/shale-search/shale/internal/rowway"
)

// TestWayOfARow bounds the calls between the command line and the writing of a row, which only go down.
func TestWayOfARow(t *testing.T) {
	_, input := rowway.Input(t)
	dir := t.TempDir()
	for shards, files := range map[string][]string{
		"1": {location.ShardName(1), "manifest.json"}, "2": {"part-0000", "shard-0000.shale", "manifest.json"},
	} {
		watched, messages := rowway.Watch(t), &bytes.Buffer{}
		output := filepath.Join(dir, shards+".index")
		args := []string{"build", "--input", input, "--output", output, "--metric", "l2", "--shards", shards}
		if code := run(context.Background(), args, messages, messages); code != exitDone {
			t.Fatalf("exit code %d: %s", code, messages)
		}
		for _, file := range files {
			rowway.Check(t, shards+" shards, "+file, watched.Ways()[file])
		}
	}
}
