package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale/collection"
	"github.com/shale-search/shale/internal/documents"
)

// importFlags say what to import.
type importFlags struct {
	inputs        []string
	idColumn      string
	vectorColumns []string
	textColumns   []string
	ids, payload  string
	indexes       []string
	strict        bool
	restart       bool
}

func (f *importFlags) add(c *cobra.Command) {
	s := c.Flags()
	s.StringArrayVar(&f.inputs, "input", nil, "read `FILE`, the files in a folder, or those of a pattern such as "+
		"'parts/*.parquet'; several are read one after another")
	s.StringVar(&f.idColumn, "id-column", "", "take the ids from the column or key `NAME` (default id)")
	s.StringArrayVar(&f.vectorColumns, "vector-column", nil,
		"take a vector from the column or key `COLUMN`, or VECTOR=COLUMN if there are several (default: its name, or vector)")
	s.StringArrayVar(&f.textColumns, "text-column", nil,
		"take the cells of the column `NAME` of CSV as texts, also those that look like numbers")
	s.StringVar(&f.ids, "ids", "",
		"read the ids of a file of vectors from `FILE`: .npy of integers or text, one number a line")
	s.StringVar(&f.payload, "payload", "",
		"read the ids and payloads of a file of vectors from the columns of `FILE`, .csv or .parquet")
	s.StringArrayVar(&f.indexes, "index", nil,
		"index a field of payloads first, unless it is, as `FIELD=KIND`: see \"shale collection index\"")
	s.BoolVar(&f.strict, "strict", false, "stop at the first row that can't be used")
	s.BoolVar(&f.restart, "restart", false, "begin again, also if an import of the same files was interrupted")
}

// options are those of readers of documents for a collection.
func (f *importFlags) options(c *cobra.Command, s collection.Schema) (documents.Options, error) {
	o := documents.Options{
		Schema: s, IDColumn: f.idColumn, TextColumns: f.textColumns, IDs: f.ids, Payload: f.payload,
	}
	for _, pair := range f.vectorColumns {
		vector, column, named := strings.Cut(pair, "=")
		if !named {
			vector, column = "", pair
		}
		if column == "" || vector == "" && len(s.Vectors) > 1 {
			return o, usagef(c, "--vector-column %s doesn't name a vector and its column, as in title=title_embedding", pair)
		}
		if o.VectorColumns == nil {
			o.VectorColumns = map[string]string{}
		}
		if _, twice := o.VectorColumns[vector]; twice {
			return o, usagef(c, "--vector-column names two columns for one vector")
		}
		o.VectorColumns[vector] = column
	}
	return o, nil
}

// importReport is the result of an import.
type importReport struct {
	Collection string `json:"collection"`
	Files      int    `json:"files"`
	Written    int    `json:"documents_written"` // those of earlier runs included, if the import goes on
	Earlier    int    `json:"documents_written_earlier"`
	Bad        int    `json:"bad_rows"`
}

func (r *importReport) tell(c *cobra.Command, asJSON bool) error {
	text := fmt.Sprintf("%s: %s written", r.Collection, many(r.Written, "document"))
	if r.Earlier > 0 {
		text += fmt.Sprintf(", %s of them by a run before", count(r.Earlier))
	}
	if r.Bad > 0 {
		text += fmt.Sprintf("; %s couldn't be used", many(r.Bad, "row"))
	}
	return tell(c, asJSON, r, "%s", text)
}

// errNothingUsed is returned when every row was bad, so that the command fails although each row was reported.
var errNothingUsed = errors.New("no row of the files could be used")

func collectionImport() *cobra.Command {
	var f importFlags
	var at openFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "import COLLECTION --input FILE",
		Short: "Write documents from files",
		Long: `Import reads documents from files and writes them. A document whose id is there already replaces that one.

JSON lines (.jsonl, .ndjson, .json, or "-" for standard input) hold documents as get and scroll print
them. With --id-column or --vector-column each line is an object of columns instead.

Tables (.parquet, .csv, .tsv) have a column of ids, a column of vectors for each vector of the
collection, and other columns, which become the payload; values that are null are left out. A cell
of CSV that is JSON is taken as that: numbers, true, false, arrays, texts in double quotes. Any other
cell is a text. A vector is an array or numbers between spaces.

Files of vectors (.npy, .fvecs, .fbin …) have ids and payloads beside them, in the files of --ids and
--payload. Without those the ids are the numbers of the rows, from 0 on.

Rows that can't be used are told and counted, and the others are written. Documents are written in
batches, each of them whole or not at all. After an interruption the same command goes on where it
was, unless a file has changed. At the end segments are merged; a merge that is interrupted goes on
when the collection is opened again.`,
		Example: `  shale collection import my.docs --input docs.jsonl
  shale collection import my.docs --input 'parts/*.parquet' --id-column doc_id --vector-column embedding
  shale collection import my.docs --input vectors.npy --payload columns.csv
  shale collection import my.docs --input docs.csv --index city=keyword --index price=float
  zcat docs.jsonl.gz | shale collection import my.docs --input -`,
		Args: collectionArg,
	}
	f.add(c)
	jsonFlag(c, &asJSON)
	at.add(c)
	at.imports = true
	required(c, "input")
	c.RunE = func(c *cobra.Command, args []string) error {
		indexes, err := parseIndexes(c, "index", f.indexes)
		if err != nil {
			return err
		}
		files, err := documents.Expand(f.inputs, documents.Extensions)
		if err != nil {
			return err
		}
		if len(files) > 1 && (f.ids != "" || f.payload != "") {
			return usagef(c, "--ids and --payload go with one file of vectors, and --input names %d files", len(files))
		}
		return withCollection(c, &at, args[0], func(x *collection.Collection) error {
			o, err := f.options(c, x.Schema())
			if err != nil {
				return err
			}
			if err := createIndexes(c, x, indexes); err != nil {
				return err
			}
			r := &importReport{Collection: args[0], Files: len(files)}
			i := &importer{c: c, to: x, files: files, options: o, strict: f.strict, report: r}
			err = i.run(f.restart)
			if err != nil && c.Context().Err() != nil && i.report.Written > 0 {
				return &begunError{err, args[0]}
			}
			switch {
			case err != nil:
			case r.Written == 0 && r.Bad > 0:
				err = errNothingUsed
			default:
				err = mergeAll(c, x)
			}
			return errors.Join(r.tell(c, asJSON), err)
		})
	}
	return c
}
