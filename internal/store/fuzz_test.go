package store

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/quant"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// fuzzSeeds are indexes of few bytes that have a bit of everything.
func fuzzSeeds(f *testing.F) [][]byte {
	var files [][]byte
	for _, s := range []shape{
		small(), {config: hnsw.Config{Dim: 1, M: 2}},
		{config: hnsw.Config{Dim: 3, M: 2, Storage: vector.Float16, ReplaceDelete: true}, rows: 5, delete: 2},
		{config: hnsw.Config{Dim: 5, M: 2, Storage: rowtype.ScaledInt8}, rows: 4, delete: 3},
		{config: hnsw.Config{Dim: 5, M: 2, Storage: rowtype.NoRows, Codes: hnsw.Codes{Bits: 3}}, rows: 4},
		{config: hnsw.Config{Dim: 1, M: 3, Capacity: 2, FixedCapacity: true}, rows: 1, frozen: true},
	} {
		path := filepath.Join(f.TempDir(), "seed")
		if err := Save(context.Background(), path, s.make(f).source); err != nil {
			f.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		files = append(files, b)
	}
	return files
}

// FuzzOpen opens, verifies, searches and changes whatever a file may hold.
func FuzzOpen(f *testing.F) {
	for _, b := range fuzzSeeds(f) {
		f.Add(b)
	}
	f.Fuzz(openBytes)
}

// FuzzSections does the same with whatever the sections of a file with the right places and checksums may hold.
func FuzzSections(f *testing.F) {
	for _, b := range fuzzSeeds(f) {
		s := sectionsOf(b)
		f.Add(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7])
	}
	f.Fuzz(func(t *testing.T, meta, levels, links0, upperAt, upper, labels, vectors, deleted []byte) {
		openBytes(t, assemble(t, meta, levels, links0, upperAt, upper, labels, vectors, deleted, nil, nil))
	})
}

// FuzzCodes does the same with whatever a small index may say about its codes.
func FuzzCodes(f *testing.F) {
	for _, bits := range []int{1, 3, 8} {
		sections := codedSections(f, bits)
		f.Add(sections[0], sections[Quantizer-1], sections[Codes-1])
	}
	rest := codedSections(f, 3)
	f.Fuzz(func(t *testing.T, meta, center, codes []byte) {
		s := slices.Clone(rest)
		s[0], s[Quantizer-1], s[Codes-1] = meta, center, codes
		openBytes(t, assemble(t, s...))
	})
}

// FuzzRowless does the same with whatever a small index that keeps no rows may say about itself and its codes.
func FuzzRowless(f *testing.F) {
	sections := func(codes hnsw.Codes, rows int) [][]byte {
		c := hnsw.Config{Dim: 5, M: 2, Storage: rowtype.NoRows, Codes: codes}
		return savedSections(f, shape{config: c, rows: rows}.make(f).source)
	}
	for _, bits := range []int{1, 3, 8} {
		s := sections(hnsw.Codes{Bits: bits}, 6)
		f.Add(s[0], s[Vectors-1], s[Quantizer-1], s[Codes-1])
	}
	for _, product := range []hnsw.Codes{{Bits: 4}, {Bits: 8}, {Bits: 4, Subvectors: 1, Rotated: true}} {
		product.Kind = quant.Product
		s := sections(product, 6)
		f.Add(s[0], s[Vectors-1], s[Quantizer-1], s[Codes-1])
	}
	rest := sections(hnsw.Codes{Bits: 3}, 6)
	f.Fuzz(func(t *testing.T, meta, vectors, center, codes []byte) {
		s := slices.Clone(rest)
		s[0], s[Vectors-1], s[Quantizer-1], s[Codes-1] = meta, vectors, center, codes
		openBytes(t, assemble(t, s...))
	})
}

// codedSections are those of an index of few elements, as if it had been trained.
func codedSections(f *testing.F, bits int) [][]byte {
	small := shape{config: hnsw.Config{Dim: 5, M: 2, Codes: hnsw.Codes{Bits: bits}}, rows: 6}.make(f).source
	var coded *hnsw.Index
	err := small.WithImage(func(from *hnsw.Image) (err error) {
		coded, err = hnsw.Restore(from.Config, from.Count, from.UpperLists(), func(to *hnsw.Image) error {
			to.TopLevel, to.Entry, to.Coded = from.TopLevel, from.Entry, true
			copy(to.Links0, from.Links0)
			copy(to.Levels, from.Levels)
			copy(to.UpperAt, from.UpperAt)
			copy(to.Upper, from.Upper)
			copy(to.Labels, from.Labels)
			return nil
		})
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
	defer coded.Close()
	return savedSections(f, coded)
}

// savedSections are those of the file that x is saved as.
func savedSections(f *testing.F, x Source) [][]byte {
	path := filepath.Join(f.TempDir(), "sections")
	if err := Save(context.Background(), path, x); err != nil {
		f.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	return sectionsOf(b)
}

// sectionsOf splits a sound file.
func sectionsOf(b []byte) [][]byte {
	s := make([][]byte, kinds)
	for i := range s {
		entry, _ := sectionFrom(b[tableAt+i*sectionSize:])
		s[i] = b[entry.Offset:entry.End()]
	}
	return s
}

// assemble makes a file of sections; the sums of rows follow from them.
func assemble(t *testing.T, sections ...[]byte) []byte {
	var sums blockSums
	_, _ = sums.Write(sections[Vectors-1])
	sections = append(sections[:Codes:Codes], bytesOf(sums.all()))
	var b bytes.Buffer
	w := &sectionWriter{w: bufio.NewWriter(&b)}
	if err := w.pad(headerSize); err != nil {
		t.Fatal(err)
	}
	for i, s := range sections {
		if err := w.sections(content{Kind(i + 1), s}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.w.Flush(); err != nil {
		t.Fatal(err)
	}
	h := header{length: w.off, sections: w.done}
	copy(b.Bytes(), h.encode())
	return b.Bytes()
}

func openBytes(t *testing.T, b []byte) {
	ctx := context.Background()
	load := func() (*loader, error) { return newLoader(ctx, bytes.NewReader(b), "fuzz", int64(len(b))) }
	l, err := load()
	if err != nil {
		return
	}
	_, unsound := l.verify(ctx)
	if l, err = load(); err != nil {
		t.Fatalf("the second look gave %v", err)
	}
	o, err := l.open(Options{})
	if err != nil {
		return
	}
	defer o.Close()
	// Only Verify looks for NaN, and for labels that two elements of a frozen graph share.
	if unsound != nil && !errors.Is(unsound, hnsw.ErrNotFinite) && o.Index != nil {
		t.Fatalf("opened, though verify gave %v", unsound)
	}
	use(t, o)
}

// use searches and changes an index of unknown content.
func use(t *testing.T, o Opened) {
	r := o.Reader()
	query := make([]float32, r.Dim())
	query[0] = 1
	if found, err := r.Search(query, 3, search.Options{}); err != nil || len(found) > 3 {
		t.Fatalf("search gave %v, %v", found, err)
	}
	if o.Index == nil {
		return
	}
	for label := range uint64(5) {
		_ = o.Index.Add(label, query, hnsw.AddOptions{}) // a full index refuses
		_ = o.Index.Delete(label)
	}
	if _, err := r.Search(query, 3, search.Options{}); err != nil {
		t.Fatalf("search gave %v", err)
	}
}
