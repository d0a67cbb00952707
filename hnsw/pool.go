package hnsw

import (
	"bytes"
	"math"
	"slices"
)

// key orders candidates by distance, then by id, in one comparison: the distance's bits in an order-keeping form above
// the id. NaN counts as farthest.
type key uint64

func keyOf(d float32, id uint32) key {
	b := math.Float32bits(d)
	if d != d {
		b = math.MaxInt32
	}
	return key(b^(uint32(int32(b)>>31)|1<<31))<<32 | key(id)
}

func (k key) id() uint32 { return uint32(k) }

func (k key) distance() float32 {
	b := uint32(k >> 32)
	return math.Float32frombits(b ^ (uint32(int32(^b)>>31) | 1<<31))
}

// pool is the collector of a plain walk: candidates and results in one array sorted from near to far, at most ef long,
// with a mark a candidate that is still to be expanded.
type pool struct {
	keys  []key   // sorted; room for ef
	open  []uint8 // 1: the key in that place is still to be expanded
	fresh []key   // those offered at a time that are near enough
	ef    int
	first int     // no open key stands before it
	k     int     // results wanted; of use with slack only
	slack float32 // the walk ends at an open candidate farther than so many times the k-th; 0: never for that reason
	worst float32 // distance of the last key once the pool is full; NaN before, which no distance is at least
}

func (p *pool) reset(ef int) {
	if cap(p.keys) < ef {
		p.keys, p.open = make([]key, 0, ef), make([]uint8, 0, ef)
	}
	p.keys, p.open = p.keys[:0], p.open[:0]
	p.ef, p.first, p.slack = ef, 0, 0
	p.worst = float32(math.NaN())
}

// next takes the nearest open candidate.
func (p *pool) next() (uint32, bool) {
	i := p.firstOpen()
	if i < 0 {
		return 0, false
	}
	if p.slack > 0 && i >= p.k && p.keys[i].distance() > p.slack*p.keys[p.k-1].distance() {
		return 0, false
	}
	p.open[i] = 0
	p.first = i + 1
	return p.keys[i].id(), true
}

// peek appends the first n candidates that are still open.
func (p *pool) peek(dst []uint32, n int) []uint32 {
	for at := p.first; n > 0; n-- {
		i := bytes.IndexByte(p.open[at:], 1)
		if i < 0 {
			break
		}
		dst = append(dst, p.keys[at+i].id())
		at += i + 1
	}
	return dst
}

func (p *pool) firstOpen() int {
	i := bytes.IndexByte(p.open[p.first:], 1)
	if i < 0 {
		return -1
	}
	return p.first + i
}

// offer adds the candidates that are nearer than the worst one held. They are sorted first, so that each key held moves
// once for all of them.
func (p *pool) offer(ids []uint32, dist []float32) {
	p.fresh = slices.Grow(p.fresh[:0], len(ids))[:len(ids)]
	n := 0
	for i, d := range dist[:len(ids)] {
		p.fresh[n] = keyOf(d, ids[i])
		near := 0 // whether it is near enough is hard to foresee, so nothing branches on it
		if !(d >= p.worst) {
			near = 1
		}
		n += near
	}
	if n > 0 {
		p.merge(sortFew(p.fresh[:n]))
	}
}

// sortFew sorts by insertion, the quickest way for the few keys of a hop.
func sortFew(keys []key) []key {
	if len(keys) > 32 {
		slices.Sort(keys)
		return keys
	}
	for i := 1; i < len(keys); i++ {
		k, j := keys[i], i
		for ; j > 0 && keys[j-1] > k; j-- {
			keys[j] = keys[j-1]
		}
		keys[j] = k
	}
	return keys
}

// merge puts sorted keys among those held, from the farthest on: what stands between the places of two moves up together.
func (p *pool) merge(fresh []key) {
	held := len(p.keys)
	total := min(held+len(fresh), p.ef)
	keys, open := p.keys[:total], p.open[:total]
	end := held
	for j := len(fresh) - 1; j >= 0; j-- {
		at := search(keys[:end], fresh[j])
		if to := at + j + 1; to < total {
			copy(keys[to:], keys[at:end])
			copy(open[to:], open[at:end])
		}
		if at+j < total {
			keys[at+j], open[at+j] = fresh[j], 1
		}
		end = at
	}
	p.keys, p.open = keys, open
	p.first = min(p.first, end)
	if total == p.ef {
		p.worst = keys[total-1].distance()
	}
}

// search is the place of k among sorted keys. The loop compiles to a conditional move, as its outcome can't be foreseen.
func search(keys []key, k key) int {
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
