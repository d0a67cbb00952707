package hnswlib

import (
	"bytes"
	"context"

	"github.com/shale-search/shale/internal/format"
)

// SniffSize is the number of bytes that IsIndex and IsFlat look at.
const SniffSize = headerSize

// IsIndex reports whether a file of size bytes that starts with head is an index.bin: the format has no magic number, but
// its header's fields determine one another and the file's length.
func IsIndex(head []byte, size int64) bool {
	r := format.NewReader(context.Background(), bytes.NewReader(head), "", size)
	h, err := readHeader(r)
	return err == nil && h.check(r) == nil
}

// IsFlat reports whether a file of size bytes that starts with head is a brute-force index.
func IsFlat(head []byte, size int64) bool {
	if len(head) < flatHeaderSize {
		return false
	}
	h := parseFlatHeader(head)
	return h.check(format.NewReader(context.Background(), nil, "", size)) == nil
}
