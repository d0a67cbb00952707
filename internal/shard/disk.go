package shard

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/shale-search/shale/internal/diskread"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/vector"
)

const (
	// readDepth is how many reads of a goroutine are under way at a time.
	readDepth = 128
	// spanBytes is how far apart rows may lie that one read brings: disks read 4 KiB and 8 KiB about as fast.
	spanBytes = 8 << 10
)

// rowFile is where the rows of a shard lie on disk.
type rowFile struct {
	*diskread.File
	path  string
	place store.RowPlace
}

func openRowFile(path string, place store.RowPlace) (*rowFile, error) {
	f, err := diskread.Open(path)
	if err != nil {
		return nil, err
	}
	return &rowFile{f, path, place}, nil
}

// check tests blocks, from byte at of the rows on, against their sums.
func (r *rowFile) check(at int64, blocks []byte) error {
	for len(blocks) > 0 {
		block := blocks[:min(len(blocks), store.SumBlock)]
		if sum, want := store.SumOf(block), r.place.Sums[at/store.SumBlock]; sum != want {
			return &store.FormatError{
				File: r.path, Offset: r.place.Offset + at, Field: store.Vectors.String(),
				Reason: fmt.Sprintf("the checksum of these %d bytes is %08x, it should be %08x: the rows are damaged",
					len(block), sum, want),
			}
		}
		at += int64(len(block))
		blocks = blocks[len(block):]
	}
	return nil
}

// takeReader gives a reader for a goroutine, putReader takes it back.
func (x *Index) takeReader() (*diskread.Reader, error) {
	x.readersMu.Lock()
	defer x.readersMu.Unlock()
	if n := len(x.readers); n > 0 {
		r := x.readers[n-1]
		x.readers = x.readers[:n-1]
		return r, nil
	}
	largest := max(spanBytes, rowtype.Size(x.rowType(), x.Dim())) + 2*store.SumBlock
	for _, p := range x.parts {
		if p.blocks != nil {
			largest = p.blocks.Block
		}
	}
	return diskread.New(readDepth, largest)
}

func (x *Index) putReader(r *diskread.Reader) {
	x.readersMu.Lock()
	defer x.readersMu.Unlock()
	x.readers = append(x.readers, r)
}

// layout says where on disk a candidate's row lies, and what comes with it.
type layout interface {
	// held takes the row of candidate i of the lane's batch from memory. It reports false if it isn't there.
	held(l *lane, f *fetched, i int) bool
	// joins reports whether the read that brings candidate first is to bring candidate now as well, which follows it.
	joins(l *lane, first, now *candidate) bool
	// piece is what to read for a span: n bytes at offset of the file.
	piece(l *lane, s span) (file *diskread.File, offset int64, n int)
	// take checks a piece that was read, and takes the rows of its span.
	take(l *lane, f *fetched, s span, piece []byte) error
	// offer ranks candidate i of the lane's batch, whose row is at a distance.
	offer(l *lane, i int, distance float32)
}

// fetched holds the rows of a lane's batch while they are read.
type fetched struct {
	layout
	bytes  []byte
	size   int // of a row
	stride int
	scorer *score.Rows
	ids    []uint32 // 0, 1, …
	spans  []span
	begun  int // spans that are being read, or have been
	ended  int
	err    error
}

// span is candidates of a batch that one read brings.
type span struct {
	from, to int // in the batch
}

func newFetched(x *Index, o layout) (*fetched, error) {
	t, dim := x.rowType(), x.Dim()
	f := &fetched{layout: o, size: rowtype.Size(t, dim), ids: make([]uint32, batchRows)}
	f.stride = (f.size + 63) &^ 63
	f.bytes = make([]byte, batchRows*f.stride)
	for i := range f.ids {
		f.ids[i] = uint32(i)
	}
	rows, err := vector.FromBytes(f.bytes, t, batchRows, dim, f.stride)
	if err != nil {
		return nil, err
	}
	f.scorer, err = score.New(rows, x.metric, nil)
	return f, err
}

func (f *fetched) bind(query []float32) {
	copy(f.scorer.Query(), query)
	f.scorer.BindOwn()
}

// row is the room for the row of candidate i.
func (f *fetched) row(i int) []byte { return f.bytes[i*f.stride : i*f.stride+f.size] }

