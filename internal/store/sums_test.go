package store

import (
	"context"
	"errors"
	"os"
	"testing"

	"pgregory.net/rapid"

	"github.com/shale-search/shale/internal/hnsw"
)

func TestBlockSumsDoNotDependOnWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 0, 3*SumBlock).Draw(t, "bytes")
		var s blockSums
		for rest := b; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "written")
			if _, err := s.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		sums := s.all()
		if int64(len(sums)) != blocks(int64(len(b))) {
			t.Fatalf("%d sums of %d bytes", len(sums), len(b))
		}
		for i, sum := range sums {
			if block := b[i*SumBlock : min((i+1)*SumBlock, len(b))]; sum != SumOf(block) {
				t.Fatalf("block %d: %08x, %08x", i, sum, SumOf(block))
			}
		}
	})
}

func TestCodesWithoutRows(t *testing.T) {
	s := shape{config: hnsw.Config{Dim: 40, M: 4, Codes: hnsw.Codes{Bits: 4}}, rows: 1100}
	path := saved(t, s)
	x, place, err := OpenCodes(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if x.Len() != 1100 || place.Count != 1100 || int64(len(place.Sums)) != blocks(place.Bytes()) {
		t.Fatalf("%d elements, rows %d, %d sums", x.Len(), place.Count, len(place.Sums))
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rows := b[place.Offset : place.Offset+place.Bytes()]
	for i, sum := range place.Sums {
		if sum != SumOf(rows[i*SumBlock:min((i+1)*SumBlock, len(rows))]) {
			t.Fatalf("block %d has another sum", i)
		}
	}
	if _, _, err := OpenCodes(context.Background(), saved(t, small())); err == nil {
		t.Error("an index without codes was opened")
	}
	open := func() error {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		x, _, err := OpenCodes(context.Background(), path)
		if err == nil {
			x.Close()
		}
		return err
	}
	b[place.Offset+5]++
	if err := open(); err != nil {
		t.Errorf("damaged rows, which aren't read: %v", err)
	}
	b[len(b)-1]++
	var bad *FormatError
	if err := open(); !errors.As(err, &bad) || bad.Field != "sums" {
		t.Errorf("damaged sums: %v", err)
	}
}
