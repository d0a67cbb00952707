package shard

import "sync/atomic"

// ahead decides whether searches over mapped shards ask for the rows of a batch before they score them. Where rows
// aren't in memory, the disk then reads them together and not one after another; where they are, asking takes longer
// than scoring.
type ahead struct {
	batches atomic.Uint32 // that were scored
	cold    atomic.Bool   // the last batch that was looked at had a row that wasn't in memory
}

// aheadEvery is the number of batches of which one is looked at.
const aheadEvery = 32

// readAhead begins to read the rows of the lane's batch if that is worthwhile.
func (l *lane) readAhead() {
	a := &l.x.ahead
	if a.batches.Add(1)%aheadEvery == 1 {
		a.cold.Store(!l.resident())
	}
	if !a.cold.Load() {
		return
	}
	for i, p := range l.probes {
		if l.ids = l.batchOf(i, l.ids[:0]); len(l.ids) > 0 {
			p.ReadAhead(l.ids)
		}
	}
}

// resident reports whether the rows of the batch are in memory.
func (l *lane) resident() bool {
	for i, p := range l.probes {
		if l.ids = l.batchOf(i, l.ids[:0]); len(l.ids) > 0 && !p.Resident(l.ids) {
			return false
		}
	}
	return true
}

// batchOf appends to dst the elements of the batch that probe i has found.
func (l *lane) batchOf(i int, dst []uint32) []uint32 {
	for _, c := range l.batch {
		if c.probe == uint32(i) {
			dst = append(dst, c.ID)
		}
	}
	return dst
}
