//go:build unix

package simd

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

const longest = 1100

func TestPairs(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, k := range kinds {
		queries, rows := newGuarded(t, longest*k.query), newGuarded(t, k.size(longest))
		for dim := 0; dim <= longest; dim++ {
			qs, rs := queries.places(dim*k.query), rows.places(k.size(dim))
			for i := range qs {
				q, r := qs[i], rs[(i+dim)%len(rs)]
				fill(rng, q, k.query)
				k.fillRow(rng, r, dim)
				for _, set := range tested() {
					k.checkPair(t, set, q, r, dim)
				}
			}
		}
	}
}

// TestPairsOfExtremes holds every element at the ends of its range.
func TestPairsOfExtremes(t *testing.T) {
	for _, k := range kinds {
		if !k.exact {
			continue
		}
		q, r := make([]byte, longest), make([]byte, longest)
		for _, x := range []byte{0, 127, 128, 255} {
			for _, y := range []byte{0, 127, 128, 255} {
				for i := range q {
					q[i], r[i] = x, y
				}
				for dim := 0; dim <= longest; dim++ {
					for _, set := range tested() {
						k.checkPair(t, set, q, r, dim)
					}
				}
			}
		}
	}
}

// TestSpecialFloats puts one special value, or two, at every place of a vector.
func TestSpecialFloats(t *testing.T) {
	inf := float32(math.Inf(1))
	special := []float32{float32(math.NaN()), inf, -inf, 0x1p-149, -0x1p-130, math.MaxFloat32, 3e38, 0}
	rng := rand.New(rand.NewPCG(3, 4))
	put := func(b []byte, i int, v float32) { binary.NativeEndian.PutUint32(b[4*i:], math.Float32bits(v)) }
	k := kinds[0]
	for dim := 1; dim <= 70; dim++ {
		for i, v := range special {
			for at := range dim {
				q, r := make([]byte, 4*dim), make([]byte, 4*dim)
				fill(rng, q, 4)
				fill(rng, r, 4)
				put(r, at, v)
				for _, set := range tested() {
					k.checkPair(t, set, q, r, dim)
				}
				put(q, at, v)
				put(r, (at+dim/2)%dim, special[(i+1)%len(special)])
				for _, set := range tested() {
					k.checkPair(t, set, q, r, dim)
				}
			}
		}
	}
}

// TestSubnormals has nothing but numbers that a flush to zero would lose.
func TestSubnormals(t *testing.T) {
	const dim = 200
	q, r32, r16 := make([]byte, 4*dim), make([]byte, 4*dim), make([]byte, 2*dim)
	for i := range dim {
		binary.NativeEndian.PutUint32(q[4*i:], math.Float32bits(1))
		binary.NativeEndian.PutUint32(r32[4*i:], uint32(i+1))
		binary.NativeEndian.PutUint16(r16[2*i:], uint16(i+1))
	}
	for n := range dim {
		for _, set := range tested() {
			kinds[0].checkPair(t, set, q, r32, n)
			kinds[1].checkPair(t, set, q, r16, n)
		}
	}
}

// TestEveryHalf reads each float16 there is, once alone and once in the midst of a vector.
func TestEveryHalf(t *testing.T) {
	const dim = 16
	k := kinds[1]
	q, r := make([]byte, 4*dim), make([]byte, 2*dim)
	for h := range 1 << 16 {
		at := h % dim
		for i := range dim {
			binary.NativeEndian.PutUint32(q[4*i:], 0)
			binary.NativeEndian.PutUint16(r[2*i:], 0)
		}
		binary.NativeEndian.PutUint32(q[4*at:], math.Float32bits(1))
		binary.NativeEndian.PutUint16(r[2*at:], uint16(h))
		want := float16At(r[2*at:])
		for _, set := range tested() {
			for _, got := range []float64{
				k.dot(set)(pointer(q), pointer(r), dim),
				k.dot(set)(pointer(q[4*at:]), pointer(r[2*at:]), 1),
			} {
				if got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
					t.Fatalf("%s: float16 %#04x reads as %g, not %g", set.Name, h, got, want)
				}
			}
		}
	}
}

// TestScaledExtremes has rows of the largest bytes and scales from none to those whose products just fit a float32.
func TestScaledExtremes(t *testing.T) {
	k := kinds[2]
	q, r := make([]byte, 4*longest), make([]byte, k.size(longest))
	scales := []float32{0, 0x1p-149, 0x1.8p-130, 0x1p-126, 1, 0x1p60, 0x1.02p121}
	for dim := 1; dim <= 200; dim++ {
		for i, scale := range scales {
			for j := range dim {
				r[j] = [...]byte{127, 129, 0, 1}[(j+i)%4]
				v := float32(k.asRow(r[j:])) * scale // at distance 0
				binary.NativeEndian.PutUint32(q[4*j:], math.Float32bits(v))
			}
			putScale(r, dim, scale)
			for _, set := range tested() {
				k.checkPair(t, set, q, r, dim)
				if d := k.l2(set)(pointer(q), pointer(r), dim); d != 0 {
					t.Fatalf("%s: a row of %d, scale %g, is at %g of itself", set.Name, dim, scale, d)
				}
			}
		}
	}
}

// TestScaledSpecials has scales that are no numbers to multiply by: results must be no numbers either, wherever the
// elements lie.
func TestScaledSpecials(t *testing.T) {
	k := kinds[2]
	rng := rand.New(rand.NewPCG(9, 10))
	for dim := 1; dim <= 70; dim++ {
		for _, scale := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
			q, r := make([]byte, 4*dim), make([]byte, k.size(dim))
			fill(rng, q, 4)
			for i := range dim {
				r[i] = 1
			}
			putScale(r, dim, scale)
			for _, set := range tested() {
				k.checkPair(t, set, q, r, dim)
			}
		}
	}
}
