package documents

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/shale-search/shale/collection"
	"github.com/shale-search/shale/internal/jsonobject"
)

const (
	defaultID     = "id"
	defaultVector = "vector"
)

// mapping says which columns are the ID and vectors of a document. All others are its payload.
type mapping struct {
	id      string
	vectors map[string]string // column → name of the vector
}

// newMapping makes a mapping for the columns that there are. Without columns, which aren't known then, the columns of
// vectors have the names that are likely.
func newMapping(o Options, columns []string) (*mapping, error) {
	m := &mapping{id: cmp.Or(o.IDColumn, defaultID), vectors: map[string]string{}}
	have := func(name string) bool { return columns == nil || slices.Contains(columns, name) }
	if !have(m.id) {
		return nil, fmt.Errorf("there is no column %q of IDs: name it with --id-column, of %s", m.id, listed(columns))
	}
	named := map[string]bool{}
	for vector, column := range o.VectorColumns {
		if vector == "" && len(o.Schema.Vectors) == 1 {
			vector = o.Schema.Vectors[0].Name
		}
		if !slices.ContainsFunc(o.Schema.Vectors, func(v collection.Vector) bool { return v.Name == vector }) {
			return nil, fmt.Errorf("the collection has no vector %q, for which a column is named", vector)
		}
		if !have(column) {
			return nil, fmt.Errorf("there is no column %q of vectors, of %s", column, listed(columns))
		}
		m.vectors[column], named[vector] = vector, true
	}
	for _, v := range o.Schema.Vectors {
		if column := cmp.Or(v.Name, defaultVector); !named[v.Name] && have(column) && column != m.id {
			m.vectors[column] = v.Name
		}
	}
	if len(m.vectors) == 0 {
		return nil, fmt.Errorf("there is no column %q of vectors: name it with --vector-column, of %s",
			cmp.Or(o.Schema.Vectors[0].Name, defaultVector), listed(columns))
	}
	return m, nil
}

// listed lists names, the first few if there are many.
func listed(names []string) string {
	const shown = 12
	if len(names) > shown {
		names = append(names[:shown:shown], "…")
	}
	return strings.Join(names, ", ")
}

// table is rows of columns.
type table interface {
	names() []string
	next() error // goes to the next row; io.EOF after the last; a RowError leaves it at a row that can't be used
	row() int    // number of the row, from 1 on
	// appendJSON and vector read a column of the row, in the order of columns. A value that isn't there is null, or nil.
	appendJSON(b []byte, column int) ([]byte, error)
	vector(column int) ([]float32, error)
	done() float64
	close() error
}

// mapper makes documents of the rows of a table.
type mapper struct {
	name string
	table
	m     *mapping
	names []string
	json  []byte
}

func newMapper(name string, o Options, open func() (table, error)) (Reader, error) {
	t, err := open()
	if err != nil {
		return nil, err
	}
	m, err := newMapping(o, t.names())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), t.close())
	}
	return &mapper{name: name, table: t, m: m, names: t.names()}, nil
}

func (m *mapper) Row() int      { return m.row() }
func (m *mapper) Done() float64 { return m.done() }
func (m *mapper) Close() error  { return m.close() }

func (m *mapper) Skip(row int) error {
	for m.row() < row {
		if err := m.next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil && !errors.As(err, new(*RowError)) {
			return err
		}
	}
	return nil
}

func (m *mapper) Next() (d collection.Document, err error) {
	if err := m.next(); err != nil {
		return d, err
	}
	if err = m.document(&d); err != nil && !fatal(err) {
		err = &RowError{m.row(), err}
	}
	return d, err
}

func (m *mapper) document(d *collection.Document) error {
	found := false
	payload := []byte("{")
	for i, name := range m.names {
		if vector, ok := m.m.vectors[name]; ok {
			v, err := m.vector(i)
			if err != nil {
				return inColumn(name, err)
			}
			if v != nil && d.Vectors == nil {
				d.Vectors = map[string][]float32{}
			}
			if v != nil {
				d.Vectors[vector] = v
			}
			continue
		}
		var err error
		if m.json, err = m.appendJSON(m.json[:0], i); err != nil {
			return inColumn(name, err)
		}
		if string(m.json) == "null" {
			continue
		}
		if name == m.m.id {
			found = true
			if err := d.ID.UnmarshalJSON(m.json); err != nil {
				return inColumn(name, err)
			}
			continue
		}
		payload = appendMember(payload, name, m.json)
	}
	if !found {
		return fmt.Errorf("column %s: there is no ID", m.m.id)
	}
	if len(payload) > 1 {
		d.Payload = append(payload, '}')
	}
	return nil
}

// appendMember appends a key to an object whose end isn't written yet.
func appendMember(b []byte, name string, value []byte) []byte {
	if len(b) > 1 {
		b = append(b, ',')
	}
	return append(append(jsonobject.AppendText(b, name), ':'), value...)
}

// fatalError is an error after which nothing more can be read.
type fatalError struct{ error }

func (e fatalError) Unwrap() error { return e.error }

func fatal(err error) bool { return errors.As(err, new(fatalError)) }

func inColumn(name string, err error) error {
	if fatal(err) {
		return err
	}
	return fmt.Errorf("column %s: %w", name, err)
}
