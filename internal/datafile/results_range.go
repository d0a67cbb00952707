package datafile

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/dataname"
	"github.com/shale-search/shale/search"
)

// WriteRangeResults writes the results of range searches to an npz with the one-dimensional arrays labels (uint64),
// distances (float32) and offsets (int64): those of query q are from offsets[q] to offsets[q+1]. fill calls put with
// the results of the next queries, until it has put those of all.
func WriteRangeResults(path string, queries int, fill func(put func(*search.RangeResults) error) error) error {
	if dataname.OutputFormat(path) != ".npz" {
		return fmt.Errorf("dataset: %s: %w: results are written as .npz", path, ErrUnknownFormat)
	}
	_, file := dataname.SplitFormat(path)
	return atomicfile.Write(file, func(w io.Writer) (err error) {
		r := &rangeWriter{offsets: []int{0}}
		for _, s := range []*spool{&r.labels, &r.distances} {
			s.dir = filepath.Dir(file)
			defer func() { err = errors.Join(err, s.Drop()) }()
		}
		if err := fill(r.put); err != nil {
			return err
		}
		if got := len(r.offsets) - 1; got != queries {
			return fmt.Errorf("dataset: results of %d queries came, of %d", got, queries)
		}
		return r.write(w)
	})
}

// rangeWriter keeps results until their number is known, which the arrays begin with.
type rangeWriter struct {
	labels, distances spool
	offsets           []int
	encoder           resultEncoder
}

func (r *rangeWriter) put(found *search.RangeResults) error {
	before := r.offsets[len(r.offsets)-1]
	for _, at := range found.Offsets[1:] {
		r.offsets = append(r.offsets, before+at)
	}
	return r.encoder.write(&r.labels, &r.distances, found.Labels, found.Distances)
}

func (r *rangeWriter) write(w io.Writer) error {
	z, total := zip.NewWriter(w), r.offsets[len(r.offsets)-1]
	for _, a := range []struct {
		name, descr string
		length      int
		copyTo      func(io.Writer) error
	}{
		{"labels", "<u8", total, r.labels.CopyTo},
		{"distances", "<f4", total, r.distances.CopyTo},
		{"offsets", "<i8", len(r.offsets), r.copyOffsets},
	} {
		to, err := z.CreateHeader(&zip.FileHeader{Name: a.name + ".npy", Method: zip.Store})
		if err == nil {
			_, err = to.Write(encodeNpyHeader(a.descr, a.length))
		}
		if err == nil {
			err = a.copyTo(to)
		}
		if err != nil {
			return err
		}
	}
	return z.Close()
}

func (r *rangeWriter) copyOffsets(w io.Writer) error {
	b := make([]byte, 0, 8*len(r.offsets))
	for _, at := range r.offsets {
		b = binary.LittleEndian.AppendUint64(b, uint64(at))
	}
	_, err := w.Write(b)
	return err
}
