package store

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
)

// TestCheckedMappingsRefuseDamage flips a bit of every section. A mapping that is checked when it is opened tells.
func TestCheckedMappingsRefuseDamage(t *testing.T) {
	path := saved(t, shape{config: hnsw.Config{Dim: 5, M: 4, Codes: hnsw.Codes{Bits: 4}}, rows: 1200, delete: 4})
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := Inspect(path)
	if err != nil {
		t.Fatal(err)
	}
	x, err := OpenMapped(context.Background(), path, Options{Checked: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	for _, s := range info.Sections {
		if s.Length == 0 {
			t.Fatalf("%v is empty, and can't be damaged", s.Kind)
		}
		for _, at := range []int64{s.Offset, s.Offset + s.Length/2, s.End() - 1} {
			damaged := append([]byte{}, whole...)
			damaged[at] ^= 16
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			x, err := OpenMapped(context.Background(), path, Options{Checked: true})
			if err == nil {
				x.Close()
			}
			var damage *FormatError
			if !errors.As(err, &damage) {
				t.Errorf("byte %d of %v: %v", at-s.Offset, s.Kind, err)
			}
		}
	}
}
