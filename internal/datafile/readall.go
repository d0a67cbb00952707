package datafile

import (
	"fmt"
	"io"

	"github.com/shale-search/shale/vector"
)

// ReadAll reads a file of vectors into memory, without converting them. See Open for the formats; pipes and "-" are
// accepted.
func ReadAll(path string) (vector.Matrix, error) {
	r, err := openReader(path)
	if err != nil {
		return vector.Matrix{}, err
	}
	defer r.Close()
	data, rows, err := readRows(r)
	if err != nil {
		return vector.Matrix{}, err
	}
	if rows == 0 && r.Dim() == 0 {
		return vector.Matrix{}, nil
	}
	m, err := vector.FromBytes(data, r.Type(), rows, r.Dim(), 0)
	if err != nil {
		return vector.Matrix{}, fmt.Errorf("dataset: %s: %w", path, err)
	}
	return m, nil
}

// readRows reads all rows. It allocates memory as rows come, since a compressed file may declare more rows than it has.
func readRows(r reader) (data []byte, rows int, err error) {
	const first = 1 << 20
	size := r.Dim() * r.Type().Size()
	for rows < r.Rows() {
		if len(data) == rows*size {
			grown := make([]byte, min(r.Rows(), max(2*rows, first/size, 1))*size)
			copy(grown, data)
			data = grown
		}
		n, err := r.Read(data[rows*size:])
		if err != nil {
			return nil, 0, err
		}
		rows += n
	}
	if _, err := r.Read(nil); err != io.EOF {
		return nil, 0, err
	}
	return data, rows, nil
}
