package documents

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/shale-search/shale/collection"
	"github.com/shale-search/shale/internal/jsonobject"
)

// columnKind is the type that all values of a column have.
type columnKind int

const (
	noValues columnKind = iota
	boolValues
	wholeValues // that fit int64
	numberValues
	textValues
	jsonValues // of different types, objects or arrays
)

// mostColumns is how many keys a table may have.
const mostColumns = 2000

// column is a column of a table for a key of payloads.
type column struct {
	key, name string
	kind      columnKind
	large     bool // there is a whole number that float64 doesn't hold exactly
	numbers   bool // of IDs: all are numbers
}

// columnSet is the columns of a table.
type columnSet struct {
	id      column
	vectors []collection.Vector
	keys    []column
	places  map[string]int // of the columns of keys
}

func newColumnSet(s collection.Schema) *columnSet {
	return &columnSet{id: column{name: defaultID}, vectors: s.Vectors, places: map[string]int{}}
}

// vectorColumn is the name of a vector's column.
func vectorColumn(v collection.Vector) string { return cmp.Or(v.Name, defaultVector) }

// add takes the keys of a document into account.
func (s *columnSet) add(d collection.Document) error {
	id, err := json.Marshal(d.ID)
	if err != nil {
		return err
	}
	s.id.numbers = id[0] != '"' && (s.id.numbers || s.id.kind == noValues)
	s.id.add(id)
	if d.Payload == nil {
		return nil
	}
	members, err := jsonobject.Members(d.Payload)
	if err != nil {
		return err
	}
	for _, m := range members {
		at, ok := s.places[m.Key]
		if !ok {
			if at = len(s.keys); at == mostColumns {
				return fmt.Errorf("the payloads have more than %d different keys: write JSON lines", mostColumns)
			}
			s.places[m.Key] = at
			s.keys = append(s.keys, column{key: m.Key, name: m.Key})
		}
		s.keys[at].add(m.Value)
	}
	return nil
}

// settle gives every column a name of its own.
func (s *columnSet) settle() {
	taken := map[string]bool{s.id.name: true}
	for _, v := range s.vectors {
		taken[vectorColumn(v)] = true
	}
	for i := range s.keys {
		for taken[s.keys[i].name] {
			s.keys[i].name = "payload." + s.keys[i].name
		}
		taken[s.keys[i].name] = true
	}
}

// add makes a column's kind wide enough for a value.
func (c *column) add(value []byte) {
	kind, large := kindOfValue(value)
	c.large = c.large || large
	switch {
	case kind == noValues || kind == c.kind:
	case c.kind == noValues:
		c.kind = kind
	case (kind == wholeValues || kind == numberValues) && (c.kind == wholeValues || c.kind == numberValues):
		c.kind = numberValues
	default:
		c.kind = jsonValues
	}
	if c.kind == numberValues && c.large {
		c.kind = jsonValues
	}
}

// kindOfValue returns the kind of a value in JSON, and whether it is a number that float64 doesn't hold.
func kindOfValue(value []byte) (kind columnKind, large bool) {
	switch value[0] {
	case 'n':
		return noValues, false
	case 't', 'f':
		return boolValues, false
	case '"':
		return textValues, false
	case '{', '[':
		return jsonValues, false
	}
	const exact = 1 << 53
	if n, err := strconv.ParseInt(string(value), 10, 64); err == nil {
		return wholeValues, n > exact || n < -exact
	}
	if _, err := strconv.ParseUint(string(value), 10, 64); err == nil {
		return jsonValues, true
	}
	return numberValues, false
}

// row returns the values of a document's payload in the order of the columns; nil where there is none.
func (s *columnSet) row(d collection.Document, row []json.RawMessage) ([]json.RawMessage, error) {
	row = append(row[:0], make([]json.RawMessage, len(s.keys))...)
	if d.Payload == nil {
		return row, nil
	}
	members, err := jsonobject.Members(d.Payload)
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		if at, ok := s.places[m.Key]; ok && string(m.Value) != "null" {
			row[at] = m.Value
		}
	}
	return row, nil
}
