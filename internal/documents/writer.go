package documents

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/shale-search/shale/collection"
	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/dataname"
)

// Source calls each pass with all documents that are to be written, in the same order. Collection.Walk is one.
type Source func(passes ...func(collection.Document) error) error

// writer writes documents to an open file.
type writer interface {
	write(collection.Document) error
	finish() error
}

// Write writes documents to a file in the format of its extension: .jsonl, .csv, .tsv or .parquet. The file appears
// whole or not at all. The name "-" means JSON lines on standard output. JSON lines hold documents as they are. Tables
// have a column for the ID, for each vector and for each key of the payloads; a column whose values differ in type
// holds JSON. A key named as the column of the ID or of a vector gets a column payload.KEY.
func Write(name string, stdout io.Writer, s collection.Schema, from Source) error {
	ext, file := formatOf(name)
	open := map[string]func(io.Writer, *columnSet) writer{
		".csv": newCSVWriter(','), ".tsv": newCSVWriter('\t'), ".parquet": newParquetWriter,
	}[ext]
	switch {
	case file == dataname.Stdin:
		return writeLines(stdout, from)
	case ext == ".jsonl" || ext == ".ndjson":
		return atomicfile.Write(file, func(w io.Writer) error { return writeLines(w, from) })
	case open == nil:
		return fmt.Errorf("%s: documents are written to .jsonl, .csv, .tsv or .parquet", name)
	}
	return atomicfile.Write(file, func(w io.Writer) error { return writeTable(w, s, open, from) })
}

// writeTable finds out in a first pass which columns there are, and writes the rows in a second one.
func writeTable(w io.Writer, s collection.Schema, open func(io.Writer, *columnSet) writer, from Source) error {
	columns := newColumnSet(s)
	var to writer
	begin := func() {
		if to == nil {
			columns.settle()
			to = open(w, columns)
		}
	}
	err := from(columns.add, func(d collection.Document) error {
		begin()
		return to.write(d)
	})
	if err != nil {
		return err
	}
	begin() // without documents
	return to.finish()
}

// writeLines writes JSON lines.
func writeLines(w io.Writer, from Source) error {
	b := bufio.NewWriterSize(w, 64<<10)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	return errors.Join(from(func(d collection.Document) error { return e.Encode(d) }), b.Flush())
}

// vectorNamed returns a vector of a document, or nil.
func vectorNamed(d collection.Document, name string) []float32 {
	if name == "" {
		return d.Vector
	}
	return d.Vectors[name]
}
