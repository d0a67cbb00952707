package hnsw

import (
	"bytes"
	"fmt"
	"math/bits"
	"slices"

	"github.com/shale-search/shale/internal/floats"
	"github.com/shale-search/shale/internal/mmap"
)

// Recovery is the outcome of Recover.
type Recovery struct {
	Elements int // there in the end
	Dropped  int // elements that the index had begun to insert
	Moved    int // elements that took the place of one dropped
	Relinked int // elements that no links led to, or whose update was under way
	Links    int // links dropped, that led nowhere
	Torn     int // elements dropped that a power cut had left in part
	Restored int // elements that are as they were when the state was settled, and not as they were changed since
	Damaged  int // elements dropped though they were whole when the state was settled
}

// Recover is Backed for parts that a killed process left in the middle of changes, or of unknown content. Elements that
// were inserted completely are kept, updates under way are completed, and the rest is dropped. Of the state Recover
// uses only the center of the codes. It reads links and labels and, if State.Unsure is set, rows.
//
// If elements that were there when the state was settled are damaged, the error is an *ImageError. With dropDamaged
// they are dropped instead.
func Recover(c Config, b Backing, s State, dropDamaged bool) (x *Index, r Recovery, err error) {
	defer mmap.Catch(mmap.Guard(), &err)
	x, err = Backed(c, b, State{TopLevel: -1, Coded: s.Coded, Center: s.Center, Epoch: s.Epoch})
	if err != nil {
		return nil, r, err
	}
	g := x.graph.Load()
	g.owner = nil // the caller's until this has gone well
	if err := b.Changing(); err != nil {
		return nil, r, err
	}
	x.changed = true
	m := repairer{x: x, g: g, r: &r, settled: s, dropDamaged: dropDamaged}
	if err := m.run(s.Coded); err != nil {
		return nil, r, err
	}
	g.owner = b
	return x, r, nil
}

// repairer repairs an index whose file is in an unknown state.
type repairer struct {
	x *Index
	g *graph
	r *Recovery

	settled     State // when all of it was on the disk
	dropDamaged bool

	n     int      // elements
	lost  []uint32 // elements to be linked anew: those that were moved into the places of dropped ones
	dirty []uint32 // elements whose update wasn't finished
	from  []uint32 // where those in lost were
}

func (m *repairer) run(coded bool) error {
	m.countReady()
	m.placeLists()
	if m.unsure() {
		if err := m.dropTorn(coded); err != nil {
			return err
		}
	}
	if !m.x.cfg.keepsRows() && !coded && m.n > 0 {
		return &ImageError{"Center", 0, fmt.Sprintf("%d elements have neither rows nor codes", m.n)}
	}
	s, err := m.x.takeSearcher(m.g)
	if err != nil {
		return err
	}
	defer m.x.putSearcher(s)
	if m.unsure() {
		m.g.journal.end() // the note may be of any time
		m.encodeAnew(s)
	} else {
		m.finishRow(s)
	}
	m.dropDoubles()
	m.fillHoles()
	m.cleanLinks()
	m.countAll()
	m.g.copies = newCopySet(m.g.capacity)
	m.g.findCopies(m.n)
	m.findLost()
	m.relink(s)
	m.x.connectWith(s, m.g)
	return nil
}

// countReady finds the last element that is inserted.
func (m *repairer) countReady() {
	g := m.g
	m.n = 0
	if used := g.capacity & 31; used != 0 {
		g.ready[len(g.ready)-1] &= 1<<used - 1
	}
	for i := len(g.ready) - 1; i >= 0 && m.n == 0; i-- {
		if w := g.ready[i]; w != 0 {
			m.n = i*32 + bits.Len32(w)
		}
	}
}

// placeLists sets the level of each element and the place of its lists, which follow from the seed. Elements whose
// lists don't fit are dropped with all after them; only a forged file has such.
func (m *repairer) placeLists() {
	g, lists, room := m.g, 0, len(m.g.upper)/m.g.m
	for id := range m.n {
		level := m.x.cfg.level(uint32(id))
		if lists+level > room {
			g.ready.clearFrom(uint32(id))
			m.n = id
			break
		}
		if g.levels[id] != uint8(level) || level > 0 && g.upperAt[id] != uint32(lists) {
			g.levels[id], g.upperAt[id] = uint8(level), uint32(lists)
		}
		lists += level
	}
}

