package hnsw

import (
	"math"
	"math/bits"
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
// with a bitmap of those not expanded yet.
type pool struct {
	keys  []key    // sorted; cap is ef + 1
	open  []uint64 // bit i: keys[i] is still to be expanded
	ef    int
	first int     // no open key stands before it
	worst float32 // distance of the last key once the pool is full; NaN before, which no distance is at least
}

func (p *pool) reset(ef int) {
	if cap(p.keys) < ef+1 {
		p.keys = make([]key, 0, ef+1)
	}
	words := ef/64 + 1
	if cap(p.open) < words {
		p.open = make([]uint64, words)
	}
	p.keys, p.open = p.keys[:0], p.open[:words]
	clear(p.open)
	p.ef, p.first = ef, 0
	p.worst = float32(math.NaN())
}

// next takes the nearest open candidate.
func (p *pool) next() (uint32, bool) {
	i := p.firstOpen(p.first)
	if i < 0 {
		return 0, false
	}
	p.open[i>>6] &^= 1 << (i & 63)
	p.first = i + 1
	return p.keys[i].id(), true
}

// peek is the candidate that next would give now.
func (p *pool) peek() (uint32, bool) {
	i := p.firstOpen(p.first)
	if i < 0 {
		return 0, false
	}
	return p.keys[i].id(), true
}

func (p *pool) firstOpen(from int) int {
	w := from >> 6
	if w >= len(p.open) {
		return -1
	}
	word := p.open[w] &^ (1<<(from&63) - 1)
	for word == 0 {
		w++
		if w >= len(p.open) {
			return -1
		}
		word = p.open[w]
	}
	return w<<6 + bits.TrailingZeros64(word)
}

// offer adds the candidates that are nearer than the worst one held.
func (p *pool) offer(ids []uint32, dist []float32) {
	for i, d := range dist[:len(ids)] {
		if d >= p.worst {
			continue
		}
		p.insert(keyOf(d, ids[i]))
	}
}

func (p *pool) insert(k key) {
	at, n := p.search(k), len(p.keys)
	if n == p.ef {
		if at == n {
			return
		}
		n--
	}
	p.keys = p.keys[:n+1]
	copy(p.keys[at+1:], p.keys[at:n])
	p.keys[at] = k
	p.shiftOpen(at)
	p.first = min(p.first, at)
	if n+1 == p.ef {
		p.worst = p.keys[n].distance()
	}
}

// search is the place of k among the sorted keys. The loop compiles to a conditional move, as its outcome can't be
// foreseen.
func (p *pool) search(k key) int {
	keys, lo := p.keys, 0
	for n := len(keys); n > 0; {
		half := (n + 1) >> 1
		if keys[lo+half-1] < k {
			lo += half
		}
		n -= half
	}
	return lo
}

// shiftOpen moves the marks from at on up by one, sets the one at at and drops the one past ef.
func (p *pool) shiftOpen(at int) {
	w := at >> 6
	low := uint64(1)<<(at&63) - 1
	word := p.open[w]
	carry := word >> 63
	p.open[w] = word&low | (word&^low)<<1 | 1<<(at&63)
	for w++; w < len(p.open); w++ {
		word = p.open[w]
		p.open[w] = word<<1 | carry
		carry = word >> 63
	}
	p.open[p.ef>>6] &^= 1 << (p.ef & 63)
}
