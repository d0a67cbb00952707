package documents

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/shale-search/shale/collection"
	"github.com/shale-search/shale/internal/datafile"
	"github.com/shale-search/shale/vector"
)

// blockRows is how many vectors are read at once.
const blockRows = 256

// vectors reads a file of vectors, with files of their IDs and payloads beside it.
type vectors struct {
	file    *datafile.File
	name    string // of the vector
	ids     []uint64
	first   uint64
	payload table
	idAt    int // the payload's column of IDs, or -1
	columns []string
	json    []byte

	block     []byte
	rows      vector.Matrix
	at, count int // of the block
	number    int
}

func openVectors(name string, o Options) (Reader, error) {
	file, err := datafile.OpenOnce(name)
	if err != nil {
		return nil, err
	}
	v := &vectors{file: file, first: o.FirstID, idAt: -1}
	if err := v.open(name, o); err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

func (v *vectors) open(name string, o Options) (err error) {
	if v.name, err = vectorOf(o); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if o.IDs != "" {
		if v.ids, err = datafile.ReadLabels(o.IDs); err != nil {
			return err
		}
		if len(v.ids) != v.file.Rows() {
			return fmt.Errorf("%s: %d IDs for the %d vectors of %s", o.IDs, len(v.ids), v.file.Rows(), name)
		}
	}
	if o.Payload != "" {
		if err := v.openPayload(o); err != nil {
			return err
		}
	}
	v.block = make([]byte, blockRows*v.file.Dim()*v.file.Type().Size())
	return nil
}

// vectorOf returns the vector of the collection that a file of vectors holds.
func vectorOf(o Options) (string, error) {
	if len(o.Schema.Vectors) == 1 {
		return o.Schema.Vectors[0].Name, nil
	}
	if len(o.VectorColumns) == 1 {
		for name := range o.VectorColumns {
			return name, nil
		}
	}
	return "", errors.New("the collection has several vectors: name the one that the file holds, " +
		"as in --vector-column NAME=file")
}

func (v *vectors) openPayload(o Options) (err error) {
	ext, file := formatOf(o.Payload)
	switch {
	case ext == ".csv" || ext == ".tsv":
		v.payload, err = openCSV(file, ext, o)
	case datafile.IsParquet(file):
		v.payload, err = openParquet(file)
	default:
		return fmt.Errorf("%s: payloads are read from .csv, .tsv or .parquet", o.Payload)
	}
	if err != nil {
		return err
	}
	v.columns = v.payload.names()
	if o.IDs != "" {
		return nil
	}
	for i, name := range v.columns {
		if name == o.IDColumn || o.IDColumn == "" && name == defaultID {
			v.idAt = i
		}
	}
	if v.idAt < 0 && o.IDColumn != "" {
		return fmt.Errorf("%s: there is no column %q of IDs, of %s", o.Payload, o.IDColumn, listed(v.columns))
	}
	return nil
}

func (v *vectors) Row() int           { return v.number }
func (v *vectors) Done() float64      { return float64(v.number) / float64(max(1, v.file.Rows())) }
func (v *vectors) Skip(row int) error { return skip(v, row) }

func (v *vectors) Close() error {
	if v.payload == nil {
		return v.file.Close()
	}
	return errors.Join(v.payload.close(), v.file.Close())
}

func (v *vectors) Next() (d collection.Document, err error) {
	if v.at == v.count {
		if v.count, err = v.file.Read(v.block); err != nil {
			return d, v.end(err)
		}
		v.at = 0
		if v.rows, err = vector.FromBytes(v.block, v.file.Type(), v.count, v.file.Dim(), 0); err != nil {
			return d, err
		}
	}
	values := make([]float32, v.file.Dim())
	v.rows.Decode(v.at, values)
	d.Vectors = map[string][]float32{v.name: values}
	d.ID = collection.NumberID(v.first + uint64(v.number))
	if v.ids != nil {
		d.ID = collection.NumberID(v.ids[v.number])
	}
	v.at++
	v.number++
	if v.payload == nil {
		return d, nil
	}
	return d, v.addPayload(&d)
}

// end checks that the payload's rows end with the vectors.
func (v *vectors) end(err error) error {
	if !errors.Is(err, io.EOF) || v.payload == nil {
		return err
	}
	if next := v.payload.next(); !errors.Is(next, io.EOF) {
		return fmt.Errorf("the file of payloads has more rows than the %d vectors", v.number)
	}
	return io.EOF
}

func (v *vectors) addPayload(d *collection.Document) error {
	if err := v.payload.next(); errors.Is(err, io.EOF) {
		return fmt.Errorf("the file of payloads has %d rows, fewer than the %d vectors", v.number-1, v.file.Rows())
	} else if err != nil {
		return err
	}
	payload := []byte("{")
	for i, name := range v.columns {
		var err error
		if v.json, err = v.payload.appendJSON(v.json[:0], i); err != nil {
			if fatal(err) {
				return err
			}
			return &RowError{v.number, inColumn(name, err)}
		}
		if i == v.idAt {
			if err := json.Unmarshal(v.json, &d.ID); err != nil {
				return &RowError{v.number, inColumn(name, err)}
			}
			continue
		}
		if string(v.json) != "null" {
			payload = appendMember(payload, name, v.json)
		}
	}
	if len(payload) > 1 {
		d.Payload = append(payload, '}')
	}
	return nil
}
