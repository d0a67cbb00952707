package shard

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

const routingFile = "routing.shale"

// distribute divides the rows and writes those of each shard to a file of their own, and how queries find their shards.
func (b *builder) distribute(ctx context.Context) error {
	d, err := b.divide(ctx)
	if err != nil {
		return err
	}
	defer d.close()
	s, err := newScatter(b, d)
	if err != nil {
		return err
	}
	defer s.abort()
	if err := b.src.Blocks(ctx, func(first int,
		rows vector.Matrix) error {
		return s.block(ctx, first, rows)
	}); err != nil {
		return err
	}
	if err := s.commit(); err != nil {
		return err
	}
	if s.rows != b.src.Rows() {
		return fmt.Errorf("the input has %d rows now, it had %d", s.rows, b.src.Rows())
	}
	if err := s.split.addTo(ctx, d.router, b.o.Threads); err != nil {
		return err
	}
	reach, err := b.measureReach(ctx, d)
	if err != nil {
		return err
	}
	path := filepath.Join(b.dir, routingFile)
	if err := store.Save(ctx, path, d.router.built); err != nil {
		return err
	}
	file, err := manifest.Describe(b.dir, routingFile)
	if err != nil {
		return err
	}
	file.Rows = d.router.index.Len()
	b.m.Routing = &manifest.Routing{Shard: file, Copies: float64(s.stored) / float64(s.rows), Reach: reach}
	b.m.Build.Parts = s.sizes
	return b.m.Write(b.dir)
}

// scatter writes rows to the files of their shards.
type scatter struct {
	b      *builder
	d      *division
	files  []*partWriter
	sizes  []int // rows of each shard, copies included
	most   int   // rows a shard
	rows   int
	stored int
	picked int // rows of the sample and of those held out met so far
	kept   int // of these, those of the sample
	homes  homes
	record []byte
	split  splitRows
}

func newScatter(b *builder, d *division) (*scatter, error) {
	s := &scatter{b: b, d: d, sizes: make([]int, b.parts), record: make([]byte, 8+rowtype.Size(b.src.Type(), b.src.Dim()))}
	s.most = int(float64(b.src.Rows())*d.copies()/float64(b.parts)*filled) + 1
	buffer := 256 << 10
	if b.o.Memory > 0 {
		buffer = int(min(int64(buffer), max(8<<10, b.o.Memory/16/int64(b.parts))))
	}
	for i := range b.parts {
		w, err := newPartWriter(b.partPath(i), buffer)
		if err != nil {
			s.abort()
			return nil, err
		}
		s.files = append(s.files, w)
	}
	return s, nil
}

func (s *scatter) abort() {
	for _, f := range s.files {
		f.abort()
	}
}

func (s *scatter) commit() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.commit())
	}
	return errors.Join(errs...)
}

// block writes a block's rows.
func (s *scatter) block(ctx context.Context, first int, rows vector.Matrix) error {
	const step = 1 << 12
	o := search.Options{Ef: divideEf, Threads: s.b.o.Threads}
	for lo := 0; lo < rows.Rows(); lo += step {
		part := rows.Slice(lo, min(lo+step, rows.Rows()))
		if s.b.parts == 1 {
			for i := range part.Rows() {
				if err := s.write(0, first+lo+i, part, i); err != nil {
					return err
				}
			}
		} else if err := s.assign(ctx, first+lo, part, o); err != nil {
			return err
		}
		s.rows += part.Rows()
		s.b.told("reordering", s.rows, s.b.src.Rows())
	}
	return nil
}

func (s *scatter) assign(ctx context.Context, first int, rows vector.Matrix, o search.Options) error {
	found, err := s.d.sample.SearchBatch(ctx, rows, assignNeighbors, o)
	if err != nil {
		return fmt.Errorf("from row %d on: %w", first, err)
	}
	for i := range rows.Rows() {
		row, n := first+i, found.Counts[i]
		repeated := n > 1 && found.Distances[i*found.K] == found.Distances[i*found.K+1]
		if err := s.place(row, rows, i, found.Labels[i*found.K:i*found.K+n], repeated); err != nil {
			return err
		}
	}
	return nil
}

// place writes a row, the i-th of rows, to its shard or shards, given its nearest rows in the sample. One that is there
// repeatedly goes where the rows equal to it go, as far as there is room.
func (s *scatter) place(row int, rows vector.Matrix, i int, near []uint64, repeated bool) error {
	order := s.homes.byVotes(s.d.p.Of, s.b.parts, near)
	own, inSample := s.sampled(row)
	if inSample && !repeated {
		order = s.homes.first(order, s.d.p.Of[own], s.d.homeOf(own))
	}
	if repeated {
		order = s.split.order(rows.RowBytes(i), order)
	}
	home, at := s.roomFor(order)
	if repeated {
		s.split.note(rows, i, home)
	}
	if err := s.write(home, row, rows, i); err != nil {
		return err
	}
	second, err := home, error(nil)
	if s.d.second != nil && float64(s.stored) < s.b.o.Copies*float64(s.rows+i+1) {
		second, err = s.again(order, at, home, row, rows, i)
	}
	if inSample {
		s.d.settle(own, home, second)
	}
	return err
}

// again writes a row to the next shard in order that has room, beside its home, the one at place at.
func (s *scatter) again(order []uint32, at int, home uint32, row int, rows vector.Matrix, i int) (uint32, error) {
	for j, other := range order {
		if j != at && s.sizes[other] < s.most {
			return other, s.write(other, row, rows, i)
		}
	}
	return home, nil
}

// roomFor is the first of the shards in order that has room, and its place in order; else the emptiest.
func (s *scatter) roomFor(order []uint32) (part uint32, at int) {
	for i, p := range order {
		if s.sizes[p] < s.most {
			return p, i
		}
	}
	best := uint32(0)
	for p, n := range s.sizes {
		if n < s.sizes[best] {
			best = uint32(p)
		}
	}
	return best, -1
}

// sampled gives a row's place in the sample, if it is there. Rows are asked for in order.
func (s *scatter) sampled(row int) (place int, ok bool) {
	sp := s.d.spread
	if s.picked >= sp.n || sp.at(s.picked) != row {
		return 0, false
	}
	held := s.d.isHeld(s.picked, len(s.d.held)/s.b.src.Dim())
	s.picked++
	if held {
		return 0, false
	}
	s.kept++
	return s.kept - 1, true
}

func (s *scatter) write(part uint32, row int, rows vector.Matrix, i int) error {
	label := uint64(row)
	if s.b.o.Labels != nil {
		label = s.b.o.Labels[row]
	}
	binary.LittleEndian.PutUint64(s.record, label)
	copy(s.record[8:], rows.RowBytes(i))
	s.sizes[part]++
	s.stored++
	return s.files[part].write(s.record)
}
