package shard

import (
	"fmt"
	"os"

	"github.com/shale-search/shale/store"
	"github.com/shale-search/shale/vector"
)

// rowFile is where the rows of a shard lie on disk.
type rowFile struct {
	f     *os.File
	place store.RowPlace
}

func openRowFile(path string, place store.RowPlace) (*rowFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return &rowFile{f, place}, nil
}

// row reads row id into b.
func (r *rowFile) row(id uint32, b []byte) error {
	if _, err := r.f.ReadAt(b, r.place.Offset+int64(id)*int64(r.place.Stride)); err != nil {
		return fmt.Errorf("read row %d of %s: %w", id, r.f.Name(), err)
	}
	return nil
}

// fetched holds rows that were read for one search.
type fetched struct {
	bytes  []byte
	size   int // of a row
	stride int
	rows   vector.Matrix
	scorer *vector.RowScorer
	ids    []uint32 // 0, 1, …
}

func newFetched(t vector.Type, metric vector.Metric, dim int) (*fetched, error) {
	f := &fetched{size: t.RowSize(dim), ids: make([]uint32, batchRows)}
	f.stride = (f.size + 63) &^ 63
	f.bytes = make([]byte, batchRows*f.stride)
	for i := range f.ids {
		f.ids[i] = uint32(i)
	}
	var err error
	if f.rows, err = vector.FromBytes(f.bytes, t, batchRows, dim, f.stride); err != nil {
		return nil, err
	}
	f.scorer, err = vector.NewRowScorer(f.rows, metric, nil)
	return f, err
}

func (f *fetched) bind(query []float32) {
	copy(f.scorer.Query(), query)
	f.scorer.BindOwn()
}

// place is where row i of a batch is read to.
func (f *fetched) place(i int) []byte { return f.bytes[i*f.stride : i*f.stride+f.size] }

// read reads the rows of the lane's batch and offers them at their distances.
func (f *fetched) read(l *lane) error {
	for i, c := range l.batch {
		file := l.x.parts[l.parts[c.probe]].rows
		if err := file.row(c.ID, f.place(i)); err != nil {
			return err
		}
	}
	l.stats.Reads += len(l.batch)
	l.stats.Bytes += int64(len(l.batch)) * int64(f.size)
	f.offer(l)
	return nil
}

// offer scores the rows that were read for the lane's batch.
func (f *fetched) offer(l *lane) {
	n := len(l.batch)
	f.scorer.Score(f.ids[:n], l.dist)
	for i, c := range l.batch {
		l.offer(c.Label, l.dist[i])
	}
}
