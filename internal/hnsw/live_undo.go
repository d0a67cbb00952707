package hnsw

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/shale-search/shale/internal/rowtype"
)

// undoLog holds what elements were when the state of an index in a file was last settled, each from before
// its row is first rewritten until the next time. A power cut may leave such a row in part, or its new label
// with the old row: it is then put back to what was settled. Elements that are new since need no record:
// their sums show whether they are complete.
//
// A record is on the disk before anything of the element changes. It counts until the state is settled anew, which
// raises the epoch. New records go to a log that is empty then.
type undoLog struct {
	epoch   uint32 // of the state that was settled last
	settled int    // elements that there were then
	saved   bitmap // those that have a record
	next    int    // record
}

// record is an element as it was, in PartUndo: the epoch, its number, its label, its
// mark, a sum of all and its content.
type record []byte

const (
	undoRecordHeader = 24
	undoID           = 4
	undoLabel        = 8
	undoDeleted      = 16
	undoSum          = 20

	undoBytes      = 1 << 20 // of the log, of an index of many elements
	minUndoRecords = 16
)

// errUndoFull reports that the state has to be settled before another row is rewritten.
var errUndoFull = errors.New("hnsw: no room for what rows were")

// undoRecordBytes returns the bytes of a record.
func (c *Config) undoRecordBytes() int64 {
	size := rowtype.Size(c.Storage, c.Dim)
	if !c.keepsRows() {
		size = c.CodeStride()
	}
	return undoRecordHeader + (int64(size)+7)&^7
}

// undoRoom returns the bytes of PartUndo.
func (c *Config) undoRoom() int64 {
	size := c.undoRecordBytes()
	return size * max(minUndoRecords, min(int64(c.Capacity), undoBytes/size))
}

// reset begins an empty log for a state that was settled.
func (u *undoLog) reset(s State) {
	*u = undoLog{epoch: s.Epoch, settled: s.Count}
}

// claim returns the number, from 1 on, of the record to write before element id is rewritten; 0 if none
// is needed. The caller holds mu.
func (x *Index) claim(g *graph, id uint32) (int, error) {
	u := &x.undo
	if g.undo == nil || int64(id) >= int64(u.settled) {
		return 0, nil
	}
	if u.saved == nil {
		u.saved = make(bitmap, (u.settled+31)/32)
	}
	if u.saved.get(id) {
		return 0, nil
	}
	if int64(u.next) == int64(len(g.undo))/x.cfg.undoRecordBytes() {
		return 0, errUndoFull
	}
	u.saved.set(id)
	u.next++
	return u.next, nil
}

// record returns the place of a record that was claimed.
func (x *Index) record(g *graph, claimed int) record {
	size := int(x.cfg.undoRecordBytes())
	return g.undo[(claimed-1)*size : claimed*size]
}

// write notes what element id is.
func (r record) write(g *graph, id, epoch uint32) {
	binary.LittleEndian.PutUint32(r, epoch)
	binary.LittleEndian.PutUint32(r[undoID:], id)
	binary.LittleEndian.PutUint64(r[undoLabel:], g.label(id))
	deleted := uint32(0)
	if g.deleted.get(id) {
		deleted = 1
	}
	binary.LittleEndian.PutUint32(r[undoDeleted:], deleted)
	copy(r[undoRecordHeader:], g.content(id))
	binary.LittleEndian.PutUint32(r[undoSum:], r.sum())
}

func (r record) sum() uint32 {
	sum := crc32.Update(0, castagnoli, r[:undoSum])
	return crc32.Update(sum, castagnoli, r[undoRecordHeader:])
}

// preserve writes the record that was claimed for a slot, and waits for the disk.
func (x *Index) preserve(at slot) error {
	if at.undo == 0 {
		return nil
	}
	x.record(at.g, at.undo).write(at.g, at.id, x.undo.epoch)
	if err := x.backing.Keep(PartUndo); err != nil {
		return x.fail(err)
	}
	return nil
}

// preserveAhead writes the records of many labels that are about to be rewritten, as many as there is room for, and
// waits for the disk once. It returns the number of labels that it has looked at.
func (x *Index) preserveAhead(n int, label func(int) uint64) (int, error) {
	x.structure.RLock()
	defer x.structure.RUnlock()
	g := x.graph.Load()
	if g == nil || g.undo == nil {
		return n, nil
	}
	x.mu.Lock() // until they are on the disk: who finds an element saved goes on to rewrite it
	defer x.mu.Unlock()
	if err := x.beginChange(); err != nil || x.undo.settled == 0 {
		return n, err
	}
	x.buildLabelMap(g)
	from, looked := x.undo.next, 0
	for ; looked < n; looked++ {
		id, ok := x.ids[label(looked)]
		if !ok {
			continue
		}
		claimed, err := x.claim(g, id)
		if err != nil {
			break // the rest comes later
		}
		if claimed > 0 {
			x.record(g, claimed).write(g, id, x.undo.epoch)
		}
	}
	if x.undo.next == from {
		return max(looked, 1), nil
	}
	if err := x.backing.Keep(PartUndo); err != nil {
		return 0, x.fail(err)
	}
	return looked, nil
}

// restore puts elements back to what they were when the state was settled.
func (m *repairer) restore() {
	g, c := m.g, &m.x.cfg
	for claimed := 1; int64(claimed) <= int64(len(g.undo))/c.undoRecordBytes(); claimed++ {
		r := m.x.record(g, claimed)
		id := binary.LittleEndian.Uint32(r[undoID:])
		if binary.LittleEndian.Uint32(r) != m.settled.Epoch || binary.LittleEndian.Uint32(r[undoSum:]) != r.sum() ||
			int64(id) >= int64(min(m.settled.Count, m.n)) {
			continue
		}
		copy(g.content(id), r[undoRecordHeader:])
		g.setLabel(id, binary.LittleEndian.Uint64(r[undoLabel:]))
		g.deleted.clear(id)
		if binary.LittleEndian.Uint32(r[undoDeleted:]) != 0 {
			g.deleted.set(id)
		}
		g.noteSum(id)
		g.updating.set(id)
		m.r.Restored++
	}
}
