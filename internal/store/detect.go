package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/internal/store/hnswlib"
)

// Format is a kind of index file.
type Format int

// The formats that Detect tells apart.
const (
	Unknown      Format = iota
	Native              // Shale's own
	HnswlibIndex        // hnswlib's index.bin
	HnswlibFlat         // hnswlib's brute-force index
	HnswlibGraph        // hnswlib-mmap's .graph, which is external
	Live                // an index in its file: see CreateLive
)

func (f Format) String() string {
	switch f {
	case Native:
		return "shale"
	case HnswlibIndex:
		return "hnswlib index.bin"
	case HnswlibFlat:
		return "hnswlib brute-force index"
	case HnswlibGraph:
		return "hnswlib-mmap graph"
	case Live:
		return "shale live file"
	default:
		return "unknown"
	}
}

// Detect finds a file's format by its first bytes and its length. It doesn't check the rest of the file.
func Detect(path string) (Format, error) {
	f, size, err := format.OpenFile(path)
	if err != nil {
		return Unknown, fmt.Errorf("detect: %w", err)
	}
	defer f.Close()
	head := make([]byte, hnswlib.SniffSize)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return Unknown, fmt.Errorf("detect: read %s: %w", path, err)
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte(magic)):
		return Native, nil
	case hnswlib.IsGraph(head):
		return HnswlibGraph, nil
	case isLive(head):
		return Live, nil
	case hnswlib.IsIndex(head):
		return HnswlibIndex, nil
	case hnswlib.IsFlat(head, size):
		return HnswlibFlat, nil
	}
	return Unknown, nil
}
