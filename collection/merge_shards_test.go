package collection

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/vector"
)

// inShards is a collection whose merges have room for a few hundred rows, so that segments have several shards.
type inShards struct {
	t      *testing.T
	c      *Collection
	rnd    *rand.Rand
	alive  []uint64
	next   uint64
	center [][]float32
}

func newInShards(t *testing.T, c *Collection, dim int) *inShards {
	x := &inShards{t: t, c: c, rnd: rand.New(rand.NewPCG(4, 5))}
	for range 30 {
		v := make([]float32, dim)
		for i := range v {
			v[i] = float32(x.rnd.NormFloat64())
		}
		x.center = append(x.center, v)
	}
	return x
}

func (x *inShards) vector() []float32 {
	v := make([]float32, len(x.center[0]))
	for i, c := range x.center[x.rnd.IntN(len(x.center))] {
		v[i] = c + 0.4*float32(x.rnd.NormFloat64())
	}
	return v
}

// write adds documents and deletes some others, and seals.
func (x *inShards) write(add, remove int) {
	x.t.Helper()
	var batch []Document
	for range add {
		batch = append(batch, document(NumberID(x.next), int(x.next), x.vector()...))
		x.alive = append(x.alive, x.next)
		x.next++
	}
	mustUpsert(x.t, x.c, batch...)
	var gone []ID
	for range remove {
		at := x.rnd.IntN(len(x.alive))
		gone = append(gone, NumberID(x.alive[at]))
		x.alive[at] = x.alive[len(x.alive)-1]
		x.alive = x.alive[:len(x.alive)-1]
	}
	if n, err := x.c.Delete(context.Background(), gone...); err != nil || n != remove {
		x.t.Fatalf("%d documents were deleted, not %d: %v", n, remove, err)
	}
	sealNow(x.t, x.c)
}

// recall is the share of the 10 nearest that queries find.
func (x *inShards) recall() float64 {
	x.t.Helper()
	found, all := 0, 0
	for range 40 {
		q := Query{Near: [][]float32{x.vector()}, K: 10, Ef: 60}
		got := mustQuery(x.t, x.c, q)[0]
		q.Exact = true
		for _, want := range mustQuery(x.t, x.c, q)[0] {
			for _, hit := range got {
				if hit.ID == want.ID {
					found++
				}
			}
			all++
		}
	}
	return float64(found) / float64(all)
}

// shards returns the number of shards of the largest segment's index.
func (x *inShards) shards() int {
	x.t.Helper()
	s := x.c.pin()
	defer func() { _ = s.release() }()
	v := s.views[largest(s.views[:s.unsealed()], 0)]
	m, err := manifest.Read(filepath.Join(x.c.dir, segmentsDir, segmentName(v.number, 0)))
	if err != nil {
		x.t.Fatal(err)
	}
	return len(m.Shards)
}

// TestMergesIntoShards writes and deletes documents whose index doesn't fit the memory of a merge. Segments are divided
// into shards, which grow and are divided again; nothing is lost, and searches find as much as one expects.
func TestMergesIntoShards(t *testing.T) {
	const dim, rounds, add, remove = 160, 13, 320, 80
	s := Schema{Vectors: []Vector{{Dim: dim, Metric: vector.L2, M: 8, EfConstruction: 80}}}
	c := created(t, s, Options{idle: true, MergeThreads: 1, mergeMemory: 96<<20 + 1200<<10})
	x := newInShards(t, c, dim)
	grown := 0
	for range rounds {
		x.write(add, remove)
		for more := true; more; {
			before := x.shards()
			var err error
			if more, err = c.mergeSome(context.Background()); err != nil {
				t.Fatal(err)
			}
			if more && before > 1 && x.shards() == before {
				grown++
			}
		}
		if r := x.recall(); r < 0.97 {
			t.Errorf("of %d documents in %d shards: recall %.3f", len(x.alive), x.shards(), r)
		}
	}
	if n := x.shards(); n < 3 || grown == 0 {
		t.Errorf("%d shards, which grew %d times: the test shows nothing", n, grown)
	}
	for _, n := range x.alive {
		if got := mustGet(t, c, NumberID(n)); len(got) != 1 {
			t.Fatalf("document %d is gone", n)
		}
	}
	verified(t, c, len(x.alive))
}
