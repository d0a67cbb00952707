package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale/internal/collection"
	"github.com/shale-search/shale/vector"
)

const (
	importBatch   = 1000     // documents that are written at once
	mostLineBytes = 64 << 20 // of a document
)

func collectionImport() *cobra.Command {
	var input string
	var idFiles []string
	var wait waitFlag
	c := &cobra.Command{
		Use:   "import COLLECTION --input FILE",
		Short: "Write documents from a file",
		Long: `Import reads JSON lines (.jsonl, .ndjson or .json, or "-" for standard input), or a file of vectors such
as .npy, whose ids are the numbers in the file of --ids, or else 0, 1, 2, …. A document whose id
is there already replaces that one.

Documents are written in batches of 1,000. After an error, which names the line, those of the
batches before are there; importing the mended file again does no harm.`,
		Example: `  shale collection import my.docs --input docs.jsonl
  shale collection import my.docs --input vectors.npy --ids ids.npy
  cat docs.jsonl | shale collection import my.docs --input -`,
		Args: collectionArg,
	}
	c.Flags().StringVar(&input, "input", "", "read documents or vectors from `FILE`")
	filesFlag(c, &idFiles, "ids", "read the ids of vectors from `FILE`: .npy of integers or text, one number a line")
	wait.add(c)
	required(c, "input")
	c.RunE = func(c *cobra.Command, args []string) error {
		lines := isJSONLines(input)
		if lines && len(idFiles) > 0 {
			return usagef(c, "--ids goes with a file of vectors: documents in JSON have their ids")
		}
		return withCollection(c, &wait, args[0], func(x *collection.Collection) error {
			i := &importer{ctx: c.Context(), to: x, from: input}
			var err error
			if lines {
				err = i.lines()
			} else {
				err = i.vectors(idFiles)
			}
			if err != nil && c.Context().Err() != nil && i.written > 0 {
				err = &begunError{err, args[0]}
			}
			return errors.Join(err, tell(c, false, nil, "%s: %s written", args[0], many(i.written, "document")))
		})
	}
	return c
}

func isJSONLines(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".jsonl", ".ndjson", ".json":
		return true
	}
	return path == "-"
}

// importer writes documents in batches.
type importer struct {
	ctx     context.Context
	to      *collection.Collection
	from    string
	batch   []collection.Document
	places  []string // of the documents of the batch in the file
	written int
}

// add takes a document, and writes the batch if it is full.
func (i *importer) add(d collection.Document, place string) error {
	i.batch, i.places = append(i.batch, d), append(i.places, place)
	if len(i.batch) < importBatch {
		return nil
	}
	return i.flush()
}

func (i *importer) flush() error {
	err := i.to.Upsert(i.ctx, i.batch)
	var refused *collection.DocumentError
	if errors.As(err, &refused) {
		return fmt.Errorf("%s: id %s: %s: %w", i.places[refused.At], refused.ID, refused.Field, refused.Err)
	}
	if err != nil {
		return err
	}
	i.written += len(i.batch)
	i.batch, i.places = i.batch[:0], i.places[:0]
	return nil
}

// lines writes documents in JSON.
func (i *importer) lines() (err error) {
	in := io.ReadCloser(os.Stdin)
	if i.from != "-" {
		if in, err = os.Open(i.from); err != nil {
			return err
		}
		defer in.Close()
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, mostLineBytes)
	n := 0
	for lines.Scan() {
		n++
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		place := fmt.Sprintf("%s: line %d", i.from, n)
		var d collection.Document
		if err := json.Unmarshal(line, &d); err != nil {
			return fmt.Errorf("%s: %w", place, err)
		}
		if err := i.add(d, place); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: line %d: %w", i.from, n+1, err)
	}
	return i.flush()
}

// vectors writes documents of vectors alone.
func (i *importer) vectors(idFiles []string) error {
	schema := i.to.Schema()
	rows, err := openRows(i.ctx, []string{i.from})
	if err != nil {
		return err
	}
	defer rows.Close()
	ids, err := readRowLabels(i.ctx, idFiles, rows.Rows())
	if err != nil {
		return err
	}
	name := schema.Vectors[0].Name
	err = rows.Blocks(i.ctx, func(first int, block vector.Matrix) error {
		for r := range block.Rows() {
			id := uint64(first + r)
			if ids != nil {
				id = ids[first+r]
			}
			values := make([]float32, block.Dim())
			block.Decode(r, values)
			d := collection.Document{ID: collection.NumberID(id), Vectors: map[string][]float32{name: values}}
			if err := i.add(d, fmt.Sprintf("%s: row %d", i.from, first+r)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return i.flush()
}
