package dataset

import (
	"archive/zip"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/shale-search/shale/internal/atomicfile"
)

// WriteResults writes a search's answers, rows queries × k, as an npz with the arrays labels (uint64) and distances
// (float32), atomically.
func WriteResults(path string, labels []uint64, distances []float32, rows, k int) error {
	if rows < 0 || k < 0 || k > maxDim || len(labels) != rows*k || len(distances) != rows*k {
		return fmt.Errorf("dataset: %d labels and %d distances are not %d rows of %d", len(labels), len(distances), rows, k)
	}
	if extension(path) != ".npz" {
		return fmt.Errorf("dataset: %s: %w: results are written as .npz", path, ErrUnknownFormat)
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		z := zip.NewWriter(w)
		err := addArray(z, "labels", "<u8", rows, k, func(b []byte, i int) []byte {
			return binary.LittleEndian.AppendUint64(b, labels[i])
		})
		if err != nil {
			return err
		}
		err = addArray(z, "distances", "<f4", rows, k, func(b []byte, i int) []byte {
			return binary.LittleEndian.AppendUint32(b, math.Float32bits(distances[i]))
		})
		if err != nil {
			return err
		}
		return z.Close()
	})
}

// addArray adds a rows × k array to z, uncompressed as np.savez does; add appends element i.
func addArray(z *zip.Writer, name, descr string, rows, k int, add func(b []byte, i int) []byte) error {
	w, err := z.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: zip.Store})
	if err != nil {
		return err
	}
	b := encodeNpyHeader(descr, rows, k)
	for i := range rows * k {
		if len(b) >= blockSize {
			if _, err := w.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
		b = add(b, i)
	}
	_, err = w.Write(b)
	return err
}
