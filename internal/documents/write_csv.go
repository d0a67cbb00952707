package documents

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"

	"github.com/shale-search/shale/collection"
)

// csvWriter writes cells that csvTable reads as the same values.
type csvWriter struct {
	w       *csv.Writer
	columns *columnSet
	record  []string
	row     []json.RawMessage
	err     error
}

func newCSVWriter(comma rune) func(io.Writer, *columnSet) writer {
	return func(w io.Writer, columns *columnSet) writer {
		c := &csvWriter{w: csv.NewWriter(w), columns: columns}
		c.w.Comma = comma
		header := []string{columns.id.name}
		for _, v := range columns.vectors {
			header = append(header, vectorColumn(v))
		}
		for _, k := range columns.keys {
			header = append(header, k.name)
		}
		c.err = c.w.Write(header)
		return c
	}
}

func (c *csvWriter) write(d collection.Document) (err error) {
	id, err := json.Marshal(d.ID)
	if err != nil {
		return err
	}
	if c.row, err = c.columns.row(d, c.row); err != nil {
		return err
	}
	c.record = append(c.record[:0], cell(id, isID))
	for _, v := range c.columns.vectors {
		text := []byte(nil)
		if values := vectorNamed(d, v.Name); values != nil {
			if text, err = json.Marshal(values); err != nil {
				return err
			}
		}
		c.record = append(c.record, string(text))
	}
	for _, value := range c.row {
		c.record = append(c.record, cell(value, func(s string) bool { return s == "" || json.Valid([]byte(s)) }))
	}
	return errors.Join(c.err, c.w.Write(c.record))
}

// cell returns the cell of a value in JSON. A text has no quotes, unless it would be taken for something else.
func cell(value []byte, other func(string) bool) string {
	var text string
	if len(value) == 0 || value[0] != '"' || json.Unmarshal(value, &text) != nil || other(text) {
		return string(value)
	}
	return text
}

func (c *csvWriter) finish() error {
	c.w.Flush()
	return errors.Join(c.err, c.w.Error())
}
