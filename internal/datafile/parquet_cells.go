package datafile

import (
	"io"

	"github.com/parquet-go/parquet-go/format"
)

// cells are the entries of a column of one type: a value or that there is none, with levels that say to which row, list
// and object it belongs.
type cells struct {
	src  *parquetSource
	node *node
	kind cellKind

	reps, defs []uint8 // of the entries of the page that was read last
	values     cellValues
	at         int   // of the entry that comes next
	value      int   // of the value that comes next
	rows       int64 // that have begun
	dict       cellValues
}

// levels say where an entry belongs.
type levels struct{ rep, def int }

// maxRowlessValues is how many entries a page may have beyond one a byte, in runs.
const maxRowlessValues = 1 << 22

func newCells(e format.SchemaElement, n *node, path string, index int) *cells {
	l := &cells{node: n, kind: kindOf(e)}
	l.src = &parquetSource{cells: l, leaf: leaf{index: index, path: path, maxRep: n.rep, maxDef: n.def}}
	return l
}

// addChunk adds the column's part of a row group.
func (l *cells) addChunk(in *input, codec *decompressor, g format.RowGroup) error {
	l.src.in, l.src.codec, l.src.origin = in, codec, origin{in.file + ":" + l.src.leaf.column()}
	c, err := l.src.chunk(g, l.src.leaf.index, in.size)
	if err != nil {
		return err
	}
	l.src.chunks = append(l.src.chunks, c)
	return nil
}

// entry returns the levels of the entry that comes next, and io.EOF after the last.
func (l *cells) entry() (levels, error) {
	for l.at == len(l.reps) {
		if err := l.load(); err != nil {
			return levels{}, err
		}
	}
	return levels{int(l.reps[l.at]), int(l.defs[l.at])}, nil
}

// load reads the next page, or ends a row group.
func (l *cells) load() (err error) {
	p := l.src
	defer p.guard(&err, "page")
	if len(p.chunks) == 0 {
		return io.EOF
	}
	c := p.chunks[0]
	if p.off == 0 {
		p.off, p.rows, l.dict = c.off, 0, cellValues{}
	}
	if p.off < c.end {
		return p.decodePage(c)
	}
	if p.rows != c.rows {
		return p.bad(c.off, "rows", "%d are in a row group whose metadata has %d: the file is damaged", p.rows, c.rows)
	}
	p.chunks, p.off = p.chunks[1:], 0
	return nil
}

// advance goes to the next entry.
func (l *cells) advance() error {
	e, err := l.entry()
	if err != nil {
		return err
	}
	if e.rep == 0 {
		l.rows++
	}
	if l.at++; e.def == l.node.def {
		l.value++
	}
	return nil
}

// toRow passes over what wasn't read of the row before. Then the next entry begins the row, or there is none.
func (l *cells) toRow(row int64) error {
	for {
		e, err := l.entry()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if l.rows > row {
			return l.src.bad(l.src.off, "levels", "those of the columns of a list disagree: the file is damaged")
		}
		if e.rep == 0 && l.rows == row {
			return nil
		}
		if err := l.advance(); err != nil {
			return err
		}
	}
}

// page takes a data page apart.
func (l *cells) page(at int64, v pageValues, c chunk) error {
	p := l.src
	if v.n > max(maxRowlessValues, len(v.data)) {
		return p.bad(at, "page values", "%d can't be in %d bytes", v.n, len(v.data))
	}
	reps, err := l.levels(at, "repetition levels", l.reps[:0], v.rep, l.node.rep, v.n)
	if err != nil {
		return err
	}
	defs, err := l.levels(at, "definition levels", l.defs[:0], v.def, l.node.def, v.n)
	if err != nil {
		return err
	}
	values := 0
	for i := range defs {
		if int(defs[i]) == l.node.def {
			values++
		}
		if reps[i] == 0 {
			p.rows++
		} else if p.rows == 0 {
			return p.bad(at, "repetition levels", "the first row has no beginning")
		}
	}
	if p.rows > c.rows {
		return p.bad(at, "rows", "there are more than the %d that the row group's metadata has", c.rows)
	}
	if l.values, err = l.decode(at, v, values); err != nil {
		return err
	}
	l.reps, l.defs, l.at, l.value = reps, defs, 0, 0
	return nil
}

// levels appends the n levels of a page.
func (l *cells) levels(at int64, field string, to []uint8, b []byte, largest, n int) ([]uint8, error) {
	err := eachLevel(b, largest, n, func(level uint32, times int) error {
		if int64(level) > int64(largest) {
			return l.src.bad(at, field, "%d is above %d", level, largest)
		}
		for range times {
			to = append(to, uint8(level))
		}
		return nil
	})
	return to, l.src.levelError(err, at, field)
}
