package dataset

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/shale-search/shale/internal/atomicfile"
)

// Neighbors is a ground truth: the labels of K neighbours a query, nearest first. A query with fewer has −1 in the rest.
type Neighbors struct {
	IDs []int64 // row after row
	K   int
}

// Rows is the number of queries.
func (n Neighbors) Rows() int {
	if n.K == 0 {
		return 0
	}
	return len(n.IDs) / n.K
}

// Row is the neighbours of query i.
func (n Neighbors) Row(i int) []int64 { return n.IDs[i*n.K:][:n.K:n.K] }

// neighborExtensions are the extensions that neighbours are kept in, for messages.
const neighborExtensions = ".ivecs, .ibin or .npy"

// ReadNeighbors reads neighbours from ivecs, ibin (where distances may follow the labels, as in the
// big-ann-benchmarks), or an npy or npz of integers.
func ReadNeighbors(path string) (n Neighbors, err error) {
	err = withInput(path, func(in *input, format, member string) error {
		src, rows, k, err := openNeighbors(in, format, member)
		if err != nil {
			return err
		}
		n, err = collect(in.origin, src, rows, k)
		return err
	})
	return n, err
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
		return nil, 0, 0, in.bad(0, "rows", "%d rows of %d labels take %d bytes, with distances twice that, but %d follow the header: the file is cut off", rows, k, want, have)
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
		return nil, 0, 0, a.bad(0, "shape", "%v has %d axes, neighbours need 2: reshape it to (queries, k)", a.shape, len(a.shape))
	}
	if a.fortran && a.shape[0] > 1 && a.shape[1] > 1 {
		return nil, 0, 0, a.caused(ErrUnsupported, 0, "fortran_order", "save the array with np.ascontiguousarray")
	}
	if _, err := a.checkShape(0, a.shape[0], a.shape[1], 8); err != nil {
		return nil, 0, 0, err
	}
	return a.ints(), a.shape[0], a.shape[1], nil
}

func collect(o origin, src *intSource, rows, k int64) (Neighbors, error) {
	n := Neighbors{K: int(k), IDs: make([]int64, 0, min(rows*k, blockSize))}
	err := src.each(func(i int64, v uint64, neg bool) error {
		if id := int64(v); neg && id != -1 || !neg && id < 0 {
			return o.bad(-1, "neighbours", "neighbour %d of query %d is neither a label nor -1", i%k, i/k)
		}
		n.IDs = append(n.IDs, int64(v))
		return nil
	})
	if err != nil {
		return Neighbors{}, err
	}
	return n, nil
}

// WriteNeighbors writes neighbours as ivecs, ibin or npy by path's extension, atomically.
func WriteNeighbors(path string, n Neighbors) error {
	if n.K < 1 || n.K > maxDim || len(n.IDs)%n.K != 0 {
		return fmt.Errorf("dataset: %d labels are not rows of %d neighbours", len(n.IDs), n.K)
	}
	var header, prefix []byte
	size := 4
	switch OutputFormat(path) {
	case ".ivecs":
		prefix = binary.LittleEndian.AppendUint32(nil, uint32(n.K))
	case ".ibin":
		if int64(n.Rows()) > math.MaxUint32 {
			return fmt.Errorf("dataset: %s: %d rows are too many for .ibin: write .npy", path, n.Rows())
		}
		header = binary.LittleEndian.AppendUint32(nil, uint32(n.Rows()))
		header = binary.LittleEndian.AppendUint32(header, uint32(n.K))
	case ".npy":
		header, size = encodeNpyHeader("<i8", n.Rows(), n.K), 8
	default:
		return fmt.Errorf("dataset: %s: %w: want %s", path, ErrUnknownFormat, neighborExtensions)
	}
	_, file := splitFormat(path)
	return atomicfile.Write(file, func(w io.Writer) error {
		if _, err := w.Write(header); err != nil {
			return err
		}
		return n.write(w, prefix, size)
	})
}

// write writes rows of integers of size bytes, each row after prefix.
func (n Neighbors) write(w io.Writer, prefix []byte, size int) error {
	var b []byte
	for i := range n.Rows() {
		b = append(b[:0], prefix...)
		for _, id := range n.Row(i) {
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