// plan divides the lane's batch into spans.
func (f *fetched) plan(l *lane) {
	slices.SortFunc(l.batch, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.probe, b.probe),
			cmp.Compare(a.ID, b.ID))
	})
	f.spans, f.begun, f.ended, f.err = f.spans[:0], 0, 0, nil
	for i := range l.batch {
		if f.held(l, f, i) {
			continue
		}
		if n := len(f.spans); n > 0 {
			s := &f.spans[n-1]
			first, now := &l.batch[s.from], &l.batch[i]
			if first.probe == now.probe && f.joins(l, first, now) {
				s.to = i + 1
				continue
			}
		}
		f.spans = append(f.spans, span{i, i + 1})
	}
}

// start begins as many of the reads as the reader has room for; number tells the lane from others.
func (f *fetched) start(l *lane, r *diskread.Reader, number int) error {
	for f.begun < len(f.spans) && r.Free() > 0 {
		file, offset, n := f.piece(l, f.spans[f.begun])
		if err := r.Start(file, offset, n, uint64(number)<<32|uint64(f.begun)); err != nil {
			return err
		}
		l.stats.Reads++
		l.stats.Bytes += int64(n)
		f.begun++
	}
	return nil
}

// arrived takes what a read brought.
func (f *fetched) arrived(l *lane, number uint32, piece []byte, err error) {
	f.ended++
	if err != nil {
		f.err = fmt.Errorf("rows: %w", err)
		return
	}
	if err := f.take(l, f, f.spans[number], piece); err != nil {
		f.err = err
	}
}

// complete reports whether all rows have come.
func (f *fetched) complete() bool { return f.ended == len(f.spans) }

// rank scores the rows that were read for the lane's batch.
func (f *fetched) rank(l *lane) error {
	if f.err != nil {
		return f.err
	}
	f.scorer.Score(f.ids[:len(l.batch)], l.dist)
	for i := range l.batch {
		f.offer(l, i, l.dist[i])
	}
	return nil
}

// read reads what the lane's batch needs and ranks it.
func (l *lane) read() error {
	f := l.rows
	r, err := l.x.takeReader()
	if err != nil {
		return err
	}
	f.plan(l)
	for !f.complete() && err == nil {
		if err = f.start(l, r, 0); err == nil {
			err = r.Wait(func(tag uint64, piece []byte, err error) { f.arrived(l, uint32(tag), piece, err) })
		}
	}
	if err != nil {
		return errors.Join(err, r.Close()) // it may have reads under way, which nobody waits for
	}
	l.x.putReader(r)
	return f.rank(l)
}

// rowLayout is rows as an index file has them, one after another.
type rowLayout struct{}

// file is where the row of a candidate lies.
func (l *lane) file(c *candidate) *rowFile { return l.x.parts[l.parts[c.probe]].rows }

func (rowLayout) held(*lane, *fetched, int) bool { return false }

func (rowLayout) joins(l *lane, first, now *candidate) bool {
	return int64(now.ID-first.ID)*int64(l.file(now).place.Stride)+int64(l.rows.size) <= spanBytes
}

// blocks are those that hold the rows of a span: n bytes from byte at of the file's rows on. They have sums.
func (rowLayout) blocks(l *lane, s span) (file *rowFile, at int64, n int) {
	first, last := &l.batch[s.from], &l.batch[s.to-1]
	file = l.file(first)
	stride := int64(file.place.Stride)
	at = int64(first.ID) * stride / store.SumBlock * store.SumBlock
	end := int64(last.ID)*stride + int64(l.rows.size)
	end = min((end+store.SumBlock-1)/store.SumBlock*store.SumBlock, file.place.Bytes())
	return file, at, int(end - at)
}

func (o rowLayout) piece(l *lane, s span) (*diskread.File, int64, int) {
	file, at, n := o.blocks(l, s)
	return file.File, file.place.Offset + at, n
}

func (o rowLayout) take(l *lane, f *fetched, s span, piece []byte) error {
	file, at, _ := o.blocks(l, s)
	if err := file.check(at, piece); err != nil {
		return err
	}
	for i := s.from; i < s.to; i++ {
		row := file.place.Stride*int(l.batch[i].ID) - int(at)
		copy(f.row(i), piece[row:])
	}
	return nil
}

func (rowLayout) offer(l *lane, i int, distance float32) { l.offer(l.batch[i].Label, distance) }
