package datafile

import (
	"bytes"
	"cmp"

	"github.com/shale-search/shale/internal/dataname"
	"github.com/shale-search/shale/vector"
)

// reader streams the rows of a file in order. It isn't safe for concurrent use.
type reader interface {
	// Rows returns the number of rows that the file declares. For formats that aren't compressed it has been checked
	// against the file's length. The length of the others is known only once they are read, so memory isn't allocated
	// for it at once.
	Rows() int
	// Dim returns the number of elements of a row.
	Dim() int
	// Type returns the type of the elements that Read returns. Doubles are read as Float32.
	Type() vector.Type
	// Read fills dst with as many whole rows as fit, packed and little-endian, and returns their number. At the end it
	// returns 0 and io.EOF, and if dst holds no whole row, io.ErrShortBuffer. Other errors are returned again by later
	// calls.
	Read(dst []byte) (rows int, err error)
	Close() error
}

// vectorExtensions lists the formats of vectors in messages.
const vectorExtensions = ".npy, .npz, .fvecs, .bvecs, .fbin, .u8bin, .i8bin or .parquet"

// openReader opens a file of vectors.
func openReader(path string) (reader, error) {
	in, member, err := openInput(path)
	if err != nil {
		return nil, err
	}
	s, err := open(in, member)
	if err != nil {
		in.f.Close()
		return nil, err
	}
	return s, nil
}

// open returns a stream of the input's rows, which closes the input.
func open(in *input, member string) (*stream, error) {
	format, err := in.format()
	if err != nil {
		return nil, err
	}
	switch format {
	case ".npy", ".npz":
		return openArrayRows(in, format, member)
	case ".fvecs":
		return openVecs(in, dtypeOf(vector.Float32))
	case ".bvecs":
		return openVecs(in, dtypeOf(vector.Uint8))
	case ".fbin":
		return openBin(in, dtypeOf(vector.Float32))
	case ".u8bin":
		return openBin(in, dtypeOf(vector.Uint8))
	case ".i8bin":
		return openBin(in, dtypeOf(vector.Int8))
	case ".parquet":
		return openParquet(in, member)
	case ".hdf5":
		return nil, in.hdf5Error(member)
	case ".ivecs", ".ibin":
		return nil, in.caused(ErrUnsupported, -1, "format", "%s holds neighbours, not vectors", format)
	case ".roaring":
		return nil, in.caused(ErrUnsupported, -1, "format", "a bitmap holds labels, not vectors")
	}
	return nil, in.unknown(vectorExtensions)
}

// format returns the usual extension of the file's format, or "" if neither name nor content tell it.
func (in *input) format() (string, error) {
	if in.named == dataname.Text {
		return "", nil
	}
	switch ext := cmp.Or(in.named, dataname.Extension(in.file)); ext {
	case ".npy", ".npz", ".fvecs", ".bvecs", ".ivecs", ".fbin", ".u8bin", ".i8bin", ".ibin",
		".parquet", ".hdf5", ".roaring":
		return ext, nil
	case ".h5":
		return ".hdf5", nil
	}
	head, err := in.head(8)
	if err != nil {
		return "", err
	}
	for _, m := range []struct{ magic, format string }{
		{npyMagic, ".npy"}, {"PK\x03\x04", ".npz"}, {parquetMagic, ".parquet"}, {"\x89HDF\r\n\x1a\n", ".hdf5"},
	} {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			return m.format, nil
		}
	}
	return "", nil
}
