package shard

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/vfs"
	"github.com/shale-search/shale/vector"
)

const (
	// vectorBlock is the number of rows that EachVector passes at a time, or fewer if they take more than vectorBytes.
	vectorBlock = 4096
	vectorBytes = 2 << 20
	// sequentialBytes is the number of bytes to read from a file at a time.
	sequentialBytes = 256 * store.SumBlock
)

// VectorBlock returns the number of rows of dim values that EachVector passes at a time.
func VectorBlock(dim int) int {
	return max(1, min(vectorBlock, vectorBytes/rowtype.Size(vector.Float32, dim)))
}

// EachVector calls fn with the vectors that a search may find, decoded to float32, some thousand at a time, and their
// labels; both are valid until fn returns. Rows on disk are read, and checked, from front to back. Of copies it gives
// the first.
func (x *Index) EachVector(ctx context.Context, fn func(labels []uint64, rows vector.Matrix) error) error {
	return x.EachVectorOf(ctx, nil, fn)
}

// EachVectorOf is EachVector for rows with one of the labels, which are sorted; nil means all. It reads all labels, but
// no other rows.
func (x *Index) EachVectorOf(ctx context.Context, wanted []uint64,
	fn func(labels []uint64, rows vector.Matrix) error) error {
	x.using.RLock()
	defer x.using.RUnlock()
	if x.closed.Load() {
		return hnsw.ErrClosed
	}
	if x.counts.repeats.Load() {
		fn = firstCopies(x.Len(), x.m.Dim, fn)
	}
	for _, p := range x.all() {
		if err := p.eachVector(ctx, wanted, fn); err != nil {
			return fmt.Errorf("read rows: %w", err)
		}
	}
	return nil
}

// Findable returns the labels that a search may find, each once, in no particular order.
func (x *Index) Findable() ([]uint64, error) {
	all, err := x.labels()
	if x.copies() {
		slices.Sort(all)
		all = slices.Compact(all)
	}
	return all, err
}

// LabelsInOrder returns the labels in the order in which EachVector gives their vectors.
func (x *Index) LabelsInOrder() ([]uint64, error) {
	all, err := x.labels()
	if !x.counts.repeats.Load() {
		return all, err
	}
	met := make(map[uint64]struct{}, len(all))
	return slices.DeleteFunc(all, func(label uint64) bool {
		_, again := met[label]
		met[label] = struct{}{}
		return again
	}), err
}

// labels returns the labels that a search may find in each of the shards, one shard after another.
func (x *Index) labels() (all []uint64, err error) {
	x.using.RLock()
	defer x.using.RUnlock()
	if x.closed.Load() {
		return nil, hnsw.ErrClosed
	}
	for _, p := range x.all() {
		labels, err := p.Findable()
		if err != nil {
			return nil, fmt.Errorf("read labels: %w", err)
		}
		all = append(all, labels...)
	}
	return all, nil
}

// LargestLabel returns the largest label, including labels of deleted rows; ok is false if there is none.
func (x *Index) LargestLabel() (label uint64, ok bool, err error) {
	x.using.RLock()
	defer x.using.RUnlock()
	if x.closed.Load() {
		return 0, false, hnsw.ErrClosed
	}
	for _, p := range x.all() {
		l, any, err := p.LargestLabel()
		if err != nil {
			return 0, false, fmt.Errorf("read labels: %w", err)
		}
		label, ok = max(label, l), ok || any
	}
	return label, ok, nil
}

func (p *part) eachVector(ctx context.Context, wanted []uint64, fn func([]uint64, vector.Matrix) error) error {
	block := VectorBlock(p.Dim())
	if wanted != nil {
		block = min(block, max(len(wanted), 1))
	}
	if p.blocks != nil {
		s, err := newBlockStream(p.blocks)
		if err != nil {
			return err
		}
		defer s.Close()
		return p.EachVector(ctx, wanted, block, s.read, fn)
	}
	if p.rows == nil {
		return p.EachVector(ctx, wanted, block, nil, fn)
	}
	s, err := newRowStream(p.rows, p.Dim())
	if err != nil {
		return err
	}
	defer s.Close()
	return p.EachVector(ctx, wanted, block, s.read, fn)
}

