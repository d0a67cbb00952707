package hnswlib

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// The small files beside graphs are read as they were written, or told to be wrong.
func FuzzReadMetas(f *testing.F) {
	names, err := filepath.Glob(filepath.Join("..", "..", "shard", "testdata", "fork", "*.meta"))
	if err != nil || len(names) != 4 {
		f.Fatalf("seeds %v, %v", names, err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
		if err := os.WriteFile(from, b, 0o600); err != nil {
			t.Fatal(err)
		}
		written := 0
		if m, err := ReadShardMeta(from); err == nil {
			written++
			if err := WriteShardMeta(to, m); err != nil {
				t.Fatal(err)
			}
		}
		if m, err := ReadIndexMeta(from); err == nil {
			written++
			if err := WriteIndexMeta(to, m); err != nil {
				t.Fatal(err)
			}
		}
		if written == 0 {
			return
		}
		again, err := os.ReadFile(to)
		if err != nil || written != 1 || !bytes.Equal(again, b) {
			t.Fatalf("%x became %x, %v", b, again, err)
		}
	})
}
