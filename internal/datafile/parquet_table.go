package datafile

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/parquet-go/parquet-go/format"

	"github.com/shale-search/shale/internal/dataname"
)

// Table reads the rows of a Parquet file of columns of any types in their order. It isn't safe for concurrent use.
type Table struct {
	in      *input
	columns []*node // of the table: numbers, texts, lists, objects
	leaves  []*cells
	codec   decompressor // of all columns
	rows    int64
	next    int64 // number of the row after the current one
	err     error
}

// IsParquet reports whether a name is that of a Parquet file by its extension, by its format or by its first bytes. It
// doesn't read pipes.
func IsParquet(path string) bool {
	format, file, _ := dataname.Split(path)
	if format != "" || dataname.Extension(file) == ".parquet" || dataname.IsPipe(path) {
		return format == ".parquet" || format == "" && dataname.Extension(file) == ".parquet"
	}
	in, _, err := openInput(path)
	if err != nil {
		return false
	}
	defer in.f.Close()
	found, err := in.format()
	return err == nil && found == ".parquet"
}

// OpenTable opens a Parquet file. The caller must close the table.
func OpenTable(path string) (*Table, error) {
	in, member, err := openInput(path)
	if err != nil {
		return nil, err
	}
	t := &Table{in: in}
	if member != "" {
		err = fmt.Errorf("dataset: %s: name the file without a column", path)
	} else {
		err = t.open()
	}
	if err != nil {
		return nil, errors.Join(err, in.f.Close())
	}
	return t, nil
}

func (t *Table) open() error {
	if err := t.in.whole("parquet"); err != nil {
		return err
	}
	meta, err := parquetMeta(t.in)
	if err != nil {
		return err
	}
	if t.columns, t.leaves, err = tree(meta.Schema); err != nil {
		return t.in.caused(err, -1, "schema", "can't be used")
	}
	if len(t.leaves) == 0 && meta.NumRows != 0 {
		return t.in.bad(-1, "rows", "%d, and there is no column", meta.NumRows)
	}
	for i, g := range meta.RowGroups {
		if g.NumRows == 0 {
			continue // writers leave its offsets unset
		}
		if t.rows += g.NumRows; g.NumRows < 0 || t.rows > math.MaxInt64/(maxDim*8) {
			return t.in.bad(-1, "row group rows", "%d by group %d can't be", t.rows, i)
		}
		for _, l := range t.leaves {
			if err := l.addChunk(t.in, &t.codec, g); err != nil {
				return err
			}
		}
	}
	if t.rows != meta.NumRows {
		return t.in.bad(-1, "rows", "%d, but the row groups have %d: the file is damaged", meta.NumRows, t.rows)
	}
	return nil
}

// Rows returns the number of rows that the file declares.
func (t *Table) Rows() int { return int(t.rows) }

// Columns returns the names of the columns.
func (t *Table) Columns() []string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	return names
}

// Lists reports whether a column holds lists of numbers.
func (t *Table) Lists(column int) bool { return t.columns[column].numbers() != nil }

// Next goes to the next row, of which each column can be read once. It returns io.EOF after the last.
func (t *Table) Next() error {
	if t.err != nil {
		return t.err
	}
	for _, l := range t.leaves {
		if t.err = l.toRow(t.next); t.err != nil {
			return t.err
		}
	}
	if t.next == t.rows {
		t.err = io.EOF
		return t.err
	}
	t.next++
	return nil
}

// AppendJSON appends the value of a column to b as JSON. A value that isn't there is null. Texts that aren't UTF-8 and
// numbers that JSON doesn't know are a ValueError; the next column can be read.
func (t *Table) AppendJSON(b []byte, column int) (_ []byte, err error) {
	c := t.columns[column]
	start := len(b)
	if b, err = c.appendJSON(b); err != nil {
		return b[:start], t.failed(err)
	}
	return b, nil
}

// failed keeps an error after which no more can be read.
func (t *Table) failed(err error) error {
	if errors.Is(err, io.EOF) {
		err = t.in.caused(io.ErrUnexpectedEOF, -1, "values", "there are fewer than the metadata's rows: the file is damaged")
	}
	if err != nil && !errors.As(err, new(*ValueError)) {
		t.err = err
	}
	return err
}

