package hnsw

import (
	"bytes"
	"hash/maphash"
)

// rowTable finds an element by its content. Of a row it holds 32 bits of a hash; the rows themselves are compared where
// they lie. It takes 8 bytes an element, and as much again for room to grow.
type rowTable struct {
	slots []uint64 // a hash's upper bits, and an element + 1; 0: empty; removed: not any more
	used  int      // slots that aren't empty
}

const removed = 1 << 32 // no element

var rowSeed = maphash.MakeSeed()

func hashOf(row []byte) uint64 { return maphash.Bytes(rowSeed, row) >> 32 << 32 }

// find returns the element whose content is row.
func (t *rowTable) find(row []byte, g *graph) (uint32, bool) {
	if t.used == 0 {
		return 0, false
	}
	hash, mask := hashOf(row), uint64(len(t.slots)-1)
	for at := hash >> 32; ; at++ {
		slot := t.slots[at&mask]
		if slot == 0 {
			return 0, false
		}
		if id := uint32(slot) - 1; slot>>32<<32 == hash && uint32(slot) != 0 && bytes.Equal(g.content(id), row) {
			return id, true
		}
	}
}

// add lets find give id for row. It must not give another one.
func (t *rowTable) add(row []byte, id uint32) {
	if 3*t.used >= 2*len(t.slots) {
		t.grow()
	}
	t.put(hashOf(row) | uint64(id) + 1)
}

func (t *rowTable) put(slot uint64) {
	mask := uint64(len(t.slots) - 1)
	for at := slot >> 32; ; at++ {
		if t.slots[at&mask] == 0 {
			t.slots[at&mask] = slot
			t.used++
			return
		}
	}
}

// grow makes room for as many elements again as there are.
func (t *rowTable) grow() {
	old, n := t.slots, 0
	for _, slot := range old {
		if uint32(slot) != 0 {
			n++
		}
	}
	size := 1024
	for size < 3*n {
		size *= 2
	}
	t.slots, t.used = make([]uint64, size), 0
	for _, slot := range old {
		if uint32(slot) != 0 {
			t.put(slot)
		}
	}
}

// remove lets find no longer give id, whose content is row.
func (t *rowTable) remove(row []byte, id uint32) {
	if t.used == 0 {
		return
	}
	wanted, mask := hashOf(row)|uint64(id)+1, uint64(len(t.slots)-1)
	for at := wanted >> 32; t.slots[at&mask] != 0; at++ {
		if t.slots[at&mask] == wanted {
			t.slots[at&mask] = removed
			return
		}
	}
}
