package datafile

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/parquet-go/parquet-go"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/dataname"
)

// ResultFormats are the extensions of files that results are written to. All but .npz hold a row for each result.
var ResultFormats = []string{".npz", ".csv", ".tsv", ".jsonl", ".parquet"}

// ResultRow is one neighbour of a query.
type ResultRow struct {
	Query    int64   `json:"query" parquet:"query"` // its number, from 0 on
	Rank     int64   `json:"rank" parquet:"rank"`   // from 1 on
	Label    uint64  `json:"label" parquet:"label"`
	Distance float32 `json:"distance" parquet:"distance"`
}

// rowEncoder writes results to an open file.
type rowEncoder interface {
	write([]ResultRow) error
	finish() error
}

// WriteResultRows writes results as a table of one of ResultFormats but .npz. fill calls put with the next results. The
// file appears once fill has returned without an error, or not at all.
func WriteResultRows(path string, fill func(put func([]ResultRow) error) error) error {
	open := map[string]func(io.Writer) rowEncoder{
		".csv": newCellRows(','), ".tsv": newCellRows('\t'), ".jsonl": newLineRows, ".parquet": newParquetRows,
	}[dataname.OutputFormat(path)]
	if open == nil {
		return fmt.Errorf("dataset: %s: %w: rows of results are written as .csv, .tsv, .jsonl or .parquet",
			path, ErrUnknownFormat)
	}
	_, file := dataname.SplitFormat(path)
	return atomicfile.Write(file, func(w io.Writer) error {
		e := open(w)
		if err := fill(e.write); err != nil {
			return err
		}
		return e.finish()
	})
}

// cellRows writes lines of cells.
type cellRows struct {
	w    *bufio.Writer
	line []byte
	sep  byte
}

func newCellRows(sep byte) func(io.Writer) rowEncoder {
	return func(w io.Writer) rowEncoder {
		c := &cellRows{w: bufio.NewWriterSize(w, blockSize), sep: sep}
		fmt.Fprintf(c.w, "query%crank%clabel%cdistance\n", sep, sep, sep) // an error comes again when it is flushed
		return c
	}
}

func (c *cellRows) write(rows []ResultRow) error {
	for _, r := range rows {
		c.line = append(strconv.AppendInt(c.line[:0], r.Query, 10), c.sep)
		c.line = append(strconv.AppendInt(c.line, r.Rank, 10), c.sep)
		c.line = append(strconv.AppendUint(c.line, r.Label, 10), c.sep)
		c.line = append(strconv.AppendFloat(c.line, float64(r.Distance), 'g', -1, 32), '\n')
		if _, err := c.w.Write(c.line); err != nil {
			return err
		}
	}
	return nil
}

func (c *cellRows) finish() error { return c.w.Flush() }

// lineRows writes JSON lines.
type lineRows struct {
	w *bufio.Writer
	e *json.Encoder
}

func newLineRows(w io.Writer) rowEncoder {
	b := bufio.NewWriterSize(w, blockSize)
	return &lineRows{b, json.NewEncoder(b)}
}

func (l *lineRows) write(rows []ResultRow) error {
	for i := range rows {
		if err := l.e.Encode(&rows[i]); err != nil {
			return err
		}
	}
	return nil
}

func (l *lineRows) finish() error { return l.w.Flush() }

// parquetRows writes a table of four columns.
type parquetRows struct {
	w     *parquet.GenericWriter[ResultRow]
	group int // rows in the open row group
}

// parquetGroupRows is how many results a row group holds; the library keeps one in memory.
const parquetGroupRows = 256 << 10

func newParquetRows(w io.Writer) rowEncoder {
	return &parquetRows{w: parquet.NewGenericWriter[ResultRow](w, parquet.Compression(&parquet.Snappy))}
}

func (p *parquetRows) write(rows []ResultRow) error {
	if _, err := p.w.Write(rows); err != nil {
		return err
	}
	if p.group += len(rows); p.group < parquetGroupRows {
		return nil
	}
	p.group = 0
	return p.w.Flush()
}

func (p *parquetRows) finish() error { return p.w.Close() }
