package hnsw

import (
	"bytes"
	"cmp"
	"slices"
	"sync/atomic"

	"github.com/shale-search/shale/internal/rowtype"
)

// Rows that are equal to each other would fill each other's lists with links of length 0, until no link left the
// group, and the pool of each walk that passes by. So one element of a group, its leader, has ordinary links; the
// others are copies. A copy has no links above level 0 and at most three on it: the first to its leader, the
// others to its neighbours in a chain of all copies of the group, which the leader links to one end of. Nothing
// else leads to a copy or from one.
//
// A walk that meets a copy at the distance of its leader holds it back: there is nothing to find by it but
// further copies. Those wanted are appended once it is known whether the leader is among the nearest. All of that
// follows from lists and rows, so that files say no more about it than about other links, and readers that know
// nothing of copies walk along the chain.

// mostCopyLinks is the number of links that a copy has at most.
const mostCopyLinks = 3

// copyList returns the links of element id if there are as few as a copy has; the first leads to its leader.
func (g *graph) copyList(id uint32, room *[mostCopyLinks]uint32) []uint32 {
	links := room[:0]
	if g.packed.bits != 0 {
		return g.packedCopyList(id, links)
	}
	list := g.list(id, 0)
	for i := range list {
		n := atomic.LoadUint32(&list[i])
		if n == 0 {
			break
		}
		if len(links) == mostCopyLinks || g.checked && int64(n) > int64(g.capacity) {
			return nil
		}
		links = append(links, n-1)
	}
	return links
}

func (g *graph) packedCopyList(id uint32, links []uint32) []uint32 {
	var room [64]uint32
	all := g.links(id, room[:0])
	if len(all) > mostCopyLinks {
		return nil
	}
	return append(links, all...)
}

// content returns what the distances of an element come from: its row, or its code where no rows are kept.
func (g *graph) content(id uint32) []byte {
	if g.rows.Type() != rowtype.NoRows && g.attached() {
		return g.rows.RowBytes(int(id))
	}
	return g.coder.Load().row(id)
}

// hasContent reports whether there is content of elements: rows may have to be attached first.
func (g *graph) hasContent() bool {
	c := g.coder.Load()
	return g.rows.Type() != rowtype.NoRows && g.attached() || c != nil && !c.outside
}

// heldCopy is a copy that a walk has held back.
type heldCopy struct {
	of, id uint32 // the element by which it was met, and itself
	at     key    // its distance by what the walk reads
}

// copyHolder holds back copies that a walk meets, and gives those that the search wants in the end.
type copyHolder struct {
	none   bool // the index has no copies
	held   []heldCopy
	merged []key
	wanted []key
	queue  []uint32
}

// copyFilter takes the copies out of what a walk meets. The zero value takes none out.
type copyFilter struct {
	s            *searcher // holds them back; nil: nobody does
	last, before key       // the last two candidates expanded, by which copies are met
}

// copyFilter returns the filter of the walk that is about to begin. The zero value serves an index without copies, and
// one whose codes are somebody else's.
func (s *searcher) copyFilter() copyFilter {
	s.copies.held = s.copies.held[:0]
	if s.copies.none || s.coder != nil && s.coder.outside {
		return copyFilter{}
	}
	return copyFilter{s: s}
}

// expand notes that the walk expands a candidate.
func (c *copyFilter) expand(k key) {
	if c.s != nil {
		c.last, c.before = k, c.last
	}
}

// mayHold reports whether there may be copies among keys of which k is the nearest. None are where all of them are
// farther than the candidate expanded last.
func (c *copyFilter) mayHold(k key) bool { return c.s != nil && k>>32 <= c.last>>32 }

// hold takes the copies of the candidates expanded last out of fresh, which is sorted.
func (c *copyFilter) hold(fresh []uint64) []uint64 {
	for i, f := range fresh {
		switch d := key(f) >> 32; {
		case d == c.last>>32 || d == c.before>>32:
			return c.holdFrom(fresh, i)
		case d > c.last>>32 && d > c.before>>32:
			return fresh
		}
	}
	return fresh
}

// holdFrom is hold for keys of which those before the i-th are no copies.
func (c *copyFilter) holdFrom(fresh []uint64, i int) []uint64 {
	kept := fresh[:i]
	for _, f := range fresh[i:] {
		if !c.holdOne(key(f)) {
			kept = append(kept, f)
		}
	}
	return kept
}

// holdOne holds k back if it is a copy of a candidate expanded last, and reports whether it is.
func (c *copyFilter) holdOne(k key) bool {
	return c.s != nil && (c.s.holdOne(k, c.last) || c.s.holdOne(k, c.before))
}

// holdOne holds k back if it is a copy of an element that has just been expanded.
func (s *searcher) holdOne(k, node key) bool {
	if k>>32 != node>>32 || k.id() == node.id() || !s.chained(k.id(), node.id()) {
		return false
	}
	s.copies.held = append(s.copies.held, heldCopy{node.id(), k.id(), k})
	return true
}

