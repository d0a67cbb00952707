// Package documents reads files of documents for a collection: JSON lines, CSV, Parquet and files of vectors, row by
// row.
package documents

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/shale-search/shale/collection"
	"github.com/shale-search/shale/internal/datafile"
	"github.com/shale-search/shale/internal/dataname"
)

// Options says how the rows of a file become documents.
type Options struct {
	Schema collection.Schema

	IDColumn      string            // column or key of the IDs; default "id"
	VectorColumns map[string]string // name of a vector → its column or key; default: its name, or "vector"
	TextColumns   []string          // columns of CSV whose cells are texts, whatever they look like

	// Files beside a file of vectors, which has nothing else.
	IDs     string // integers, in any form of labels; empty: the IDs are numbers from FirstID on, or a column of Payload
	Payload string // JSON lines, CSV or Parquet, a row for each vector
	FirstID uint64
}

// columns reports whether columns or keys were named. Then each line of JSON is an object of columns.
func (o *Options) columns() bool { return o.IDColumn != "" || len(o.VectorColumns) > 0 }

// Reader gives out the documents of a file.
type Reader interface {
	// Next returns the next document. It returns a RowError for a row that can't be used, after which the next one can be
	// read, and io.EOF after the last.
	Next() (collection.Document, error)
	// Row returns the number of the row that Next returned last, from 1 on; in text it is that of the line.
	Row() int
	// Skip passes over rows until that of a number, so that Next returns the one after it.
	Skip(row int) error
	// Done returns how much of the file was read, of 1.
	Done() float64
	Close() error
}

// RowError says what is wrong with one row.
type RowError struct {
	Row int // from 1 on
	Err error
}

// Error implements error.
func (e *RowError) Error() string { return fmt.Sprintf("row %d: %v", e.Row, e.Err) }

// Unwrap returns the cause.
func (e *RowError) Unwrap() error { return e.Err }

// VectorExtensions are those of files of vectors.
var VectorExtensions = []string{".npy", ".npz", ".fvecs", ".bvecs", ".fbin", ".u8bin", ".i8bin", ".parquet"}

// Extensions are those of files of documents.
var Extensions = append([]string{".jsonl", ".ndjson", ".json", ".csv", ".tsv"}, VectorExtensions...)

// formatOf splits the name of an input into the extension of its format and the name of the file. The format comes from
// a prefix, as in csv:data.txt, or else from the file's own extension.
func formatOf(name string) (ext, file string) {
	if format, rest := dataname.SplitFormat(name); format == ".csv" || format == ".tsv" || format == ".jsonl" {
		return format, rest
	}
	if name == dataname.Stdin {
		return ".jsonl", name
	}
	return dataname.Extension(name), name
}

// Open opens a file by its name. "-" is JSON lines from standard input.
func Open(name string, o Options) (Reader, error) {
	ext, file := formatOf(name)
	alone := o.IDs == "" && o.Payload == ""
	switch ext {
	case ".jsonl", ".ndjson", ".json", ".csv", ".tsv":
		if !alone {
			return nil, besideError(name)
		}
		if ext == ".csv" || ext == ".tsv" {
			return newMapper(name, o, func() (table, error) { return openCSV(file, ext, o) })
		}
		return openLines(file, o)
	case ".arrow", ".feather", ".ipc":
		return nil, fmt.Errorf("%s: Arrow files aren't read: write it as Parquet, as by "+
			"pyarrow.parquet.write_table(pyarrow.feather.read_table(%q), \"x.parquet\")", name, name)
	}
	if datafile.IsParquet(file) && !strings.Contains(filepath.Base(file), ".parquet:") {
		if !alone {
			return nil, besideError(name)
		}
		return newMapper(name, o, func() (table, error) { return openParquet(file) })
	}
	return openVectors(file, o)
}

func besideError(name string) error {
	return fmt.Errorf("%s holds whole documents: files of IDs and payloads go with a file of vectors", name)
}

// Expand returns the files that names stand for, in order: files, the files in folders with one of the extensions, and
// those that patterns such as parts/*.parquet match.
func Expand(names, extensions []string) ([]string, error) {
	var files []string
	for _, name := range names {
		some, err := expand(name, extensions)
		if err != nil {
			return nil, err
		}
		files = append(files, some...)
	}
	return files, nil
}

func expand(name string, extensions []string) ([]string, error) {
	_, file := formatOf(name)
	info, err := os.Stat(file)
	switch {
	case name == dataname.Stdin || err == nil && !info.IsDir():
		return []string{name}, nil
	case err == nil:
		return inFolder(name, extensions)
	case !errors.Is(err, fs.ErrNotExist) || !strings.ContainsAny(file, "*?["):
		return []string{name}, nil // opening it says what is wrong
	}
	prefix := strings.TrimSuffix(name, file)
	found, err := filepath.Glob(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	found = slices.DeleteFunc(found, func(f string) bool {
		info, err := os.Stat(f)
		return err == nil && info.IsDir()
	})
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: no file has such a name", name)
	}
	for i := range found {
		found[i] = prefix + found[i]
	}
	return found, nil
}

// inFolder returns the files in a folder and in those within it. Names that begin with a dot or an underscore are
// passed over: other programs give them to what they write beside data.
func inFolder(folder string, extensions []string) (files []string, err error) {
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		hidden := path != folder && strings.ContainsRune("._", rune(d.Name()[0]))
		switch {
		case err != nil:
			return err
		case d.IsDir() && hidden:
			return filepath.SkipDir
		case !d.IsDir() && !hidden && slices.Contains(extensions, dataname.Extension(path)):
			files = append(files, path)
		}
		return nil
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s: the folder has no file of a known format (%s)", folder, strings.Join(extensions, " "))
	}
	return files, err
}

// skip is Skip for readers that can only read on.
func skip(r Reader, row int) error {
	for r.Row() < row {
		if _, err := r.Next(); err != nil && !errors.As(err, new(*RowError)) {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
	return nil
}
