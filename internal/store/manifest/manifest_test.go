package manifest

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/shale-search/shale/internal/store"
)

// sample writes a manifest and the file that it is about.
func sample(t *testing.T) (string, *Manifest) {
	dir := t.TempDir()
	body := []byte(strings.Repeat("shard", 2000))
	if err := os.WriteFile(filepath.Join(dir, "shard-0"), body, 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := Describe(dir, "shard-0")
	if err != nil {
		t.Fatal(err)
	}
	m := &Manifest{
		Generation: 3, Rows: 7, Deleted: 1, Dim: 5, Metric: "l2", Storage: "fp16", Keep: "fp16", M: 4, BaseLinks: 6,
		EfConstruction: 9, Seed: 1<<64 - 1, Tuned: &Tuned{Ef: 33, Slack: 0.125, K: 10, Recall: 0.95}, Shards: []Shard{s},
	}
	if err := m.Write(dir); err != nil {
		t.Fatal(err)
	}
	return dir, m
}

func TestReadGivesWhatWasWritten(t *testing.T) {
	dir, m := sample(t)
	got, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, m) {
		t.Errorf("read %+v, wrote %+v", got, m)
	}
	if err := got.Check(dir); err != nil {
		t.Error(err)
	}
}

func TestReadRefuses(t *testing.T) {
	for name, c := range map[string]struct{ old, new, field string }{
		"no JSON":            {"{", "", "JSON"},
		"cut":                {"\n}\n", "", "JSON"},
		"text as a number":   {`"rows": 7`, `"rows": "7"`, "JSON"},
		"another format":     {`"shale index"`, `"slate index"`, "format"},
		"a later version":    {`"version": 1`, `"version": 3`, "version"},
		"path outside":       {`"shard-0"`, `"../shard-0"`, "shards"},
		"absolute path":      {`"shard-0"`, `"/etc/passwd"`, "shards"},
		"itself":             {`"shard-0"`, `"manifest.json"`, "shards"},
		"no name":            {`"shard-0"`, `""`, "shards"},
		"ef of nothing":      {`"ef": 33`, `"ef": 0`, "tuned"},
		"ef past all bounds": {`"ef": 33`, `"ef": 99999999999`, "tuned"},
	} {
		dir, _ := sample(t)
		path := filepath.Join(dir, Name)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(b), c.old, c.new, 1)
		if changed == string(b) {
			t.Fatalf("%s: nothing was changed in\n%s", name, b)
		}
		b = []byte(changed)
		seal(b)
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err = Read(dir)
		var f *store.FormatError
		if !errors.As(err, &f) || f.Field != c.field || f.File != path {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Read(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty directory: %v", err)
	}
}

func TestReadSeesEveryFlippedBit(t *testing.T) {
	dir, _ := sample(t)
	path := filepath.Join(dir, Name)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 8 * len(whole) {
		b := bytes.Clone(whole)
		b[i/8] ^= 1 << (i % 8)
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		var f *store.FormatError
		if _, err := Read(dir); !errors.As(err, &f) || f.File != path {
			t.Errorf("bit %d of byte %d (%q): %v", i%8, i/8, whole[i/8], err)
		}
	}
}

func TestCheckSeesAnotherFile(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"longer":  func(b []byte) []byte { return append(b, 0) },
		"shorter": func(b []byte) []byte { return b[:100] },
		"header":  func(b []byte) []byte { b[17] ^= 4; return b },
	} {
		dir, m := sample(t)
		path := filepath.Join(dir, "shard-0")
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, change(b), 0o644); err != nil {
			t.Fatal(err)
		}
		var f *store.FormatError
		if err := m.Check(dir); !errors.As(err, &f) || f.File != path {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir, m := sample(t)
	if err := os.Remove(filepath.Join(dir, "shard-0")); err != nil {
		t.Fatal(err)
	}
	if err := m.Check(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}
