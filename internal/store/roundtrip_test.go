package store

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/quant"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// keeps are the types of rows, and codes where there must be some.
var keeps = []struct {
	rows  vector.Type
	codes hnsw.Codes
}{
	{rows: vector.Float32}, {rows: vector.Float16}, {rows: rowtype.ScaledInt8},
	{rowtype.NoRows, hnsw.Codes{Bits: 3}}, {rowtype.NoRows, hnsw.Codes{Kind: quant.Scalar, Bits: 8}},
	{rowtype.NoRows, hnsw.Codes{Kind: quant.Product, Bits: 8}}, {rowtype.NoRows, hnsw.Codes{Kind: quant.Product, Bits: 4}},
}

func drawShape(t *rapid.T) shape {
	keep := rapid.SampledFrom(keeps).Draw(t, "keep")
	return shape{
		config: hnsw.Config{
			Dim:            rapid.IntRange(1, 500).Draw(t, "dim"),
			Metric:         rapid.SampledFrom(metrics).Draw(t, "metric"),
			M:              rapid.IntRange(2, 64).Draw(t, "M"),
			EfConstruction: rapid.IntRange(1, 100).Draw(t, "efConstruction"),
			Seed:           rapid.Uint64Min(1).Draw(t, "seed"),
			Storage:        keep.rows,
			Codes:          keep.codes,
			Capacity:       rapid.IntRange(0, 200).Draw(t, "capacity"),
			ReplaceDelete:  rapid.Bool().Draw(t, "replace"),
		},
		rows:   rapid.IntRange(0, 120).Draw(t, "rows"),
		delete: rapid.IntRange(0, 4).Draw(t, "delete"),
		frozen: rapid.Bool().Draw(t, "frozen"),
	}
}

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index")
	ctx := context.Background()
	rapid.Check(t, func(t *rapid.T) {
		s := drawShape(t)
		before := s.make(t)
		if err := Save(ctx, path, before.source); err != nil {
			t.Fatalf("save: %v", err)
		}
		after, err := Open(ctx, path, Options{})
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		defer after.Close()
		var source Source = after.Index
		if s.frozen {
			source = after.Frozen
		}
		sameContent(t, before.source, source)
		sameAnswers(t, before.reader, after.Reader(), before.queries)
		was, is := before.reader.Config(), after.Reader().Config()
		was.Capacity, is.Capacity = 0, 0 // of the arrays at hand, not of the configuration
		if was.M != is.M || was.Metric != is.Metric || was.Seed != is.Seed || was.Storage != is.Storage ||
			was.Codes != is.Codes || was.ReplaceDelete != is.ReplaceDelete {
			t.Fatalf("configuration %+v became %+v", was, is)
		}
		report, err := Verify(ctx, path)
		if err != nil {
			t.Fatalf("verify: %v", err)
		}
		if report.Count != s.rows || report.Deleted != after.Reader().Deleted() || report.Reachable > s.rows ||
			s.rows > 0 && report.Reachable == 0 {
			t.Fatalf("report %+v", report)
		}
	})
}

