package documents

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/shale-search/shale/collection"
	"github.com/shale-search/shale/internal/jsonobject"
)

// csvTable reads CSV whose first row has the names of the columns. A cell that is JSON is taken as that, an empty one
// as nothing, and any other one as a text.
type csvTable struct {
	in     *input
	r      *csv.Reader
	header []string
	text   []bool // of each column: cells are texts, whatever they look like
	id     int    // the column of IDs, or -1
	record []string
	number int
}

func openCSV(name, ext string, o Options) (table, error) {
	in, err := openInput(name)
	if err != nil {
		return nil, err
	}
	t := &csvTable{in: in, r: csv.NewReader(withoutMark(in))}
	t.r.ReuseRecord = true
	if ext == ".tsv" {
		t.r.Comma = '\t'
	}
	if err := t.readHeader(o); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", in.name, err), in.Close())
	}
	return t, nil
}

func (t *csvTable) readHeader(o Options) error {
	header, err := t.r.Read()
	if errors.Is(err, io.EOF) {
		return errors.New("the file is empty: its first row has the names of the columns")
	}
	if err != nil {
		return fmt.Errorf("the names of the columns, in the first row: %w", err)
	}
	t.header = slices.Clone(header)
	seen := map[string]bool{}
	for _, name := range t.header {
		switch {
		case !utf8.ValidString(name):
			return fmt.Errorf("the name of a column, %q, isn't valid UTF-8", name)
		case seen[name]:
			return fmt.Errorf("two columns have the name %q", name)
		}
		seen[name] = true
	}
	t.id = slices.Index(t.header, cmp.Or(o.IDColumn, defaultID))
	t.text = make([]bool, len(t.header))
	for _, name := range o.TextColumns {
		at := slices.Index(t.header, name)
		if at < 0 {
			return fmt.Errorf("there is no column %q of texts, of %s", name, listed(t.header))
		}
		t.text[at] = true
	}
	return nil
}

func (t *csvTable) names() []string { return t.header }
func (t *csvTable) row() int        { return t.number }
func (t *csvTable) done() float64   { return t.in.done() }
func (t *csvTable) close() error    { return t.in.Close() }

func (t *csvTable) next() (err error) {
	t.in.beginRow()
	t.record, err = t.r.Read()
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	t.number++
	var bad *csv.ParseError
	switch {
	case errors.Is(err, errLongRow):
		return fmt.Errorf("%s: row %d: %w", t.in.name, t.number, err)
	case errors.As(err, &bad) && errors.Is(err, csv.ErrFieldCount):
		err := fmt.Errorf("line %d: it has %d cells, not %d", bad.StartLine, len(t.record), len(t.header))
		return &RowError{t.number, err}
	case errors.As(err, &bad):
		return &RowError{t.number, err}
	case err != nil:
		return fmt.Errorf("%s: row %d: %w", t.in.name, t.number, err)
	}
	return nil
}

func (t *csvTable) appendJSON(b []byte, column int) ([]byte, error) {
	cell := t.record[column]
	switch {
	case cell == "" && !t.text[column]:
		return append(b, "null"...), nil
	case !utf8.ValidString(cell):
		return b, errors.New("it isn't valid UTF-8")
	case column == t.id && !isID(cell):
	case !t.text[column] && json.Valid([]byte(cell)):
		return append(b, strings.TrimSpace(cell)...), nil
	}
	return jsonobject.AppendText(b, cell), nil
}

// isID reports whether a cell is an ID in JSON: a whole number or a string in quotes.
func isID(cell string) bool {
	var id collection.ID
	return json.Valid([]byte(cell)) && id.UnmarshalJSON([]byte(cell)) == nil
}

// vector reads a JSON array, or numbers between spaces or commas.
func (t *csvTable) vector(column int) ([]float32, error) {
	cell := strings.TrimSpace(t.record[column])
	cell = strings.TrimSuffix(strings.TrimPrefix(cell, "["), "]")
	words := strings.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune(" ,;\t\r\n", r) })
	if len(words) == 0 {
		return nil, nil
	}
	v := make([]float32, len(words))
	for i, word := range words {
		f, err := strconv.ParseFloat(word, 32)
		if err != nil || math.IsNaN(f) {
			return nil, fmt.Errorf("value %d, %.40q, isn't a number that float32 holds", i, word)
		}
		v[i] = float32(f)
	}
	return v, nil
}