// AppendFloats appends the numbers of a list to f. It reports whether there is a list.
func (t *Table) AppendFloats(f []float32, column int) (_ []float32, there bool, err error) {
	c := t.columns[column]
	n := c.numbers()
	if n == nil {
		return f, false, &ValueError{c.name, errors.New("it isn't a list of numbers")}
	}
	f, there, err = n.appendFloats(f, c)
	return f, there, t.failed(err)
}

// Close closes the file.
func (t *Table) Close() error {
	t.codec.close()
	return t.in.f.Close()
}

// ValueError says what is wrong with one value of a table.
type ValueError struct {
	Column string
	Err    error
}

// Error implements error.
func (e *ValueError) Error() string { return fmt.Sprintf("column %s: %v", e.Column, e.Err) }

// Unwrap returns the cause.
func (e *ValueError) Unwrap() error { return e.Err }

// node is a column, or a part of one that holds objects or lists.
type node struct {
	name     string
	repeated bool
	optional bool
	list     bool // a group around a repeated node, which is the list's elements
	mapping  bool // the same, whose elements are pairs of a key and a value
	def, rep int  // the largest levels at this node
	children []*node
	leaf     *cells // nil for a group
}

// tree parses a schema, which is a tree written depth first.
func tree(schema []format.SchemaElement) (columns []*node, all []*cells, err error) {
	if len(schema) == 0 {
		return nil, nil, errSchema
	}
	next := 1
	var walk func(children int32, above *node, path string, depth int) error
	walk = func(children int32, above *node, path string, depth int) error {
		for range children {
			if next >= len(schema) || depth > maxSchemaDepth {
				return errSchema
			}
			e := schema[next]
			next++
			n := above.child(e)
			at := path + e.Name
			if below, ok := e.NumChildren.Get(); ok && !e.Type.Valid {
				if below < 1 {
					return errSchema
				}
				if err := walk(below, n, at+".", depth+1); err != nil {
					return err
				}
				n.list = len(n.children) == 1 && n.children[0].repeated && isList(e)
				n.mapping = len(n.children) == 1 && n.children[0].repeated && len(n.children[0].children) == 2 && isMap(e)
				continue
			}
			n.leaf = newCells(e, n, at, len(all))
			all = append(all, n.leaf)
		}
		return nil
	}
	root := &node{}
	below, _ := schema[0].NumChildren.Get()
	if err := walk(below, root, "", 0); err != nil {
		return nil, nil, err
	}
	if next != len(schema) {
		return nil, nil, errSchema
	}
	return root.children, all, nil
}

// child adds a node below n.
func (n *node) child(e format.SchemaElement) *node {
	c := &node{name: e.Name, def: n.def, rep: n.rep}
	switch r, _ := e.RepetitionType.Get(); r {
	case format.Repeated:
		c.repeated = true
		c.rep++
		c.def++
	case format.Optional:
		c.optional = true
		c.def++
	}
	n.children = append(n.children, c)
	return c
}

// element returns what the elements of a list are. Writers wrap it in a group of one, unless it is a group itself.
func (n *node) element() *node {
	e := n.children[0]
	if e.leaf == nil && len(e.children) == 1 && slices.Contains([]string{"list", "bag", "element_list"}, e.name) {
		return e.children[0]
	}
	return e
}

// numbers returns the elements of a column that holds lists of numbers, nil for others.
func (n *node) numbers() *cells {
	switch {
	case n.repeated && n.leaf != nil && n.leaf.number():
		return n.leaf
	case n.list:
		if e := n.element(); e.leaf != nil && e.leaf.number() && e.rep == n.rep+1 {
			return e.leaf
		}
	}
	return nil
}

// first returns the first column of numbers or texts at or below n.
func (n *node) first() *cells {
	for n.leaf == nil {
		n = n.children[0]
	}
	return n.leaf
}

// skip passes over the present entry of every column below n: all of them stand for the same missing value.
func (n *node) skip() error {
	if n.leaf != nil {
		return n.leaf.advance()
	}
	for _, c := range n.children {
		if err := c.skip(); err != nil {
			return err
		}
	}
	return nil
}
