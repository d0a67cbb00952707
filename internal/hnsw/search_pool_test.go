package hnsw

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// naivePool is the pool's model: the ef nearest of what was offered, sorted, with the expanded ones known.
type naivePool struct {
	ef   int
	keys []key
	done map[key]bool
}

func (p *naivePool) offer(k key) {
	if len(p.keys) == p.ef {
		worst := p.keys[p.ef-1]
		if k.distance() >= worst.distance() || k > worst {
			return
		}
		p.keys = p.keys[:p.ef-1]
	}
	p.keys = append(p.keys, k)
	slices.Sort(p.keys)
}

func (p *naivePool) peek() (key, bool) {
	for _, k := range p.keys {
		if !p.done[k] {
			return k, true
		}
	}
	return 0, false
}

func TestPoolAgainstModel(t *testing.T) {
	var p pool // kept, so that a reset after use is tested as well
	rapid.Check(t, func(t *rapid.T) {
		ef := rapid.IntRange(1, 200).Draw(t, "ef")
		p.reset(ef)
		model := naivePool{ef: ef, done: map[key]bool{}}
		id := uint32(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if rapid.IntRange(0, 2).Draw(t, "what") == 0 {
				comparePeek(t, &p, &model)
				compareNext(t, &p, &model)
				continue
			}
			dist := rapid.SliceOfN(anyDistance(), 0, 12).Draw(t, "distances")
			for i := range dist {
				dist[i] += 0 // of zeros of both signs, which are as near, the one kept depends on what they came with
			}
			ids := make([]uint32, len(dist))
			for i := range ids {
				ids[i] = id
				id++
				model.offer(keyOf(dist[i], ids[i]))
			}
			p.offer(ids, append(dist, 0)) // room beyond the ids, as a search has
		}
		held := slices.Clone(p.keys)
		for i := range held {
			held[i] &^= expanded
		}
		if !slices.Equal(held, model.keys) {
			t.Fatalf("ef %d: holds %v, want %v", ef, held, model.keys)
		}
		for range len(model.keys) + 1 {
			compareNext(t, &p, &model)
		}
	})
}

func comparePeek(t *rapid.T, p *pool, model *naivePool) {
	got := p.peek(nil, 1)
	want, ok := model.peek()
	if len(got) == 1 != ok || ok && got[0] != want.id() {
		t.Fatalf("peek gave %v; want %d, %v", got, want.id(), ok)
	}
}

func compareNext(t *rapid.T, p *pool, model *naivePool) {
	got, ok := p.next()
	want, wantOK := model.peek()
	if ok != wantOK || ok && got != want.id() {
		t.Fatalf("next gave %d, %v; want %d, %v", got, ok, want.id(), wantOK)
	}
	model.done[want] = true
}