// unsure reports whether sums are to be checked.
func (m *repairer) unsure() bool { return m.settled.Unsure && m.g.sums != nil }

// dropTorn drops elements that are there in part. They may not be among those that were settled.
func (m *repairer) dropTorn(coded bool) error {
	g := m.g
	if !m.x.cfg.keepsRows() && !coded { // what codes are made by is there from the first element on
		if m.settled.Count > 0 {
			return &ImageError{"Center", 0,
				fmt.Sprintf("it isn't what was written, and %d elements have neither rows nor codes", m.n)}
		}
		m.r.Torn, m.n = m.n, 0
		g.ready.clearFrom(0)
		return nil
	}
	m.restore()
	wrong := g.checkSums(m.n)
	var damaged []uint32
	for id := range uint32(m.settled.Count) {
		if !g.ready.get(id) {
			damaged = append(damaged, id)
		}
	}
	for _, id := range wrong {
		if int(id) < m.settled.Count {
			damaged = append(damaged, id)
		}
	}
	if len(damaged) > 0 && !m.dropDamaged {
		return g.wrongRows(damaged)
	}
	for _, id := range wrong {
		g.ready.clear(id)
	}
	m.r.Damaged, m.r.Torn = len(damaged), len(wrong)-min(len(damaged), len(wrong))
	m.countReady()
	return nil
}

// encodeAnew makes codes of the rows where they aren't those.
func (m *repairer) encodeAnew(s *searcher) {
	if s.coder == nil || !m.x.cfg.keepsRows() {
		return
	}
	row, code := make([]float32, m.x.cfg.Dim), make([]byte, s.coder.q.Stride())
	for id := range uint32(m.n) {
		if !m.g.ready.get(id) {
			continue
		}
		m.g.rows.Decode(int(id), row)
		s.encoder.Encode(code, row)
		if there := s.coder.row(id); !bytes.Equal(there, code) {
			copy(there, code)
		}
	}
}

// finishRow writes the row that was being rewritten.
func (m *repairer) finishRow(s *searcher) {
	g := m.g
	id, label, vec, ok := g.journal.pending(m.x.cfg.Dim)
	if ok && int64(id) < int64(m.n) && floats.Finite(vec) {
		s.encode(slot{g: g, id: id, label: label}, vec)
		g.setLabel(id, label)
		g.deleted.clear(id)
		g.noteSum(id)
		g.updating.set(id)
	}
	g.journal.end()
}

// dropDoubles drops elements whose label an earlier one has: recovering was interrupted after the one had been moved.
func (m *repairer) dropDoubles() {
	g := m.g
	m.x.ids = make(map[uint64]uint32, m.n)
	for id := range uint32(m.n) {
		if !g.ready.get(id) {
			continue
		}
		label := g.label(id)
		if _, ok := m.x.ids[label]; ok {
			g.ready.clear(id)
			continue
		}
		m.x.ids[label] = id
	}
}

// fillHoles drops elements that aren't inserted completely: the last elements take their places.
func (m *repairer) fillHoles() {
	g := m.g
	for id := uint32(0); int(id) < m.n; id++ {
		for m.n > int(id) && !g.ready.get(uint32(m.n-1)) {
			m.n--
			m.r.Dropped++
		}
		if int(id) >= m.n {
			break
		}
		if !g.ready.get(id) {
			m.n--
			m.r.Dropped++
			m.move(uint32(m.n), id)
		}
	}
	m.x.count.Store(int64(m.n))
	m.x.changes.Store(int64(m.n))
	m.x.connected.Store(int64(m.n))
}

// move copies an element to another place, where it is linked later. It stays ready where it is until then.
func (m *repairer) move(from, to uint32) {
	g := m.g
	g.clearLists(to)
	g.setLabel(to, g.label(from))
	m.x.ids[g.label(from)] = to
	if g.rowBytes != nil {
		copy(g.rows.RowBytes(int(to)), g.rows.RowBytes(int(from)))
	}
	if c := g.coder.Load(); c != nil {
		copy(c.row(to), c.row(from))
	}
	g.noteSum(to)
	g.deleted.clear(to)
	if g.deleted.get(from) {
		g.deleted.set(to)
	}
	g.updating.clear(to)
	m.lost, m.from = append(m.lost, to), append(m.from, from)
	m.r.Moved++
}

