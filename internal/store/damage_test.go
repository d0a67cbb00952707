package store

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/quant"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/rowtype"
)

// openAll opens, verifies and inspects path, and gives the errors of the first two.
func openAll(path string) (open, verify error) {
	ctx := context.Background()
	o, open := Open(ctx, path, Options{})
	if open == nil {
		_ = o.Close()
	}
	_, _ = Inspect(path)
	_, verify = Verify(ctx, path)
	return open, verify
}

func TestEveryFlipIsFound(t *testing.T) {
	race.SkipSequential(t)
	path := saved(t, small())
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	step := 1
	if testing.Short() {
		step = 37
	}
	for i := 0; i < len(b); i += step {
		if _, err := file.WriteAt([]byte{b[i] ^ 1<<(i%8)}, int64(i)); err != nil {
			t.Fatal(err)
		}
		checkDamaged(t, path, "byte", i)
		if _, err := file.WriteAt(b[i:i+1], int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	if open, verify := openAll(path); open != nil || verify != nil {
		t.Fatalf("the file as it was: %v, %v", open, verify)
	}
}

func TestEveryTruncationIsFound(t *testing.T) {
	race.SkipSequential(t)
	path := saved(t, small())
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := info.Size() - 1; n >= 0; n-- {
		if err := os.Truncate(path, n); err != nil {
			t.Fatal(err)
		}
		checkDamaged(t, path, "cut to", int(n))
	}
}

func TestTrailingBytesAreFound(t *testing.T) {
	path := saved(t, small())
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write([]byte{0}); err != nil {
		t.Fatal(err)
	}
	checkDamaged(t, path, "appended", 1)
}

func checkDamaged(t *testing.T, path, what string, n int) {
	t.Helper()
	open, verify := openAll(path)
	for _, err := range []error{open, verify} {
		var bad *FormatError
		if !errors.As(err, &bad) || bad.File != path {
			t.Fatalf("%s %d: got %v", what, n, err)
		}
	}
}

// resum makes the checksums of a changed file right again, so that only the other checks are left.
func resum(b []byte) {
	if len(b) < headerSize {
		return
	}
	rows, _ := sectionFrom(b[tableAt+int(Vectors-1)*sectionSize:])
	sums, _ := sectionFrom(b[tableAt+int(Sums-1)*sectionSize:])
	if all := (blockSums{}); rows.End() <= int64(len(b)) && sums.End() <= int64(len(b)) &&
		sums.Length == 4*blocks(rows.Length) {
		_, _ = all.Write(b[rows.Offset:rows.End()])
		copy(b[sums.Offset:sums.End()], bytesOf(all.all()))
	}
	for i := range kinds {
		at := tableAt + i*sectionSize
		s, _ := sectionFrom(b[at:])
		if s.Offset < 0 || s.Length < 0 || s.Offset > int64(len(b)) || s.Length > int64(len(b))-s.Offset {
			continue
		}
		binary.LittleEndian.PutUint32(b[at+4:], checksum(b[s.Offset:s.End()]))
	}
	binary.LittleEndian.PutUint32(b[crcAt:], checksum(b[:crcAt]))
}

// A file whose checksums are right and whose content is wrong is told by the graph's rules, with the place.
func TestLiesAreFound(t *testing.T) {
	path := saved(t, small())
	info, err := Inspect(path)
	if err != nil {
		t.Fatal(err)
	}
	at := func(k Kind) int64 { return info.Sections[k-1].Offset }
	for _, c := range []struct {
		name   string
		offset int64
		value  []byte
		field  string
	}{
		{"link past the end", at(Links0), []byte{13, 0, 0, 0}, "links0"},
		{"link to itself", at(Links0), []byte{1, 0, 0, 0}, "links0"},
		{"upper link past the end", at(Upper), []byte{255, 255, 255, 255}, "upper"},
		{"two elements of one label", at(Labels) + 8, []byte{3, 0, 0, 0}, "labels"},
		{"a mark too many", at(Deleted), []byte{255, 0, 0, 0}, "deleted"},
		{"a mark past the end", at(Deleted), []byte{1, 1, 0, 1}, "deleted"},
		{"level above the top", at(Levels), []byte{255}, "levels"},
		{"lists past the end", at(UpperAt) + 4, []byte{255, 255, 255, 255}, "upperAt"},
		{"entry point past the end", at(Meta) + 76, []byte{12}, "meta"},
		{"entry point on another level", at(Meta) + 72, []byte{200}, "meta"},
		{"unknown flag", at(Meta), []byte{255}, "meta"},
		{"unknown metric", at(Meta) + 4, []byte{9}, "meta"},
		{"dimension", at(Meta) + 12, []byte{3}, "meta"},
		{"many elements", at(Meta) + 36, []byte{1}, "meta"},
		{"room", at(Meta) + 44, []byte{1}, "meta"},
	} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		copy(b[c.offset:], c.value)
		resum(b)
		changed := filepath.Join(t.TempDir(), "changed")
		if err := os.WriteFile(changed, b, 0o600); err != nil {
			t.Fatal(err)
		}
		open, verify := openAll(changed)
		for _, err := range []error{open, verify} {
			var bad *FormatError
			if !errors.As(err, &bad) || bad.Field != c.field {
				t.Errorf("%s: got %v", c.name, err)
			}
		}
	}
}

func TestVerifyFindsNotFinite(t *testing.T) {
	path := saved(t, small())
	info, err := Inspect(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(b[info.Sections[Vectors-1].Offset+8:], math.Float32bits(float32(math.NaN())))
	resum(b)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := Verify(context.Background(), path)
	if err == nil || len(report.Problems) != 1 {
		t.Fatalf("verify gave %v", err)
	}
}

// What distances come from is checked on opening, with the place of what is wrong.
func TestSpoiltVectorsAreFound(t *testing.T) {
	scaled := shape{config: hnsw.Config{Dim: 6, M: 2, Storage: rowtype.ScaledInt8}, rows: 7}
	bare := shape{config: hnsw.Config{Dim: 6, M: 2, Storage: rowtype.NoRows, Codes: hnsw.Codes{Bits: 4}}, rows: 7}
	product := shape{rows: 7, config: hnsw.Config{
		Dim: 6, M: 2, Storage: rowtype.NoRows, Codes: hnsw.Codes{Kind: quant.Product, Bits: 4, Subvectors: 3, Rotated: true},
	}}
	nan := binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(math.NaN())))
	for _, c := range []struct {
		name   string
		shape  shape
		kind   Kind
		offset int64
		value  []byte
		field  string
	}{
		{"scale is NaN", scaled, Vectors, 2*12 + 8, nan, "vectors"},
		{"scale is negative", scaled, Vectors, 3*12 + 11, []byte{0xbf}, "vectors"},
		{"factor is NaN", bare, Codes, 16 + 4, nan, "codes"},
		{"center is NaN", bare, Quantizer, 4, nan, "quantizer"},
		{"an error is negative", product, Quantizer, 3, []byte{0xbf}, "quantizer"},
		{"a codebook holds NaN", product, Quantizer, 8 + 4*5, nan, "quantizer"},
		{"the rotation holds NaN", product, Quantizer, 8 + 4*(6*16+35), nan, "quantizer"},
		{"bits past the last sub-vector", product, Codes, 1, []byte{0x10}, "codes"},
		{"sub-vectors that don't fit", product, Meta, 88, []byte{4}, "meta"},
		{"no sub-vectors", product, Meta, 88, []byte{0}, "meta"},
		{"no rotation", product, Meta, 87, []byte{0}, "quantizer"},
		{"rotated by something else", product, Meta, 87, []byte{2}, "meta"},
		{"bits that there are not", product, Meta, 84, []byte{3}, "meta"},
		{"another kind", product, Meta, 85, []byte{0}, "meta"},
		{"sub-vectors of no product", bare, Meta, 88, []byte{1}, "meta"},
		{"reserved", bare, Meta, 92, []byte{1}, "meta"},
		{"rows of another type", scaled, Meta, 8, []byte{6}, "meta"},
		{"rows of plain bytes", scaled, Meta, 8, []byte{2}, "meta"},
		{"rows that there are not", bare, Meta, 8, []byte{0}, "meta"},
		{"a stride of no rows", bare, Meta, 56, []byte{4}, "meta"},
		{"neither rows nor codes", bare, Meta, 86, []byte{0}, "meta"},
		{"codes of no bits", bare, Meta, 84, []byte{0}, "meta"},
		{"rows gone", scaled, Meta, 8, []byte{5}, "meta"},
	} {
		path := saved(t, c.shape)
		info, err := Inspect(path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		copy(b[info.Sections[c.kind-1].Offset+c.offset:], c.value)
		resum(b)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		open, verify := openAll(path)
		for what, err := range map[string]error{"open": open, "verify": verify} {
			var bad *FormatError
			if !errors.As(err, &bad) || bad.Field != c.field || bad.File != path {
				t.Errorf("%s: %s gave %v", c.name, what, err)
			}
		}
	}
}
