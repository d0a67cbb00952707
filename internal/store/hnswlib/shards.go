package hnswlib

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/vector"
)

// A directory of shards of hnswlib-mmap holds shard_N.graph and shard_N.meta for each shard, and index.meta.

// IndexMetaName is the file that says what a directory of shards holds.
const IndexMetaName = "index.meta"

// ShardGraphName is the file of shard i's links.
func ShardGraphName(i int) string { return fmt.Sprintf("shard_%d.graph", i) }

// ShardMetaName is the file that says which rows shard i has.
func ShardMetaName(i int) string { return fmt.Sprintf("shard_%d.meta", i) }

// IsShardFile reports whether a directory of shards has files of that name.
func IsShardFile(name string) bool {
	var i int
	n, _ := fmt.Sscanf(name, "shard_%d.", &i) // what can't be scanned isn't such a name
	return name == IndexMetaName || n == 1 && (name == ShardGraphName(i) || name == ShardMetaName(i))
}

const (
	shardMetaSize   = 24
	indexMetaMagic  = 0x53484458
	indexMetaSize   = 52 // without the metric's name
	maxShards       = 1 << 16
	maxTotal        = 1 << 48
	longestIndexTop = 64 // bytes of an index.meta: more than any name that is known needs
)

// ShardMeta is the content of a shard_N.meta: the shard holds rows Start to End (exclusive) of the index.
type ShardMeta struct {
	Start, End, Count uint64
}

// ReadShardMeta reads and checks a shard_N.meta.
func ReadShardMeta(path string) (ShardMeta, error) {
	var m ShardMeta
	r, b, err := readWhole(path, shardMetaSize, shardMetaSize)
	if err != nil {
		return m, err
	}
	if _, err := binary.Decode(b, binary.LittleEndian, &m); err != nil {
		return m, r.Caused(err, 0, "start", "can't be decoded")
	}
	switch {
	case m.Start > maxTotal:
		return m, r.Bad(0, "start", "row %d is past any that can be addressed", m.Start)
	case m.End < m.Start || m.End > maxTotal:
		return m, r.Bad(8, "end", "row %d, after a start at %d", m.End, m.Start)
	case m.Count != m.End-m.Start:
		return m, r.Bad(16, "count", "%d, but rows %d to %d are %d", m.Count, m.Start, m.End, m.End-m.Start)
	case m.Count > maxRows:
		return m, r.Bad(16, "count", "%d rows, at most %d are possible", m.Count, uint64(maxRows))
	}
	return m, nil
}

// WriteShardMeta writes m as a shard_N.meta, which appears whole or not at all.
func WriteShardMeta(path string, m ShardMeta) error {
	return writeWhole(path, m)
}

// IndexMeta is the content of an index.meta.
type IndexMeta struct {
	Shards, Total, Dim, M, EfConstruction int
	Metric                                vector.Metric
}

// indexMetaFields is an index.meta as it lies in the file, up to the metric's name.
type indexMetaFields struct {
	Magic                                             uint32
	Shards, Total, Dim, M, EfConstruction, NameLength uint64
}

// ReadIndexMeta reads and checks an index.meta.
func ReadIndexMeta(path string) (IndexMeta, error) {
	var f indexMetaFields
	r, b, err := readWhole(path, indexMetaSize, longestIndexTop)
	if err != nil {
		return IndexMeta{}, err
	}
	if _, err := binary.Decode(b, binary.LittleEndian, &f); err != nil {
		return IndexMeta{}, r.Caused(err, 0, "magic", "can't be decoded")
	}
	name := b[indexMetaSize:]
	m := IndexMeta{Shards: int(f.Shards), Total: int(f.Total), Dim: int(f.Dim), M: int(f.M),
		EfConstruction: int(f.EfConstruction)}
	switch {
	case f.Magic != indexMetaMagic:
		return m, r.Bad(0, "magic", "%#x, not %#x: not an index.meta", f.Magic, indexMetaMagic)
	case f.Shards < 1 || f.Shards > maxShards:
		return m, r.Bad(4, "shards", "%d are not 1 … %d", f.Shards, maxShards)
	case f.Total > maxTotal:
		return m, r.Bad(12, "total", "%d rows, at most %d are possible", f.Total, uint64(maxTotal))
	case f.Dim < 1 || f.Dim > maxDim:
		return m, r.Bad(20, "dim", "%d is not 1 … %d", f.Dim, maxDim)
	case f.M > math.MaxInt32:
		return m, r.Bad(28, "M", "%d is not 2 … 10,000", f.M)
	case f.EfConstruction > math.MaxInt32:
		return m, r.Bad(36, "ef_construction", "%d is not 1 … %d", f.EfConstruction, math.MaxInt32)
	case f.NameLength != uint64(len(name)):
		return m, r.Bad(44, "length of the space's name", "%d, but %d bytes follow", f.NameLength, len(name))
	}
	if m.Metric, err = vector.ParseMetric(string(name)); err != nil || m.Metric.String() != string(name) {
		return m, r.Caused(err, indexMetaSize, "space", "%q is not l2, ip or cosine", name)
	}
	return m, nil
}

// WriteIndexMeta writes m as an index.meta, which appears whole or not at all.
func WriteIndexMeta(path string, m IndexMeta) error {
	name := []byte(m.Metric.String())
	return writeWhole(path, indexMetaFields{
		Magic: indexMetaMagic, Shards: uint64(m.Shards), Total: uint64(m.Total), Dim: uint64(m.Dim), M: uint64(m.M),
		EfConstruction: uint64(m.EfConstruction), NameLength: uint64(len(name)),
	}, name)
}

// readWhole reads a file of least to most bytes.
func readWhole(path string, least, most int64) (*format.Reader, []byte, error) {
	f, size, err := format.OpenFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, Missing(path, err)
	}
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	r := format.NewReader(context.Background(), f, path, size)
	if size < least || size > most {
		return nil, nil, r.Bad(min(size, most), "length", "%d bytes: truncated, or something follows", size)
	}
	b, err := r.Next(int(size), "content")
	return r, bytes.Clone(b), err
}

// Missing says that a directory of shards lacks a file.
func Missing(path string, err error) error {
	return &format.Error{File: path, Offset: -1, Field: "file",
		Reason: "it is missing: copy the whole directory again", Err: err}
}

// writeWhole writes values, one after another, as a file.
func writeWhole(path string, values ...any) error {
	var b []byte
	var err error
	for _, v := range values {
		if b, err = binary.Append(b, binary.LittleEndian, v); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}
