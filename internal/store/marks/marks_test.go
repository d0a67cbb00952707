package marks

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/shale-search/shale/internal/store"
)

var rows = []int{70_000, 5, 0}

func written(t *testing.T) (path string, whole []byte, shards []Shard) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "dead.000002.marks")
	shards = []Shard{{70_000, []uint32{0, 7, 8, 9, 65_535, 65_536, 69_999}}, {5, []uint32{4}}, {0, nil}}
	if err := Write(path, shards); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, whole, shards
}

func TestReadGivesWhatWasWritten(t *testing.T) {
	path, _, want := written(t)
	got, err := Read(path, rows)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if got[i].Rows != want[i].Rows || len(got[i].Dead) != len(want[i].Dead) ||
			len(want[i].Dead) > 0 && !reflect.DeepEqual(got[i].Dead, want[i].Dead) {
			t.Errorf("shard %d: %v, not %v", i, got[i], want[i])
		}
	}
}

func TestReadSeesDamage(t *testing.T) {
	path, whole, _ := written(t)
	read := func(b []byte, of []int) error {
		t.Helper()
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Read(path, of)
		return err
	}
	var damage *store.FormatError
	for i := range 8 * len(whole) {
		b := bytes.Clone(whole)
		b[i/8] ^= 1 << (i % 8)
		if err := read(b, rows); !errors.As(err, &damage) || damage.File != path {
			t.Fatalf("bit %d of byte %d: %v", i%8, i/8, err)
		}
	}
	for n := range whole {
		if err := read(whole[:n], rows); !errors.As(err, &damage) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	for _, of := range [][]int{{70_000, 5}, {70_000, 5, 1}, {69_999, 5, 0}, {70_000, 5, 0, 0}, nil} {
		if err := read(whole, of); !errors.As(err, &damage) {
			t.Fatalf("of shards of %v rows: %v", of, err)
		}
	}
	if err := read(append(bytes.Clone(whole), 0), rows); !errors.As(err, &damage) {
		t.Fatalf("one byte more: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	path := filepath.Join(f.TempDir(), "dead.000002.marks")
	if err := Write(path, []Shard{{300, []uint32{1, 2, 3, 299}}, {9, nil}}); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole[headerSize:])
	f.Fuzz(func(t *testing.T, body []byte) { // whose checksum is right
		shards, err := readShards("marks", append(bytes.Clone(whole[:headerSize]), body...), []int{300, 9})
		if err != nil {
			return
		}
		for _, s := range shards {
			for _, id := range s.Dead {
				if int(id) >= s.Rows {
					t.Fatalf("row %d of %d is dead", id, s.Rows)
				}
			}
		}
	})
}
