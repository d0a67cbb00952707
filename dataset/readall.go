package dataset

import (
	"fmt"
	"io"

	"github.com/shale-search/shale/vector"
)

// ReadAll reads a file of vectors into memory, in the file's own type.
func ReadAll(path string) (vector.Matrix, error) {
	r, err := Open(path)
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

// readRows reads all rows. Memory is asked for as rows come: a compressed file may declare what it doesn't hold.
func readRows(r Reader) (data []byte, rows int, err error) {
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
