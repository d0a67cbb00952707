package hnswlib

import (
	"context"
	"encoding/binary"

	"github.com/shale-search/shale/internal/format"
)

// SniffSize is the number of bytes that IsIndex, IsFlat and IsGraph look at.
const SniffSize = headerSize

// IsIndex reports whether a file that starts with head is an index.bin. The format has no magic number, but four of its
// header's fields determine one another.
func IsIndex(head []byte) bool {
	h := &fields{}
	if _, err := binary.Decode(head, binary.LittleEndian, h); err != nil {
		return false
	}
	return h.OffsetLevel0 == 0 && h.DataOffset == listHead+4*h.MaxM0 && h.LabelOffset > h.DataOffset &&
		h.Stride == h.LabelOffset+labelSize
}

// IsGraph reports whether a file that starts with head is a .graph.
func IsGraph(head []byte) bool {
	return len(head) >= 4 && binary.LittleEndian.Uint32(head) == graphMagic
}

// IsFlat reports whether a file of size bytes that starts with head is a brute-force index: its length is what its
// header says.
func IsFlat(head []byte, size int64) bool {
	if len(head) < flatHeaderSize {
		return false
	}
	h := parseFlatHeader(head)
	return h.check(format.NewReader(context.Background(), nil, "", size)) == nil
}
