package simd

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// keyList makes a list of n keys with the room that the routines ask for, filled with what must not be read as keys.
func keyList(n int) []uint64 {
	keys := make([]uint64, KeyCapacity(n))
	for i := range keys {
		keys[i] = 0x5555555555555555
	}
	return keys
}

// oddDistances holds what comparisons and shifts may get wrong.
func oddDistances() []float32 {
	inf := float32(math.Inf(1))
	return []float32{
		float32(math.NaN()), math.Float32frombits(0xffc00001), inf, -inf, 0, float32(math.Copysign(0, -1)), 1, 1, -1,
		math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32,
	}
}

func TestNearKeys(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	odd := oddDistances()
	for n := 1; n <= 140; n++ {
		ids, dist := make([]uint32, n), make([]float32, n)
		for i := range ids {
			ids[i] = rng.Uint32() >> 1
			dist[i] = rng.Float32() - 0.5
			if i%3 == n%3 {
				dist[i] = odd[rng.IntN(len(odd))]
			}
		}
		for _, worst := range append(odd, 0.1, -0.2) {
			var want []uint64
			for i, d := range dist {
				if !(d >= worst) {
					want = append(want, Key(d, ids[i]))
				}
			}
			for _, set := range tested() {
				keys := keyList(n)
				found := set.NearKeys(&keys[0], &ids[0], &dist[0], n, worst)
				if !slices.Equal(keys[:found], want) {
					t.Fatalf("%s: of %v those nearer than %v are %x, not %x", set.Name, dist, worst, keys[:found], want)
				}
			}
		}
	}
}

func TestSortKeys(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for n := 1; n <= 300; n++ {
		src := keyList(n)
		for i := range n {
			src[i] = rng.Uint64()>>(rng.UintN(3)*20)<<9 | uint64(i) // no two alike
		}
		if n%4 == 0 {
			src[n/2] = math.MaxUint64
		}
		want := slices.Sorted(slices.Values(src[:n]))
		for _, set := range tested() {
			from, to := slices.Clone(src), keyList(n)
			set.SortKeys(&to[0], &from[0], n)
			if !slices.Equal(to[:n], want) {
				t.Fatalf("%s: %d keys sorted are %x, not %x", set.Name, n, to[:n], want)
			}
		}
	}
}

func TestMergeKeys(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 5000 {
		total := 1 + rng.IntN(200)
		n := 1 + rng.IntN(min(total, 80))
		at := slices.Sorted(slices.Values(rng.Perm(total)[:n]))
		places := make([]uint64, (total+63)/64)
		held, fresh := keyList(total), keyList(n)
		for i := range total {
			held[i] = uint64(1000 + i)
		}
		want, next := make([]uint64, total), 0
		for i := range want {
			if slices.Contains(at, i) {
				places[i/64] |= 1 << (i % 64)
				fresh[i-next] = uint64(i)
				want[i] = uint64(i)
			} else {
				want[i] = held[next]
				next++
			}
		}
		for _, set := range tested() {
			keys := slices.Clone(held)
			set.MergeKeys(&keys[0], total, &places[0], at[0], &fresh[0], n)
			if !slices.Equal(keys[:total], want) {
				t.Fatalf("%s: %d keys at %v give %v", set.Name, n, at, keys[:total])
			}
		}
	}
}

func TestPlaceKeys(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for round := range 4000 {
		held, n := rng.IntN(300), 1+rng.IntN(70)
		if round%10 == 0 {
			held = rng.IntN(3)
		}
		total := 1 + rng.IntN(held+n)
		all := make([]uint64, held+n)
		for i := range all {
			all[i] = rng.Uint64()>>(rng.UintN(3)*20)<<9 | uint64(i) // no two alike
		}
		if round%3 == 0 {
			all[0] = math.MaxUint64 - 1
		}
		keys, fresh := keyList(held), keyList(n)
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		copy(keys, all[:held])
		copy(fresh, all[held:])
		slices.Sort(keys[:held])
		slices.Sort(fresh[:n])
		slices.Sort(all)
		want, used := make([]uint64, (total+63)/64), 0
		for i, k := range all[:total] {
			if slices.Contains(fresh[:n], k) {
				want[i/64] |= 1 << (i % 64)
				used++
			}
		}
		first, _ := slices.BinarySearch(keys[:held], fresh[0])
		for _, set := range tested() {
			among, places := slices.Clone(keys), make([]uint64, len(want))
			at, count := set.PlaceKeys(&places[0], total, &among[0], held, &fresh[0], n)
			if at != first || count != used || !slices.Equal(places, want) || !slices.Equal(among[:held], keys[:held]) {
				t.Fatalf("%s: %d keys among %d, %d in all: first %d, used %d, %x; not %d, %d, %x", set.Name, n, held, total, at,
					count, places, first, used, want)
			}
		}
	}
}