// cleanLinks drops links that lead to no element, or to one that has moved or has no list on their level.
func (m *repairer) cleanLinks() {
	kept := make([]uint32, 0, max(m.g.m0, m.g.m))
	for id := range uint32(m.n) {
		for l := range int(m.g.levels[id]) + 1 {
			kept = m.cleanList(id, l, kept[:0])
		}
	}
}

func (m *repairer) cleanList(id uint32, level int, kept []uint32) []uint32 {
	list := m.g.list(id, level)
	for _, link := range list {
		switch {
		case link == 0:
		case m.leads(link, id, level) && !slices.Contains(kept, link-1):
			kept = append(kept, link-1)
		default:
			m.r.Links++
		}
	}
	for i := range list {
		var link uint32
		if i < len(kept) {
			link = kept[i] + 1
		}
		if list[i] != link {
			list[i] = link
		}
	}
	return kept
}

// leads reports whether a link of element id on a level leads to another element there.
func (m *repairer) leads(link, id uint32, level int) bool {
	to := link - 1
	return int64(to) < int64(m.n) && to != id && m.g.ready.get(to) && int(m.g.levels[to]) >= level
}

// countAll counts links and marks and finds the entry point.
func (m *repairer) countAll() {
	x, g := m.x, m.g
	g.countInbound(m.n)
	g.deleted.clearFrom(uint32(m.n))
	g.updating.clearFrom(uint32(m.n))
	x.removed.Store(int64(g.deleted.count()))
	x.lists = 0
	top := -1
	for id := range uint32(m.n) {
		level := int(g.levels[id])
		x.lists += level
		if g.ready.get(id) && level > top {
			top = level
			x.entry.Store(uint64(level)<<32 | uint64(id))
		}
		if x.replacing && g.deleted.get(id) {
			x.free.add(id)
		}
	}
}

// findLost finds the elements that are to be linked anew: those whose update wasn't finished, and those that no links
// lead to from the entry point.
func (m *repairer) findLost() {
	g, entry := m.g, m.x.entry.Load()
	if entry == none {
		return
	}
	met := g.reached(uint32(entry), maxLevel)
	for id := range uint32(m.n) {
		switch {
		case !g.ready.get(id):
		case !met.has(id):
			g.inbound[id] = 0 // links from others that are lost don't count: the first one back to it stays
			m.dirty = append(m.dirty, id)
		case g.updating.get(id):
			m.dirty = append(m.dirty, id)
		}
	}
}

// relink links what nothing leads to.
func (m *repairer) relink(s *searcher) {
	for i, id := range m.lost {
		m.x.bindVector(s, m.g, id)
		m.x.link(s, m.g, id)
		m.g.ready.set(id)
		m.g.ready.clear(m.from[i])
	}
	m.g.ready.clearFrom(uint32(m.n))
	for _, id := range m.dirty {
		m.x.bindVector(s, m.g, id)
		if m.g.isCopy(id) {
			m.x.leave(m.g, id)
		}
		m.x.rejoin(s, slot{g: m.g, id: id})
		m.g.updating.clear(id)
		m.r.Relinked++
	}
	m.r.Elements = m.n
}

// bindVector makes an element's vector the searcher's own query, which insertions of an index without rows go by.
func (x *Index) bindVector(s *searcher, g *graph, id uint32) {
	if s.keepsRows() {
		return
	}
	s.encoder.Decode(s.rows.Query(), s.coder.row(id))
}

// clearFrom takes id and all that follow out of the set.
func (b bitmap) clearFrom(id uint32) {
	for i := int(id >> 5); i < len(b); i++ {
		keep := uint32(0)
		if i == int(id>>5) {
			keep = 1<<(id&31) - 1
		}
		if b[i]&^keep != 0 {
			b[i] &= keep
		}
	}
}

// count returns the number of ids in the set.
func (b bitmap) count() int {
	n := 0
	for _, w := range b {
		n += bits.OnesCount32(w)
	}
	return n
}