// firstCopies returns a function that passes to fn only rows whose label it hasn't met before.
func firstCopies(rows, dim int, fn func([]uint64, vector.Matrix) error) func([]uint64, vector.Matrix) error {
	met := make(map[uint64]struct{}, rows)
	return func(labels []uint64, block vector.Matrix) error {
		data, fresh := make([]float32, 0, len(labels)*dim), make([]uint64, 0, len(labels))
		for i, label := range labels {
			if _, ok := met[label]; ok {
				continue
			}
			met[label] = struct{}{}
			data, fresh = append(data, vector.Row[float32](block, i)...), append(fresh, label)
		}
		m, err := vector.Of(data, dim)
		if err != nil {
			return err
		}
		return fn(fresh, m)
	}
}

// rowStream reads rows on disk from front to back and compares each block with its checksum.
type rowStream struct {
	*os.File
	rows *rowFile
	dim  int
	next int64  // the offset in the rows of the next byte to read
	room []byte // a buffer for consecutive blocks
	have []byte // the bytes read last, up to next
}

func newRowStream(rows *rowFile, dim int) (*rowStream, error) {
	f, err := vfs.Open(rows.path)
	if err != nil {
		return nil, err
	}
	return &rowStream{File: f, rows: rows, dim: dim}, nil
}

// read is a hnsw.VectorReader.
func (s *rowStream) read(id uint32, dst []float32) error {
	place := &s.rows.place
	from := int64(id) * int64(place.Stride)
	to := from + int64(rowtype.Size(place.Type, s.dim))
	if err := s.fill(from, to); err != nil {
		return err
	}
	m, err := vector.FromBytes(s.have[from-(s.next-int64(len(s.have))):], place.Type, 1, s.dim, place.Stride)
	if err != nil {
		return err
	}
	m.Decode(0, dst)
	return nil
}

// fill reads on until have holds the bytes from … to, which must rise from call to call.
func (s *rowStream) fill(from, to int64) error {
	begin := s.next - int64(len(s.have))
	if to <= s.next && from >= begin {
		return nil
	}
	first := from / store.SumBlock * store.SumBlock
	n := max(sequentialBytes, (to-first+store.SumBlock-1)/store.SumBlock*store.SumBlock)
	n = min(n, s.rows.place.Bytes()-first)
	if int64(len(s.room)) < n {
		s.room = make([]byte, n)
	}
	if _, err := s.ReadAt(s.room[:n], s.rows.place.Offset+first); err != nil {
		return fmt.Errorf("%s: %w", s.rows.path, err)
	}
	s.have, s.next = s.room[:n], first+n
	return s.rows.check(first, s.have)
}

// blockStream reads the rows in a file of blocks from front to back.
type blockStream struct {
	*os.File
	blocks *blockFile
	block  []byte
	number int // of block; −1: none
}

func newBlockStream(b *blockFile) (*blockStream, error) {
	f, err := vfs.Open(b.path)
	if err != nil {
		return nil, err
	}
	return &blockStream{File: f, blocks: b, block: make([]byte, b.Block), number: -1}, nil
}

// read is a hnsw.VectorReader.
func (s *blockStream) read(id uint32, dst []float32) error {
	b := s.blocks
	if number := b.BlockOf(id); number != s.number {
		if _, err := s.ReadAt(s.block, b.Offset(number)); err != nil {
			return fmt.Errorf("%s: %w", b.path, err)
		}
		if err := b.Check(b.path, number, s.block); err != nil {
			return err
		}
		s.number = number
	}
	m, err := vector.FromBytes(b.Row(s.block, id), b.Type, 1, b.Dim, 0)
	if err != nil {
		return err
	}
	m.Decode(0, dst)
	return nil
}
