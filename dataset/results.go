package dataset

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
	"github.com/shale-search/shale/internal/vfs"
)

// WriteResults writes a search's answers, rows queries × k, as an npz with the arrays labels (uint64) and distances
// (float32), atomically.
func WriteResults(path string, labels []uint64, distances []float32, rows, k int) error {
	return WriteResultBlocks(path, rows, k,
		func(put func([]uint64, []float32) error) error { return put(labels, distances) })
}

// WriteResultBlocks is WriteResults of answers that come block by block: fill calls put with those of the next
// queries, in order, until all rows have come. Distances lie in a file without a name meanwhile, so that memory
// doesn't grow with the queries.
func WriteResultBlocks(path string, rows, k int, fill func(put func(labels []uint64, distances []float32) error) error) error {
	if rows < 0 || k < 0 || k > maxDim {
		return fmt.Errorf("dataset: %d rows of %d are no results", rows, k)
	}
	if OutputFormat(path) != ".npz" {
		return fmt.Errorf("dataset: %s: %w: results are written as .npz", path, ErrUnknownFormat)
	}
	_, file := splitFormat(path)
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

// resultsWriter writes labels as they come and distances at the end.
type resultsWriter struct {
	zip     *zip.Writer
	labels  io.Writer
	spool   *spool // of distances
	rows, k int
	values  int // that came
	block   []byte
}

// array begins a rows × k array, uncompressed as np.savez does.
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
	for len(labels) > 0 {
		n := min(len(labels), blockSize/8)
		r.block = r.block[:0]
		for _, l := range labels[:n] {
			r.block = binary.LittleEndian.AppendUint64(r.block, l)
		}
		if _, err := r.labels.Write(r.block); err != nil {
			return err
		}
		r.block = r.block[:0]
		for _, d := range distances[:n] {
			r.block = binary.LittleEndian.AppendUint32(r.block, math.Float32bits(d))
		}
		if _, err := r.spool.Write(r.block); err != nil {
			return err
		}
		labels, distances = labels[n:], distances[n:]
	}
	return nil
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

// spool holds what is written in memory, as long as it is little, or else in a file without a name.
type spool struct {
	dir    string
	memory []byte
	f      spoolFile // nil: all is in memory
	drop   func() error
	size   int64
}

type spoolFile interface {
	io.Writer
	io.ReaderAt
}

// spoolMemory is what a spool holds in memory.
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

// flush writes the bytes held in memory to the file.
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

// create makes the file, where there is room for what it is for, or else where temporary files are.
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

// CopyTo writes all that was written to w.
func (s *spool) CopyTo(w io.Writer) error {
	if s.f != nil {
		if _, err := io.CopyBuffer(w, io.NewSectionReader(s.f, 0, s.size), make([]byte, blockSize)); err != nil {
			return err
		}
	}
	_, err := w.Write(s.memory)
	return err
}

// Drop ends the file.
func (s *spool) Drop() error {
	if s.drop == nil {
		return nil
	}
	return s.drop()
}
