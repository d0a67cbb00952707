package datafile

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/dataname"
	"github.com/shale-search/shale/internal/vfs"
)

// WriteResults writes the results of a search as an npz with two arrays of rows × k elements: labels (uint64) and
// distances (float32). fill calls put with the results of the next queries, in order, until all rows are written. The
// file appears under its name once fill has returned without an error, or not at all. The memory used doesn't grow with
// rows, because distances wait in a temporary file.
func WriteResults(path string, rows, k int,
	fill func(put func(labels []uint64, distances []float32) error) error) error {
	if rows < 0 || k < 0 || k > maxDim {
		return fmt.Errorf("dataset: %d rows of %d are no results", rows, k)
	}
	if dataname.OutputFormat(path) != ".npz" {
		return fmt.Errorf("dataset: %s: %w: results are written as .npz", path, ErrUnknownFormat)
	}
	_, file := dataname.SplitFormat(path)
	return atomicfile.Write(file, func(w io.Writer) (err error) {
		r := &resultsWriter{zip: zip.NewWriter(w), rows: rows, k: k}
		if r.labels, err = r.array("labels", "<u8"); err != nil {
			return err
		}
		r.spool = &spool{dir: filepath.Dir(file)}
		defer func() { err = errors.Join(err, r.spool.Drop()) }()
		if err := fill(r.put); err != nil {
			return err
		}
		return r.finish()
	})
}

// resultsWriter writes labels at once and distances at the end.
type resultsWriter struct {
	zip     *zip.Writer
	labels  io.Writer
	spool   *spool // of distances
	rows, k int
	values  int // results written
	encoder resultEncoder
}

// array begins an array of rows × k elements, uncompressed as np.savez writes it.
func (r *resultsWriter) array(name, descr string) (io.Writer, error) {
	w, err := r.zip.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: zip.Store})
	if err == nil {
		_, err = w.Write(encodeNpyHeader(descr, r.rows, r.k))
	}
	return w, err
}

func (r *resultsWriter) put(labels []uint64, distances []float32) error {
	if len(labels) != len(distances) || r.k == 0 && len(labels) > 0 || r.k > 0 && len(labels)%r.k != 0 ||
		len(labels) > r.rows*r.k-r.values {
		return fmt.Errorf("dataset: %d labels and %d distances are not of %d rows of %d",
			len(labels), len(distances), r.rows, r.k)
	}
	r.values += len(labels)
	return r.encoder.write(r.labels, r.spool, labels, distances)
}

func (r *resultsWriter) finish() error {
	if r.values != r.rows*r.k {
		return fmt.Errorf("dataset: %d results came for %d rows of %d", r.values, r.rows, r.k)
	}
	w, err := r.array("distances", "<f4")
	if err == nil {
		err = r.spool.CopyTo(w)
	}
	if err != nil {
		return err
	}
	return r.zip.Close()
}

// resultEncoder writes labels and distances as npy files hold them.
type resultEncoder struct{ block []byte }

func (e *resultEncoder) write(toLabels, toDistances io.Writer, labels []uint64, distances []float32) error {
	for len(labels) > 0 {
		n := min(len(labels), blockSize/8)
		e.block = e.block[:0]
		for _, l := range labels[:n] {
			e.block = binary.LittleEndian.AppendUint64(e.block, l)
		}
		if _, err := toLabels.Write(e.block); err != nil {
			return err
		}
		e.block = e.block[:0]
		for _, d := range distances[:n] {
			e.block = binary.LittleEndian.AppendUint32(e.block, math.Float32bits(d))
		}
		if _, err := toDistances.Write(e.block); err != nil {
			return err
		}
		labels, distances = labels[n:], distances[n:]
	}
	return nil
}

// spool holds what is written to it: in memory up to spoolMemory, and then in a file without a name.
type spool struct {
	dir    string
	memory []byte
	f      spoolFile // nil if all is in memory
	drop   func() error
	size   int64
}

type spoolFile interface {
	io.Writer
	io.ReaderAt
}

// spoolMemory is the number of bytes that a spool holds in memory.
const spoolMemory = 256 << 10

func (s *spool) Write(b []byte) (int, error) {
	if len(s.memory)+len(b) <= spoolMemory {
		s.memory = append(s.memory, b...)
		return len(b), nil
	}
	if err := s.flush(); err != nil {
		return 0, err
	}
	s.memory = append(s.memory, b...)
	return len(b), nil
}

// flush writes the bytes in memory to the file.
func (s *spool) flush() error {
	if s.f == nil {
		if err := s.create(); err != nil {
			return err
		}
	}
	n, err := s.f.Write(s.memory)
	s.size += int64(n)
	s.memory = s.memory[:0]
	return err
}

// create creates the file in the directory of the results, or else in that of temporary files.
func (s *spool) create() error {
	f, err := vfs.Unnamed(s.dir, 0o600)
	if err == nil {
		s.f, s.drop = f, f.Close
		return nil
	}
	named, err := os.CreateTemp("", "shale-")
	if err != nil {
		return err
	}
	s.f, s.drop = named, func() error { return errors.Join(named.Close(), os.Remove(named.Name())) }
	return nil
}

// CopyTo writes everything that the spool holds to w.
func (s *spool) CopyTo(w io.Writer) error {
	if s.f != nil {
		if _, err := io.CopyBuffer(w, io.NewSectionReader(s.f, 0, s.size), make([]byte, blockSize)); err != nil {
			return err
		}
	}
	_, err := w.Write(s.memory)
	return err
}

// Drop closes and removes the file.
func (s *spool) Drop() error {
	if s.drop == nil {
		return nil
	}
	return s.drop()
}
