package documents

import (
	"encoding/json"
	"io"
	"strconv"

	"github.com/parquet-go/parquet-go"

	"github.com/shale-search/shale/collection"
)

// rowGroupBytes is how much a row group holds. The library keeps one in memory, at several times its size.
const rowGroupBytes = 8 << 20

// parquetWriter writes a table of columns, in the order of their names as the library has them.
type parquetWriter struct {
	w       *parquet.GenericWriter[any]
	columns *columnSet
	place   map[string]int // of a column, by name
	values  [][]parquet.Value
	row     []json.RawMessage
	bytes   int // in the open row group
}

// node returns the type of a column.
func (c *column) node() parquet.Node {
	switch c.kind {
	case boolValues:
		return parquet.Leaf(parquet.BooleanType)
	case wholeValues:
		return parquet.Int(64)
	case numberValues:
		return parquet.Leaf(parquet.DoubleType)
	case jsonValues:
		return parquet.JSON()
	}
	return parquet.String()
}

func newParquetWriter(w io.Writer, columns *columnSet) writer {
	group := parquet.Group{columns.id.name: columns.idNode()}
	for _, v := range columns.vectors {
		// Vectors don't shrink by what Parquet offers.
		leaf := parquet.Compressed(parquet.Encoded(parquet.Leaf(parquet.FloatType), &parquet.Plain), &parquet.Uncompressed)
		group[vectorColumn(v)] = parquet.Optional(parquet.List(leaf))
	}
	for _, k := range columns.keys {
		group[k.name] = parquet.Optional(k.node())
	}
	schema := parquet.NewSchema("documents", group)
	p := &parquetWriter{
		w:       parquet.NewGenericWriter[any](w, schema, parquet.Compression(&parquet.Snappy)),
		columns: columns, place: map[string]int{}, values: make([][]parquet.Value, len(schema.Columns())),
	}
	for i, path := range schema.Columns() {
		p.place[path[0]] = i
	}
	return p
}

// idNode returns the type of the IDs: numbers, texts, or JSON if there are both.
func (s *columnSet) idNode() parquet.Node {
	switch {
	case s.id.numbers:
		return parquet.Uint(64)
	case s.id.kind == textValues || s.id.kind == noValues:
		return parquet.String()
	}
	return parquet.JSON()
}

func (p *parquetWriter) write(d collection.Document) (err error) {
	if p.row, err = p.columns.row(d, p.row); err != nil {
		return err
	}
	id, err := json.Marshal(d.ID)
	if err != nil {
		return err
	}
	if err := p.writeID(id); err != nil {
		return err
	}
	for _, v := range p.columns.vectors {
		p.writeVector(p.place[vectorColumn(v)], vectorNamed(d, v.Name))
	}
	for i, value := range p.row {
		k := &p.columns.keys[i]
		if err := p.writeValue(p.place[k.name], k.kind, value); err != nil {
			return err
		}
	}
	if _, err := p.w.WriteRows([]parquet.Row{parquet.MakeRow(p.values...)}); err != nil {
		return err
	}
	if p.bytes += len(id) + len(d.Payload); p.bytes < rowGroupBytes {
		return nil
	}
	p.bytes = 0
	return p.w.Flush()
}

func (p *parquetWriter) writeID(id []byte) error {
	at := p.place[p.columns.id.name]
	value := parquet.ByteArrayValue(id)
	switch {
	case p.columns.id.numbers:
		n, err := strconv.ParseUint(string(id), 10, 64)
		if err != nil {
			return err
		}
		value = parquet.Int64Value(int64(n))
	case p.columns.id.kind == textValues:
		var text string
		if err := json.Unmarshal(id, &text); err != nil {
			return err
		}
		value = parquet.ByteArrayValue([]byte(text))
	}
	p.values[at] = append(p.values[at][:0], value.Level(0, 0, at))
	return nil
}

// writeVector writes a list of numbers, or that there is none.
func (p *parquetWriter) writeVector(at int, v []float32) {
	const none, element = 0, 2 // definition levels
	p.bytes += 4 * len(v)
	p.values[at] = p.values[at][:0]
	for i, x := range v {
		p.values[at] = append(p.values[at], parquet.FloatValue(x).Level(min(i, 1), element, at))
	}
	if v == nil {
		p.values[at] = append(p.values[at], parquet.NullValue().Level(0, none, at))
	}
}

func (p *parquetWriter) writeValue(at int, kind columnKind, text []byte) error {
	value, err := parquetValue(kind, text)
	if err != nil {
		return err
	}
	defined := 1
	if text == nil {
		defined = 0
	}
	p.values[at] = append(p.values[at][:0], value.Level(0, defined, at))
	return nil
}

// parquetValue returns the value of a text in JSON.
func parquetValue(kind columnKind, text []byte) (parquet.Value, error) {
	if text == nil {
		return parquet.NullValue(), nil
	}
	switch kind {
	case boolValues:
		return parquet.BooleanValue(text[0] == 't'), nil
	case wholeValues:
		n, err := strconv.ParseInt(string(text), 10, 64)
		return parquet.Int64Value(n), err
	case numberValues:
		f, err := strconv.ParseFloat(string(text), 64)
		return parquet.DoubleValue(f), err
	case textValues:
		var s string
		err := json.Unmarshal(text, &s)
		return parquet.ByteArrayValue([]byte(s)), err
	}
	return parquet.ByteArrayValue(text), nil
}

func (p *parquetWriter) finish() error { return p.w.Close() }