// An index that was opened grows on like the one that was saved.
func TestOpenedIndexGrows(t *testing.T) {
	for _, frozen := range []bool{false, true} {
		s := shape{config: hnsw.Config{Dim: 8, M: 4}, rows: 100, frozen: frozen}
		before := s.make(t)
		path := saved(t, s)
		x, err := OpenIndex(context.Background(), path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		for i := range 3000 {
			v := slices.Clone(before.queries[i%3])
			v[i%8] += float32(i)
			if err := x.Add(uint64(1<<40+i), v, hnsw.AddOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		found, err := x.Search(before.queries[0], 1, search.Options{})
		if err != nil || len(found) != 1 || found[0].Distance != 0 {
			t.Fatalf("found %v, %v", found, err)
		}
	}
}

func TestFixedCapacityIsKept(t *testing.T) {
	s := shape{config: hnsw.Config{Dim: 2, Capacity: 5, FixedCapacity: true}, rows: 4}
	x, err := OpenIndex(context.Background(), saved(t, s), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if err := x.Add(1, []float32{1, 2}, hnsw.AddOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := x.Add(2, []float32{1, 2}, hnsw.AddOptions{}); !errors.Is(err, hnsw.ErrFull) {
		t.Fatalf("adding a sixth row gave %v", err)
	}
}

func TestCustomMetricIsAskedFor(t *testing.T) {
	distance := func(a, b []float32) float32 { return max(a[0]-b[0], b[0]-a[0]) }
	for _, name := range []string{"", "första", strings.Repeat("x", hnsw.MaxCustomName)} {
		path := saved(t, shape{config: hnsw.Config{Dim: 2, Custom: distance, CustomName: name}, rows: 4})
		for _, o := range []Options{{}, {Custom: distance, CustomName: name + "s"}} {
			if _, err := Open(context.Background(), path, o); !errors.Is(err, errors.ErrUnsupported) {
				t.Fatalf("%q: opened by %q: %v", name, o.CustomName, err)
			}
		}
		o, err := Open(context.Background(), path, Options{Custom: distance, CustomName: name})
		if err != nil {
			t.Fatal(err)
		}
		_ = o.Close()
		if i, err := Inspect(path); err != nil || i.Config.CustomName != name || !i.CustomMetric {
			t.Fatalf("%q: inspected as %q, %v", name, i.Config.CustomName, err)
		}
		if r, err := Verify(context.Background(), path); err != nil || r.Reachable != 4 {
			t.Fatalf("%q: verified as %+v, %v", name, r, err)
		}
	}
}

// TestNamesOfMetricsAreChecked: a name that no writer gives is refused, though its checksum is right.
func TestNamesOfMetricsAreChecked(t *testing.T) {
	distance := func(a, b []float32) float32 { return max(a[0]-b[0], b[0]-a[0]) }
	custom := shape{config: hnsw.Config{Dim: 2, Custom: distance, CustomName: "name"}, rows: 4}
	for name, c := range map[string]struct {
		shape shape
		name  string
	}{
		"of l2":          {small(), "name"},
		"a control":      {custom, "na\x01me"},
		"not UTF-8":      {custom, "na\xffme"},
		"zeros, and not": {custom, "na\x00\x00me"},
	} {
		path := saved(t, c.shape)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		copy(b[nameAt:], c.name)
		binary.LittleEndian.PutUint32(b[crcAt:], checksum(b[:crcAt]))
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		var damage *FormatError
		_, err = Open(context.Background(), path, Options{Unmeasured: true})
		if !errors.As(err, &damage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A save that is cancelled leaves the old file and nothing else.
func TestCancelledSave(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "index")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Save(ctx, path, small().make(t).source); !errors.Is(err, context.Canceled) {
		t.Fatalf("save gave %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "old" {
		t.Fatalf("the old file became %q, %v", b, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Fatalf("left behind: %v, %v", entries, err)
	}
	if _, err := Open(ctx, saved(t, small()), Options{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("open gave %v", err)
	}
}

// An index that was opened is saved as the same bytes, whatever rows it keeps.
func TestSavedAgainIsTheSame(t *testing.T) {
	for _, keep := range keeps {
		for _, rows := range []int{0, 1, 90} {
			s := shape{config: hnsw.Config{Dim: 9, M: 4, Storage: keep.rows, Codes: keep.codes, ReplaceDelete: true},
				rows: rows, delete: 4}
			path := saved(t, s)
			x, err := OpenIndex(context.Background(), path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer x.Close()
			again := filepath.Join(t.TempDir(), "again")
			if err := Save(context.Background(), again, x); err != nil {
				t.Fatal(err)
			}
			a, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(again)
			if err != nil {
				t.Fatal(err)
			}
			if string(a) != string(b) {
				t.Errorf("%d rows of %s: another file", rows, keep.rows)
			}
		}
	}
}

// The same index gives the same bytes.
func TestSaveRepeats(t *testing.T) {
	a, b := saved(t, small()), saved(t, small())
	x, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	if string(x) != string(y) {
		t.Fatal("two saves of the same index differ")
	}
}
