package dataset

import (
	"bytes"
	"cmp"

	"github.com/shale-search/shale/vector"
)

// Reader streams the rows of a file in order. It isn't safe for concurrent use.
type Reader interface {
	// Rows is the number of rows that the file declares. It is checked against the file's length where the format
	// isn't compressed, and against what came where it is; a large Rows alone is no reason to allocate for it.
	Rows() int
	// Dim is the number of elements a row.
	Dim() int
	// Type is the type that Read gives. Doubles are read as Float32.
	Type() vector.Type
	// Read fills dst with as many whole rows as it holds, packed, little-endian, and returns their number. At the end
	// it returns 0 and io.EOF; where dst doesn't hold a row, io.ErrShortBuffer. After another error the reader stays
	// at it.
	Read(dst []byte) (rows int, err error)
	// ReadFloat32 is Read with the elements as float32.
	ReadFloat32(dst []float32) (rows int, err error)
	// Close frees the file.
	Close() error
}

// vectorExtensions are the extensions that Open knows, for messages.
const vectorExtensions = ".npy, .npz, .fvecs, .bvecs, .fbin, .u8bin, .i8bin or .parquet"

// Open opens a file of vectors. The format follows from the extension or else from the first bytes; a prefix of the
// path may name it, as in fvecs:PATH. The path may name a member: file.npz:name or file.parquet:column.
//
// The path - is standard input. Open reads it and pipes as a stream if the format allows that (npy, fbin, u8bin,
// i8bin); otherwise it reads them into memory first, up to 256 MiB.
func Open(path string) (Reader, error) {
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

// open takes over in where it succeeds.
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
		return nil, hdf5Error(in.origin)
	case ".ivecs", ".ibin":
		return nil, in.caused(ErrUnsupported, -1, "format", "%s holds neighbours, not vectors", format)
	case ".roaring":
		return nil, in.caused(ErrUnsupported, -1, "format", "a bitmap holds labels, not vectors")
	}
	return nil, in.unknown(vectorExtensions)
}

// format names the file's format by its usual extension, or is empty where nothing tells it.
func (in *input) format() (string, error) {
	if in.named == "."+textFormat {
		return "", nil
	}
	switch ext := cmp.Or(in.named, extension(in.file)); ext {
	case ".npy", ".npz", ".fvecs", ".bvecs", ".ivecs", ".fbin", ".u8bin", ".i8bin", ".ibin", ".parquet", ".hdf5", ".roaring":
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
