package quant

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/shale-search/shale/vector"
)

var allBits = []int{1, 2, 3, 4, 8}

func quantizer(t testing.TB, c Config, center []float32) *Quantizer {
	t.Helper()
	if center == nil {
		center = make([]float32, c.Dim)
	}
	q, err := New(c, center)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestPackedCodesComeBack(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, bits := range allBits {
		for dim := 1; dim < 700; dim += 1 + dim/17 {
			q := quantizer(t, Config{Dim: dim, Bits: bits}, nil)
			codes, got := make([]uint8, dim), make([]uint8, dim)
			for i := range codes {
				codes[i] = uint8(rnd.IntN(1 << bits))
			}
			row := make([]byte, q.layout.size)
			q.pack(row, codes)
			for _, b := range row[q.layout.factors:] {
				if b != 0 {
					t.Fatalf("%d bits, dim %d: codes reach into the factors", bits, dim)
				}
			}
			want := factors{1, -2, 3}
			q.layout.putFactors(row, want)
			if q.unpack(got, row); !slices.Equal(got, codes) || q.layout.getFactors(row) != want {
				t.Fatalf("%d bits, dim %d: codes or factors changed", bits, dim)
			}
		}
	}
}

func TestSizes(t *testing.T) {
	for _, c := range []struct{ dim, bits, size, stride int }{
		{100, 4, 64, 64},   // one line
		{384, 2, 108, 128}, // two
		{384, 1, 60, 64},   // one
		{128, 3, 60, 64},   // one
		{384, 8, 396, 400}, // a line each would cost an eighth of the memory
		{1000, 8, 1012, 1024},
		{1, 1, 16, 16},
	} {
		l := layoutOf(c.dim, c.bits)
		if l.size != c.size || l.stride != c.stride {
			t.Errorf("dim %d, %d bits: %d bytes every %d, want %d every %d", c.dim, c.bits, l.size, l.stride, c.size, c.stride)
		}
	}
	if n := Bytes(100, 4, 0); n != 0 {
		t.Errorf("no rows take %d bytes", n)
	}
	for _, bits := range allBits {
		for dim := 1; dim < 300; dim++ {
			if n, least := Bytes(dim, bits, 3), 3*Stride(dim, bits); n < least {
				t.Errorf("dim %d, %d bits: 3 rows in %d bytes, not %d", dim, bits, n, least)
			}
		}
	}
}

func TestConfigsRefused(t *testing.T) {
	for name, c := range map[string]Config{
		"no dim": {Bits: 4}, "dim": {Dim: MaxDim + 1, Bits: 1}, "no bits": {Dim: 3}, "bits": {Dim: 3, Bits: 5},
		"many bits": {Dim: 3, Bits: 9}, "negative": {Dim: 3, Bits: -1}, "kind": {Dim: 3, Bits: 2, Kind: 9},
		"metric": {Dim: 3, Bits: 2, Metric: 7},
	} {
		if _, err := New(c, make([]float32, max(c.Dim, 0))); err == nil {
			t.Errorf("%s: %+v was accepted", name, c)
		}
		if _, err := Train(c, vector.Matrix{}); err == nil {
			t.Errorf("%s: %+v was trained", name, c)
		}
	}
	if _, err := New(Config{Dim: 3, Bits: 2}, []float32{1, 2}); err == nil {
		t.Error("a center of another dimension was accepted")
	}
	var zero float32
	if _, err := New(Config{Dim: 2, Bits: 2}, []float32{1, 1 / zero}); err == nil {
		t.Error("an infinite center was accepted")
	}
}

func TestTrainTakesTheMean(t *testing.T) {
	m, err := vector.Of([]float32{1, 2, 3, 6, 5, 10}, 2)
	if err != nil {
		t.Fatal(err)
	}
	q, err := Train(Config{Dim: 2, Bits: 4}, m)
	if err != nil || !slices.Equal(q.Center(), []float32{3, 6}) {
		t.Errorf("center %v, %v", q.Center(), err)
	}
}
