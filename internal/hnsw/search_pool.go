package hnsw

import (
	"math"
	"unsafe"

	"github.com/shale-search/shale/internal/simd"
)

// key orders candidates by distance, then by id, in one comparison: see simd.Key. In a pool its lowest bit says that
// the candidate has been expanded.
type key uint64

const expanded key = 1

func keyOf(d float32, id uint32) key { return key(simd.Key(d, id)) }

func (k key) id() uint32 { return uint32(k) >> 1 }

func (k key) distance() float32 {
	b := uint32(k >> 32)
	return math.Float32frombits(b ^ (uint32(int32(^b)>>31) | 1<<31))
}

// with returns the key of another id at the same distance.
func (k key) with(id uint32) key { return k&^math.MaxUint32 | key(id)<<1 }

// pool is the collector of a plain walk: candidates and results in one array sorted from near to far, at most ef long.
type pool struct {
	keys   []key    // sorted; room for ef
	near   []uint64 // those offered at a time that are near enough
	fresh  []uint64 // the same, sorted
	places []uint64 // bitmap of where they go
	ef     int
	first  int     // all keys before it have been expanded
	k      int     // results wanted; of use with slack and bound only
	slack  float32 // the walk ends at an open candidate farther than slack times the k-th; 0: never for that reason
	bound  *Bound  // of walks of other graphs; nil: there are none
	margin margin  // of use with bound only
	worst  float32 // distance of the last key once the pool is full; NaN before, which no distance is at least

	copies copyFilter
}

func (p *pool) reset(ef int) {
	if room := simd.KeyCapacity(ef); cap(p.keys) < room {
		p.keys, p.places = make([]key, 0, room), make([]uint64, (ef+63)/64)
	}
	p.keys = p.keys[:0]
	p.ef, p.first, p.slack, p.bound, p.copies = ef, 0, 0, nil, copyFilter{}
	p.worst = float32(math.NaN())
}

// next takes the nearest open candidate.
func (p *pool) next() (uint32, bool) {
	i := p.openFrom(p.first)
	p.first = i
	if i == len(p.keys) {
		return 0, false
	}
	if p.slack > 0 && i >= p.k && p.keys[i].distance() > p.slack*p.keys[p.k-1].distance() {
		return 0, false
	}
	if p.bound != nil && i >= p.margin.settled && p.beyond(i) {
		return 0, false
	}
	p.keys[i] |= expanded
	p.first++
	p.copies.expand(p.keys[i])
	return p.keys[i].id(), true
}

// beyond reports whether the candidate at i, nearest of those open, is too far away for others to be near enough, by
// what other walks have found.
func (p *pool) beyond(i int) bool {
	kth := key(p.bound.lower(p.keys[p.k-1])) << 32
	return p.keys[i].distance() > p.margin.times*kth.distance()+p.margin.plus
}

// peek appends the first n candidates that are still open.
func (p *pool) peek(dst []uint32, n int) []uint32 {
	for i := p.openFrom(p.first); i < len(p.keys) && n > 0; i = p.openFrom(i + 1) {
		dst = append(dst, p.keys[i].id())
		n--
	}
	return dst
}

// openFrom returns the first place from i on whose candidate hasn't been expanded.
func (p *pool) openFrom(i int) int {
	for i < len(p.keys) && p.keys[i]&expanded != 0 {
		i++
	}
	return i
}

// offer adds the candidates that are nearer than the worst one held. They are sorted first, so that each key held moves
// once for all of them.
func (p *pool) offer(ids []uint32, dist []float32) {
	if len(ids) == 0 {
		return
	}
	if room := simd.KeyCapacity(len(ids)); cap(p.near) < room {
		p.near, p.fresh = make([]uint64, room), make([]uint64, room)
	}
	near, fresh := unsafe.SliceData(p.near), unsafe.SliceData(p.fresh)
	n := simd.Active.NearKeys(near, unsafe.SliceData(ids), unsafe.SliceData(dist), len(ids), p.worst)
	if n > 0 {
		simd.Active.SortKeys(fresh, near, n)
		sorted := p.fresh[:n]
		if p.copies.mayHold(key(sorted[0])) {
			sorted = p.copies.hold(sorted)
		}
		if len(sorted) > 0 {
			p.merge(sorted)
		}
	}
}

// merge puts sorted keys among those held.
func (p *pool) merge(fresh []uint64) {
	held := len(p.keys)
	total := min(held+len(fresh), p.ef)
	places := p.places[:(total+63)/64]
	clear(places)
	keys, put := (*uint64)(unsafe.SliceData(p.keys)), unsafe.SliceData(fresh)
	first, used := simd.Active.PlaceKeys(unsafe.SliceData(places), total, keys, held, put, len(fresh))
	if used == 0 {
		return
	}
	p.keys = p.keys[:total]
	simd.Active.MergeKeys(keys, total, unsafe.SliceData(places), first, put, used)
	p.first = min(p.first, first)
	if total == p.ef {
		p.worst = p.keys[total-1].distance()
	}
}
