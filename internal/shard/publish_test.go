package shard

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/shale-search/shale/internal/vfs/crashfs"
)

// TestMayReplaceReportsFaults: a directory that can't be read isn't said to hold something.
func TestMayReplaceReportsFaults(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := mayReplace(file, false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a file: %v", err)
	}
	x, err := crashfs.New(dir, crashfs.Fault{At: 1, Kind: crashfs.Fails, Err: syscall.EIO})
	if err != nil {
		t.Fatal(err)
	}
	x.Use(t)
	if err := mayReplace(filepath.Join(dir, "index"), false); !errors.Is(err, syscall.EIO) || errors.Is(err, fs.ErrExist) {
		t.Errorf("of a disk that fails: %v", err)
	}
}
