package datafile

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/dataname"
)

// neighborExtensions lists the formats of neighbours in messages.
const neighborExtensions = ".ivecs, .ibin or .npy"

// ReadNeighbors reads a ground truth: for each query the labels of its k neighbours, nearest first. A query with fewer
// neighbours has −1 in the rest. The file is an ivecs, an npy or npz of integers, or an ibin, where distances may
// follow the labels.
func ReadNeighbors(path string) (neighbors [][]int64, err error) {
	err = withInput(path, func(in *input, format, member string) error {
		src, rows, k, err := openNeighbors(in, format, member)
		if err != nil {
			return err
		}
		neighbors, err = collect(in.origin, src, rows, k)
		return err
	})
	return neighbors, err
}

func openNeighbors(in *input, format, member string) (src *intSource, rows, k int64, err error) {
	int32s := dtype{kind: 'i', size: 4}
	switch format {
	case ".ivecs":
		v, rows, err := newVecsSource(in, int32s)
		if err != nil {
			return nil, 0, 0, err
		}
		// Blocks of its own keep whole rows together, which the source reads by.
		k := int64(v.dim)
		block := make([]byte, min(rows, max(1, blockSize/int64(v.row)))*int64(v.row))
		return &intSource{rowSource: v, dt: int32s, left: rows * k, block: block}, rows, k, nil
	case ".ibin":
		return openIbin(in, int32s)
	case ".npy", ".npz":
		return openNeighborArray(in, format, member)
	case ".hdf5":
		return nil, 0, 0, in.hdf5Error(cmp.Or(member, "neighbors"))
	}
	return nil, 0, 0, in.unknown(neighborExtensions)
}

func openIbin(in *input, dt dtype) (*intSource, int64, int64, error) {
	if err := in.whole("ibin"); err != nil {
		return nil, 0, 0, err
	}
	rows, k, err := in.binShape()
	if err != nil {
		return nil, 0, 0, err
	}
	want, err := in.checkShape(4, rows, k, dt.size)
	if err != nil {
		return nil, 0, 0, err
	}
	if have := in.size - binHeader; have != want && have != 2*want {
		return nil, 0, 0, in.bad(0, "rows", "%d rows of %d labels take %d bytes, with distances twice that, but %d follow "+
			"the header: the file is cut off", rows, k, want, have)
	}
	src := &denseSource{origin: in.origin, r: io.NewSectionReader(in.f, binHeader, want), off: binHeader, closer: in.f}
	return &intSource{rowSource: src, dt: dt, left: rows * k}, rows, k, nil
}

func openNeighborArray(in *input, format, member string) (*intSource, int64, int64, error) {
	a, err := openIntegers(in, format, member, 2)
	if err != nil {
		return nil, 0, 0, err
	}
	if len(a.shape) != 2 {
		return nil, 0, 0, a.bad(0, "shape", "%v has %d axes, neighbours need 2: reshape it to (queries, k)",
			a.shape, len(a.shape))
	}
	if a.fortran && a.shape[0] > 1 && a.shape[1] > 1 {
		return nil, 0, 0, a.caused(ErrUnsupported, 0, "fortran_order", "save the array with np.ascontiguousarray")
	}
	if _, err := a.checkShape(0, a.shape[0], a.shape[1], 8); err != nil {
		return nil, 0, 0, err
	}
	return a.ints(), a.shape[0], a.shape[1], nil
}

func collect(o origin, src *intSource, rows, k int64) ([][]int64, error) {
	all := make([]int64, 0, min(rows*k, blockSize))
	err := src.each(func(i int64, v uint64, neg bool) error {
		if id := int64(v); neg && id != -1 || !neg && id < 0 {
			return o.bad(-1, "neighbours", "neighbour %d of query %d is neither a label nor -1", i%k, i/k)
		}
		all = append(all, int64(v))
		return nil
	})
	if err != nil || len(all) == 0 { // rows of no neighbours are none
		return nil, err
	}
	neighbors := make([][]int64, 0, rows)
	for ids := range slices.Chunk(all, int(k)) {
		neighbors = append(neighbors, ids)
	}
	return neighbors, nil
}

// WriteNeighbors writes a ground truth: for each query the labels of its neighbours, nearest first, all of the same
// number. The extension, .ivecs, .ibin or .npy, chooses the format. The file appears whole or not at all.
func WriteNeighbors(path string, neighbors [][]int64) error {
	if len(neighbors) == 0 {
		return fmt.Errorf("dataset: %s: there are no queries whose neighbours could be written", path)
	}
	rows, k := len(neighbors), len(neighbors[0])
	if k < 1 || k > maxDim {
		return fmt.Errorf("dataset: %s: %d neighbours of a query, not between 1 and %d", path, k, maxDim)
	}
	for q, ids := range neighbors {
		if len(ids) != k {
			return fmt.Errorf("dataset: %s: query %d has %d neighbours, query 0 has %d: all need the same number",
				path, q, len(ids), k)
		}
	}
	var header, prefix []byte
	size := 4
	switch dataname.OutputFormat(path) {
	case ".ivecs":
		prefix = binary.LittleEndian.AppendUint32(nil, uint32(k))
	case ".ibin":
		if int64(rows) > math.MaxUint32 {
			return fmt.Errorf("dataset: %s: %d rows are too many for .ibin: write .npy", path, rows)
		}
		header = binary.LittleEndian.AppendUint32(nil, uint32(rows))
		header = binary.LittleEndian.AppendUint32(header, uint32(k))
	case ".npy":
		header, size = encodeNpyHeader("<i8", rows, k), 8
	default:
		return fmt.Errorf("dataset: %s: %w: want %s", path, ErrUnknownFormat, neighborExtensions)
	}
	_, file := dataname.SplitFormat(path)
	return atomicfile.Write(file, func(w io.Writer) error {
		if _, err := w.Write(header); err != nil {
			return err
		}
		return writeNeighbors(w, neighbors, prefix, size)
	})
}

// writeNeighbors writes rows of integers of size bytes, each row after prefix.
func writeNeighbors(w io.Writer, neighbors [][]int64, prefix []byte, size int) error {
	var b []byte
	for _, ids := range neighbors {
		b = append(b[:0], prefix...)
		for _, id := range ids {
			switch {
			case size == 8:
				b = binary.LittleEndian.AppendUint64(b, uint64(id))
			case id < -1 || id > math.MaxInt32:
				return fmt.Errorf("label %d doesn't fit 32 bits: write .npy", id)
			default:
				b = binary.LittleEndian.AppendUint32(b, uint32(int32(id)))
			}
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}
