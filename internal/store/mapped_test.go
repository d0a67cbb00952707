package store

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/quant"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// mappable saves an index of 3,000 rows and gives its path and rows.
func mappable(t *testing.T, c hnsw.Config) (string, vector.Matrix) {
	t.Helper()
	const n, dim = 3000, 32
	rnd := rand.New(rand.NewPCG(1, 2))
	data := make([]float32, n*dim)
	for i := range data {
		data[i] = float32(rnd.NormFloat64())
	}
	rows, err := vector.Of(data, dim)
	if err != nil {
		t.Fatal(err)
	}
	c.Dim = dim
	x, err := hnsw.New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if c.Storage == rowtype.External {
		if err := x.Attach(rows, hnsw.AttachOptions{}); err != nil {
			t.Fatal(err)
		}
		err = x.AddAttached(context.Background(), n, nil, hnsw.BatchOptions{})
	} else {
		err = x.AddBatch(context.Background(), rows, nil, hnsw.BatchOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Delete(5); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "mapped.shale")
	if err := Save(context.Background(), path, x); err != nil {
		t.Fatal(err)
	}
	return path, rows
}

var mappedConfigs = map[string]hnsw.Config{
	"rows": {M: 8}, "halves": {Storage: vector.Float16}, "codes": {Codes: hnsw.Codes{Bits: 2}, Storage: vector.Float16},
	"codes alone":   {Codes: hnsw.Codes{Bits: 8}, Storage: rowtype.NoRows},
	"product":       {Codes: hnsw.Codes{Kind: quant.Product, Bits: 8}, Storage: vector.Float16},
	"product alone": {Codes: hnsw.Codes{Kind: quant.Product, Bits: 4}, Storage: rowtype.NoRows},
	"external":      {M: 8, Storage: rowtype.External},
}

func mapped(t *testing.T, path string, rows vector.Matrix) *hnsw.Frozen {
	t.Helper()
	return mappedSo(t, path, rows, Options{})
}

func mappedSo(t *testing.T, path string, rows vector.Matrix, o Options) *hnsw.Frozen {
	t.Helper()
	x, err := OpenMapped(context.Background(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	attachTo(t, x, rows)
	return x
}

// attachTo gives an external graph its rows.
func attachTo(t *testing.T, x *hnsw.Frozen, rows vector.Matrix) {
	t.Helper()
	if x.Config().Storage != rowtype.External {
		return
	}
	if err := x.Attach(rows, hnsw.AttachOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestMappedAnswersAsOpenedDoes(t *testing.T) {
	race.SkipSequential(t)
	for name, c := range mappedConfigs {
		t.Run(name, func(t *testing.T) {
			path, rows := mappable(t, c)
			m, pinned := mapped(t, path, rows), mappedSo(t, path, rows, Options{PinUpper: true})
			o, err := OpenFrozen(context.Background(), path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer o.Close()
			if c.Storage == rowtype.External {
				if err := o.Attach(rows, hnsw.AttachOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			if m.Len() != o.Len() || m.Deleted() != 1 {
				t.Errorf("%d elements, %d deleted", m.Len(), m.Deleted())
			}
			batch, err := m.SearchBatch(context.Background(), rows.Slice(0, 40), 7, search.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 40 {
				got, err := m.Search(vector.Row[float32](rows, i), 7, search.Options{})
				want, err2 := o.Search(vector.Row[float32](rows, i), 7, search.Options{})
				if err != nil || err2 != nil || !slices.Equal(got, want) {
					t.Fatalf("%v, %v; %v, %v", got, err, want, err2)
				}
				if got, err := pinned.Search(vector.Row[float32](rows, i), 7, search.Options{}); err != nil ||
					!slices.Equal(got, want) {
					t.Fatalf("pinned: %v, %v", got, err)
				}
				for j, f := range got {
					if batch.Labels[i*7+j] != f.Label {
						t.Fatalf("the batch found %v, not %v", batch.Labels[i*7:i*7+7], got)
					}
				}
			}
		})
	}
}

// TestMappedFileThatIsCutOff cuts the file while it is mapped: searches give errors, or the right answers where they
// don't meet the hole.
func TestMappedFileThatIsCutOff(t *testing.T) {
	race.SkipSequential(t)
	for name, c := range mappedConfigs {
		t.Run(name, func(t *testing.T) {
			path, rows := mappable(t, c)
			x := mapped(t, path, rows)
			if err := os.Truncate(path, 4096); err != nil {
				t.Fatal(err)
			}
			var fault *mmap.FaultError
			if found, err := x.Search(vector.Row[float32](rows, 9), 3, search.Options{}); !errors.As(err, &fault) {
				t.Errorf("%v, %v", found, err)
			}
			if _, err := x.SearchBatch(context.Background(), rows.Slice(0, 9), 3,
				search.Options{Threads: 3}); !errors.As(err, &fault) {
				t.Errorf("batch: %v", err)
			}
			if _, err := x.Stats(); !errors.As(err, &fault) {
				t.Errorf("stats: %v", err)
			}
		})
	}
}

// TestMappedDamageStaysInside maps damaged files and searches: whatever a search finds, it ends and doesn't crash.
func TestMappedDamageStaysInside(t *testing.T) {
	race.SkipSequential(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	for name, c := range mappedConfigs {
		t.Run(name, func(t *testing.T) {
			path, rows := mappable(t, c)
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var meta Section
			if info, err := Inspect(path); err == nil {
				meta = info.Section(Meta)
			}
			for range 40 {
				b := bytes.Clone(whole)
				for range 200 {
					at := int(meta.End()) + rnd.IntN(len(b)-int(meta.End()))
					b[at] = byte(rnd.IntN(256))
				}
				broken := filepath.Join(t.TempDir(), "broken.shale")
				if err := os.WriteFile(broken, b, 0o644); err != nil {
					t.Fatal(err)
				}
				x, err := OpenMapped(context.Background(), broken, Options{})
				if damaged := (*FormatError)(nil); errors.As(err, &damaged) && damaged.Field == Quantizer.String() {
					continue // it is read on opening
				}
				if err != nil {
					t.Fatal(err)
				}
				defer x.Close()
				attachTo(t, x, rows)
				for i := range 10 {
					if i == 5 {
						if err := x.Pin(); err != nil {
							t.Fatal(err)
						}
					}
					_, _ = x.Search(vector.Row[float32](rows, i), 3, search.Options{})
				}
			}
		})
	}
}

// TestMappedCodesRefusesDamage maps files without their rows: the checksums of the rows are read on opening.
func TestMappedCodesRefusesDamage(t *testing.T) {
	path, _ := mappable(t, mappedConfigs["codes"])
	info, err := Inspect(path)
	if err != nil {
		t.Fatal(err)
	}
	x, place, err := OpenMappedCodes(context.Background(), path, Options{})
	if err != nil || place.Count != x.Len() || len(place.Sums) == 0 {
		t.Fatalf("%d rows with %d checksums, %v", place.Count, len(place.Sums), err)
	}
	defer x.Close()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[info.Section(Sums).Offset+5] ^= 1
	broken := filepath.Join(t.TempDir(), "broken.shale")
	if err := os.WriteFile(broken, b, 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := (*FormatError)(nil)
	if _, _, err := OpenMappedCodes(context.Background(), broken, Options{}); !errors.As(err, &damaged) ||
		damaged.Field != Sums.String() {
		t.Errorf("a damaged checksum gives %v", err)
	}
	path, _ = mappable(t, mappedConfigs["rows"])
	if _, _, err := OpenMappedCodes(context.Background(), path, Options{}); !errors.As(err, &damaged) {
		t.Errorf("a file without codes gives %v", err)
	}
}
