package documents

import (
	"errors"
	"io"

	"github.com/shale-search/shale/internal/datafile"
)

// parquetTable reads a Parquet file.
type parquetTable struct {
	*datafile.Table
	number int
}

func openParquet(name string) (table, error) {
	t, err := datafile.OpenTable(name)
	if err != nil {
		return nil, err
	}
	return &parquetTable{Table: t}, nil
}

func (t *parquetTable) names() []string { return t.Columns() }
func (t *parquetTable) row() int        { return t.number }
func (t *parquetTable) close() error    { return t.Close() }

func (t *parquetTable) done() float64 { return float64(t.number) / float64(max(1, t.Rows())) }

func (t *parquetTable) next() error {
	if err := t.Next(); err != nil {
		return err
	}
	t.number++
	return nil
}

func (t *parquetTable) appendJSON(b []byte, column int) ([]byte, error) {
	b, err := t.AppendJSON(b, column)
	return b, valueError(err)
}

func (t *parquetTable) vector(column int) ([]float32, error) {
	if !t.Lists(column) {
		return nil, errors.New("it holds no lists of numbers")
	}
	v, there, err := t.AppendFloats(nil, column)
	if !there {
		v = nil
	}
	return v, valueError(err)
}

// valueError returns the cause of an error of one value, which makes its row bad, and marks every other error as one of
// the file, which ends the reading.
func valueError(err error) error {
	var value *datafile.ValueError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &value):
		return value.Err
	case errors.Is(err, io.EOF):
		return fatalError{io.ErrUnexpectedEOF}
	}
	return fatalError{err}
}
