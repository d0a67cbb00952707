package simd

import (
	"math"
	"math/bits"
	"slices"
	"unsafe"
)

// Key is a candidate in one number: a distance, in an order-keeping form, above twice an id. Keys are in the order of
// their distances, and of their ids where these are equal; the lowest bit is the caller's. NaN counts as farthest.
func Key(d float32, id uint32) uint64 {
	b := math.Float32bits(d)
	if d != d {
		b = math.MaxInt32
	}
	return uint64(b^(uint32(int32(b)>>31)|1<<31))<<32 | uint64(id)<<1
}

func nearKeysGeneric(keys *uint64, ids *uint32, dist *float32, n int, worst float32) int {
	to, from, of := unsafe.Slice(keys, n), unsafe.Slice(ids, n), unsafe.Slice(dist, n)
	found := 0
	for i, d := range of {
		to[found] = Key(d, from[i])
		near := 0 // whether it is near enough is hard to foresee, so nothing branches on it
		if !(d >= worst) {
			near = 1
		}
		found += near
	}
	return found
}

// sortKeysGeneric sorts by insertion, the quickest way for the few keys of a hop.
func sortKeysGeneric(dst, src *uint64, n int) {
	keys, from := unsafe.Slice(dst, n), unsafe.Slice(src, n)
	if n > 32 {
		copy(keys, from)
		slices.Sort(keys)
		return
	}
	for i, k := range from {
		j := i
		for ; j > 0 && keys[j-1] > k; j-- {
			keys[j] = keys[j-1]
		}
		keys[j] = k
	}
}

func placeKeysGeneric(places *uint64, total int, keys *uint64, held int, fresh *uint64, n int) (first, used int) {
	bitmap, among, put := unsafe.Slice(places, (total+63)/64), unsafe.Slice(keys, held), unsafe.Slice(fresh, n)
	first = held
	for j := n - 1; j >= 0; j-- {
		first = rankOf(among[:first], put[j])
		if place := first + j; place < total {
			bitmap[place>>6] |= 1 << (place & 63)
			used++
		}
	}
	return first, used
}

// rankOf is the place of k among sorted keys. The loop compiles to a conditional move, as its outcome can't be
// foreseen.
func rankOf(keys []uint64, k uint64) int {
	lo := 0
	for n := len(keys); n > 0; {
		half := (n + 1) >> 1
		if keys[lo+half-1] < k {
			lo += half
		}
		n -= half
	}
	return lo
}

// mergeKeysGeneric moves what stands between the places of two keys up together, from the farthest on.
func mergeKeysGeneric(keys *uint64, total int, places *uint64, first int, fresh *uint64, n int) {
	to, put := unsafe.Slice(keys, total), unsafe.Slice(fresh, n)
	words := unsafe.Slice(places, (total+63)/64)
	end := total // of what is still to be filled
	for word := len(words) - 1; word >= first/64; word-- {
		for set := words[word]; set != 0; n-- {
			bit := 63 - bits.LeadingZeros64(set)
			set &^= 1 << bit
			place := 64*word + bit
			copy(to[place+1:end], to[place+1-n:])
			to[place] = put[n-1]
			end = place
		}
	}
}
