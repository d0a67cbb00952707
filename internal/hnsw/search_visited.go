package hnsw

import (
	"encoding/binary"
	"slices"
	"sync/atomic"
)

// visited is a set of ids: a bitmap, small enough for the nearer caches, and the list of its members in the order of
// adding, by which the bitmap is cleared.
type visited struct {
	words []uint64
	met   []uint32
}

// reset empties the set and makes it one of ids below n.
func (v *visited) reset(n int) {
	if words := (n + 63) / 64; len(v.words) < words {
		v.words = make([]uint64, words)
	} else {
		for _, id := range v.met {
			v.words[id>>6] = 0
		}
	}
	v.met = v.met[:0]
}

// add puts id into the set and reports whether it was absent.
func (v *visited) add(id uint32) bool {
	w, bit := id>>6, uint64(1)<<(id&63)
	old := v.words[w]
	v.words[w] = old | bit
	if old&bit != 0 {
		return false
	}
	v.met = append(v.met, id)
	return true
}

// has reports whether id is in the set.
func (v *visited) has(id uint32) bool { return v.words[id>>6]>>(id&63)&1 != 0 }

// addPacked is addList of a packed list.
func (v *visited) addPacked(p *packed, node uint32) {
	start := len(v.met)
	v.met = slices.Grow(v.met, p.longest)
	words, met, n := v.words, v.met[start:start+p.longest], 0
	list, off, mask := p.data[int(node)*p.stride:], uint(0), p.mask
	for range p.longest {
		link := uint32(binary.LittleEndian.Uint64(list[off>>3:])>>(off&7)) & mask
		if link == 0 {
			break
		}
		off += p.bits
		id := link - 1
		old := words[id>>6]
		words[id>>6] = old | 1<<(id&63)
		met[n] = id
		n += int(^old >> (id & 63) & 1)
	}
	v.met = v.met[:start+n]
}

// addChecked is addList that passes over links which lead to no element below n.
func (v *visited) addChecked(list []uint32, n uint32) {
	for i := range list {
		link := atomic.LoadUint32(&list[i])
		if link == 0 {
			break
		}
		if link <= n {
			v.add(link - 1)
		}
	}
}

// addList puts the links of a list into the set; those that were absent are appended to met.
// Whether a link was there is as good as random, so nothing branches on it.
func (v *visited) addList(list []uint32) {
	start := len(v.met)
	v.met = slices.Grow(v.met, len(list))
	words, met, n := v.words, v.met[start:start+len(list)], 0
	for i := range list {
		link := atomic.LoadUint32(&list[i])
		if link == 0 {
			break
		}
		id := link - 1
		old := words[id>>6]
		words[id>>6] = old | 1<<(id&63)
		met[n] = id
		n += int(^old >> (id & 63) & 1)
	}
	v.met = v.met[:start+n]
}
