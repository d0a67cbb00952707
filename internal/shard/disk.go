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
	// readDepth is the number of reads that a goroutine keeps in progress at a time.
	readDepth = 128
	// spanBytes is the largest distance in bytes between rows that one read covers. Disks read 8 KiB about as fast as
	// 4 KiB.
	spanBytes = 8 << 10
)

// rowFile is the file that holds the rows of a shard on disk.
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

// check compares blocks, which begin at byte at of the rows, with their checksums.
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

// takeReader returns a reader for one goroutine, which gives it back with putReader.
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

// layout is the layout of rows on disk.
type layout interface {
	// held copies the row of candidate i of the lane's batch from memory. It returns false if the row isn't in memory.
	held(l *lane, f *fetched, i int) bool
	// joins reports whether the read for candidate first is to read candidate now, which follows it, as well.
	joins(l *lane, first, now *candidate) bool
	// piece returns what to read for a span: n bytes at offset of file.
	piece(l *lane, s span) (file *diskread.File, offset int64, n int)
	// take checks a piece that was read, and takes the rows of its span.
	take(l *lane, f *fetched, s span, piece []byte) error
	// offer ranks candidate i of the lane's batch, given the distance of its row.
	offer(l *lane, i int, distance float32)
}

// fetched holds the rows of a lane's batch while they are read.
type fetched struct {
	layout
	bytes  []byte
	size   int // bytes of a row
	stride int
	scorer *score.Rows
	ids    []uint32 // 0, 1, …
	spans  []span
	begun  int // number of spans whose read has begun
	ended  int
	err    error
}

// span is a range of candidates of a batch whose rows one read covers.
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

// row returns the buffer for the row of candidate i.
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

// start begins as many reads as the reader has room for; number identifies the lane.
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

// arrived handles the result of a read.
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

// complete reports whether all rows have been read.
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

// read reads the rows of the lane's batch and ranks them.
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
		return errors.Join(err, r.Close()) // it may have unfinished reads, which nobody waits for
	}
	l.x.putReader(r)
	return f.rank(l)
}

// rowLayout is the layout of an index file, which stores rows one after another.
type rowLayout struct{}

// file returns the file that holds the row of a candidate.
func (l *lane) file(c *candidate) *rowFile { return l.x.part(l.parts[c.probe]).rows }

func (rowLayout) held(*lane, *fetched, int) bool { return false }

func (rowLayout) joins(l *lane, first, now *candidate) bool {
	return int64(now.ID-first.ID)*int64(l.file(now).place.Stride)+int64(l.rows.size) <= spanBytes
}

// blocks returns the place of the blocks that hold the rows of a span: n bytes from byte at of the file's rows. Each
// block has a checksum.
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
