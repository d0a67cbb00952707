package hnsw

import (
	"encoding/binary"
	"sync/atomic"
	"unsafe"
)

// journal holds the update that is rewriting a row in place, for a process that is killed while it does: the row would
// be half the old and half the new one. It is a word that says whether there is an update, the element's id, its label
// and its vector, normalised where the metric asks for it.
type journal []byte

const (
	journalHeader = 16
	journalID     = 4
	journalLabel  = 8
)

func (j journal) state() *uint32 { return (*uint32)(unsafe.Pointer(&j[0])) }

// begin notes an update. What the caller writes next can't become visible before the note: swapping orders both.
func (j journal) begin(id uint32, label uint64, vec []float32) {
	if j == nil {
		return
	}
	binary.LittleEndian.PutUint32(j[journalID:], id)
	binary.LittleEndian.PutUint64(j[journalLabel:], label)
	copy(j.vector(len(vec)), vec)
	atomic.SwapUint32(j.state(), 1)
}

// end notes that the row is written.
func (j journal) end() {
	if j != nil {
		atomic.SwapUint32(j.state(), 0)
	}
}

// pending returns the update that was not ended.
func (j journal) pending(dim int) (id uint32, label uint64, vec []float32, ok bool) {
	if atomic.LoadUint32(j.state()) == 0 {
		return 0, 0, nil, false
	}
	return binary.LittleEndian.Uint32(j[journalID:]), binary.LittleEndian.Uint64(j[journalLabel:]), j.vector(dim), true
}

func (j journal) vector(dim int) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(&j[journalHeader])), dim)
}