// chained reports whether element id is a copy of the leader node, or of the leader of the copy node.
func (s *searcher) chained(id, node uint32) bool {
	var room, other [mostCopyLinks]uint32
	g := s.g
	links := g.copyList(id, &room)
	if len(links) == 0 || !s.alike(id, node) {
		return false
	}
	if links[0] != node {
		if of := g.copyList(node, &other); len(of) == 0 || of[0] != links[0] {
			return false
		}
	}
	for _, n := range links[1:] {
		if of := g.copyList(n, &other); len(of) == 0 || of[0] != links[0] || !s.alike(n, node) {
			return false
		}
	}
	return true
}

// alike reports whether the walk can't tell two elements from each other.
func (s *searcher) alike(a, b uint32) bool {
	if s.scorer != s.rows {
		return s.sameCode(a, b)
	}
	return s.equal(a, b)
}

// equal reports whether two elements' rows, or the codes that stand for them, are equal.
func (s *searcher) equal(a, b uint32) bool {
	if s.keepsRows() {
		return bytes.Equal(s.g.rows.RowBytes(int(a)), s.g.rows.RowBytes(int(b)))
	}
	return s.sameCode(a, b)
}

// withCopies returns keys, the results of a search with the distances that it returns, together with those copies held
// back that are among the k nearest.
func (s *searcher) withCopies(keys []key) []key {
	t := &s.task
	most := max(t.ef, t.k)
	s.wantedCopies(keys)
	all := append(s.copies.merged[:0], keys...)
	for _, head := range s.copies.wanted {
		nearer, _ := slices.BinarySearch(keys, head>>32<<32)
		if nearer += len(all) - len(keys); nearer >= t.k {
			break
		}
		all = s.unfold(all, head, most-nearer)
	}
	s.copies.merged = all
	slices.Sort(all)
	return all
}

// wantedCopies fills wanted, nearest first, with the copies held back whose leaders are among the k nearest, or would
// be if the filter allowed them.
func (s *searcher) wantedCopies(keys []key) {
	t, c := &s.task, &s.copies
	c.wanted = c.wanted[:0]
	slices.SortFunc(c.held, func(a, b heldCopy) int { return cmp.Compare(a.of, b.of) })
	for _, k := range keys[:min(len(keys), t.k)] {
		at, _ := slices.BinarySearchFunc(c.held, k.id(), func(h heldCopy, id uint32) int { return cmp.Compare(h.of, id) })
		for ; at < len(c.held) && c.held[at].of == k.id(); at++ {
			c.wanted = append(c.wanted, k.with(c.held[at].id))
		}
	}
	if t.collector == &s.filtered {
		for _, h := range c.held {
			if s.g.allowed(h.of, t.filter) {
				continue
			}
			if k, ok := s.finalKey(h); ok {
				c.wanted = append(c.wanted, k)
			}
		}
	}
	slices.Sort(c.wanted)
}

// finalKey returns the key of a copy with the distance that the search returns for it. It reports false if the
// copy can't be among the k nearest.
func (s *searcher) finalKey(h heldCopy) (key, bool) {
	if s.scorer == s.rows {
		return h.at, true
	}
	best := s.best.keys
	if k := s.task.k; len(best) >= k && h.at.distance()-s.codes.Bound(h.id, h.at.distance()) > best[k-1].distance() {
		return 0, false
	}
	s.reranked++
	s.scoreRows(append(s.ids[:0], h.id))
	return keyOf(s.dist[0], h.id), true
}

// unfold appends up to most copies of a chain that the search may return, from head on, whose distance they have.
func (s *searcher) unfold(dst []key, head key, most int) []key {
	var room [mostCopyLinks]uint32
	queue := append(s.copies.queue[:0], head.id())
	for i := 0; i < len(queue) && most > 0; i++ {
		if s.g.allowed(queue[i], s.task.filter) {
			dst = append(dst, head.with(queue[i]))
			most--
		}
		links := s.g.copyList(queue[i], &room)
		for _, n := range links[min(1, len(links)):] {
			if s.visited.add(n) && s.equal(n, head.id()) {
				queue = append(queue, n)
			}
		}
	}
	s.copies.queue = queue
	return dst
}

// spread adds copies held back to the candidates of a walk that its caller ranks: as many
// of each leader as may be wanted.
func (s *searcher) spread(keys []key) []key {
	all := append(s.copies.merged[:0], keys...)
	for _, h := range s.copies.held {
		if len(keys) < s.task.ef || h.at>>32 <= keys[len(keys)-1]>>32 {
			all = s.unfold(all, h.at, s.task.k)
		}
	}
	s.copies.merged = all
	slices.Sort(all)
	return all
}
