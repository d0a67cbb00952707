package hnsw

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

var (
	posInf = float32(math.Inf(1))
	negInf = float32(math.Inf(-1))
	nan    = float32(math.NaN())
)

// anyDistance draws a distance, odd ones and repeated ones often.
func anyDistance() *rapid.Generator[float32] {
	return rapid.OneOf(
		rapid.Float32(),
		rapid.Map(rapid.IntRange(-3, 3), func(i int) float32 { return float32(i) }),
		rapid.SampledFrom([]float32{0, posInf, negInf, nan, math.MaxFloat32, math.SmallestNonzeroFloat32}),
	)
}

func TestKeyRoundTripAndOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyDistance().Draw(t, "a"), anyDistance().Draw(t, "b")
		i, j := rapid.Uint32Max(maxRows).Draw(t, "i"), rapid.Uint32Max(maxRows).Draw(t, "j")
		ka, kb := keyOf(a, i), keyOf(b, j)
		if ka.id() != i || ka.distance() != a && !(math.IsNaN(float64(a)) && math.IsNaN(float64(ka.distance()))) {
			t.Fatalf("key of (%v, %d) holds (%v, %d)", a, i, ka.distance(), ka.id())
		}
		aNaN, bNaN := a != a, b != b
		switch {
		case a < b || !aNaN && bNaN:
			if ka >= kb {
				t.Fatalf("%v is not before %v", a, b)
			}
		case math.Float32bits(a) == math.Float32bits(b) || aNaN && bNaN:
			if (ka < kb) != (i < j) {
				t.Fatalf("equal distances are not ordered by id: %d, %d", i, j)
			}
		}
	})
}

func TestVisited(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var v visited
		for range rapid.IntRange(1, 4).Draw(t, "rounds") {
			n := rapid.IntRange(1, 500).Draw(t, "n")
			v.reset(n)
			seen := map[uint32]bool{}
			for _, id := range rapid.SliceOf(rapid.Uint32Range(0, uint32(n-1))).Draw(t, "ids") {
				if v.add(id) == seen[id] {
					t.Fatalf("add(%d) of %v gave %v", id, seen, !seen[id])
				}
				seen[id] = true
			}
		}
	})
}

func TestBitmap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := make(bitmap, 8)
		model := map[uint32]bool{}
		for _, id := range rapid.SliceOf(rapid.Uint32Range(0, 255)).Draw(t, "ids") {
			if model[id] = !model[id]; model[id] {
				b.set(id)
			} else {
				b.clear(id)
			}
		}
		for id := range uint32(256) {
			if b.get(id) != model[id] {
				t.Fatalf("bit %d is %v", id, b.get(id))
			}
		}
	})
}

func TestFreeList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f freeList
		model := map[uint32]bool{}
		for _, id := range rapid.SliceOf(rapid.Uint32Range(0, 20)).Draw(t, "ids") {
			switch {
			case id%5 == 0 && len(model) > 0:
				got, ok := f.take()
				if !ok || !model[got] {
					t.Fatalf("took %d, %v out of %v", got, ok, model)
				}
				delete(model, got)
			case model[id]:
				f.remove(id)
				delete(model, id)
			case id%2 == 0:
				f.remove(id) // isn't there
			default:
				f.add(id)
				model[id] = true
			}
		}
		if len(f.ids) != len(model) || len(f.at) != len(model) {
			t.Fatalf("%d and %d entries, want %d", len(f.ids), len(f.at), len(model))
		}
	})
}
