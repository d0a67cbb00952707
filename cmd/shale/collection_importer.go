package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale/collection"
	"github.com/shale-search/shale/internal/dataname"
	"github.com/shale-search/shale/internal/documents"
)

const (
	importBatch      = 1000    // documents that are written at once
	importBatchBytes = 8 << 20 // that they have, about
	mostToldRows     = 20      // bad rows that are told one by one
)

// importer writes the documents of files, in batches. A mark in the collection says how far it has come.
type importer struct {
	c       *cobra.Command
	to      *collection.Collection
	files   []string
	options documents.Options
	strict  bool
	report  *importReport

	name string // of the mark; empty if the files can be read only once
	at   importMark
}

// importMark says how far an import has come. It is written in the batch of the documents that it counts.
type importMark struct {
	File    int `json:"file"` // the one that is being read
	Row     int `json:"row"`  // of it, the last one that was read
	Before  int `json:"before"`
	Written int `json:"written"`
	Bad     int `json:"bad"`
}

// importedRows is a batch of documents that was read.
type importedRows struct {
	documents []collection.Document
	rows      []int // of the documents in their file
	bad       []*documents.RowError
	at        importMark // after them, its counts apart
	done      float64    // of all files
	err       error      // what ends the import
}

func (i *importer) run(restart bool) error {
	ctx, stop := context.WithCancel(i.c.Context())
	defer stop()
	if err := i.begin(restart); err != nil {
		return err
	}
	batches := make(chan *importedRows)
	// Beside the writing: a pipe that nothing comes through can't hold up an interruption.
	go func() {
		defer close(batches)
		p := &importProducer{ctx: ctx, importer: i, batches: batches, at: i.at}
		if err := p.files(); err != nil {
			p.send(&importedRows{at: p.at, err: err})
		}
	}()
	bar := newProgress(i.c.ErrOrStderr(), "importing", 0)
	defer bar.end()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case b, more := <-batches:
			if !more {
				return i.end(ctx)
			}
			if err := i.write(ctx, b); err != nil {
				return err
			}
			if b.done > 0 {
				bar.setOf(i.at.Written, max(i.at.Written, int(float64(i.at.Written)/b.done)))
			}
		}
	}
}

// begin finds out whether an import of the same files was interrupted.
func (i *importer) begin(restart bool) error {
	i.name = i.markName()
	if i.name == "" || restart {
		return nil
	}
	value, err := i.to.Mark(i.name)
	if err != nil || value == nil {
		return err
	}
	if json.Unmarshal(value, &i.at) != nil || i.at.File >= len(i.files) {
		i.at = importMark{} // of another version
	}
	i.report.Earlier, i.report.Written, i.report.Bad = i.at.Written, i.at.Written, i.at.Bad
	return nil
}

// markName is a name for the import of the files as they are now and of the columns that are named.
func (i *importer) markName() string {
	h := sha256.New()
	for _, name := range append([]string{i.options.IDs, i.options.Payload}, i.files...) {
		if name == "" {
			continue
		}
		file := dataname.File(name)
		path, err := filepath.Abs(file)
		info, statErr := os.Stat(file)
		if errors.Join(err, statErr) != nil || !info.Mode().IsRegular() {
			return ""
		}
		fmt.Fprintf(h, "%q %d %d\n", path, info.Size(), info.ModTime().UnixNano())
	}
	fmt.Fprintf(h, "%q %q %q", i.options.IDColumn, i.options.VectorColumns, i.options.TextColumns)
	return fmt.Sprintf("import %x", h.Sum(nil)[:16])
}

// write writes a batch. Documents that the collection refuses are bad rows.
func (i *importer) write(ctx context.Context, b *importedRows) error {
	for _, bad := range b.bad {
		if err := i.bad(b.at.File, bad); err != nil {
			return err
		}
	}
	for {
		err := i.upsert(ctx, b)
		var refused *collection.DocumentError
		if !errors.As(err, &refused) {
			return errors.Join(err, b.err)
		}
		row := &documents.RowError{
			Row: b.rows[refused.At], Err: fmt.Errorf("id %s: %s: %w", refused.ID, refused.Field, refused.Err),
		}
		b.documents = append(b.documents[:refused.At], b.documents[refused.At+1:]...)
		b.rows = append(b.rows[:refused.At], b.rows[refused.At+1:]...)
		if err := i.bad(b.at.File, row); err != nil {
			return err
		}
	}
}

func (i *importer) upsert(ctx context.Context, b *importedRows) error {
	next := b.at
	next.Written, next.Bad = i.at.Written+len(b.documents), i.report.Bad
	if i.name == "" {
		if err := i.to.Upsert(ctx, b.documents); err != nil {
			return err
		}
	} else {
		value, err := json.Marshal(next)
		if err != nil {
			return err
		}
		if err := i.to.UpsertMarked(ctx, b.documents, collection.Mark{Name: i.name, Value: value}); err != nil {
			return err
		}
	}
	i.at = next
	i.report.Written = next.Written
	return nil
}

// bad reports a row that can't be used.
func (i *importer) bad(file int, row *documents.RowError) error {
	if i.strict {
		return fmt.Errorf("%s: %w", i.files[file], row)
	}
	i.report.Bad++
	switch told := i.report.Bad; {
	case told <= mostToldRows:
		fmt.Fprintf(i.c.ErrOrStderr(), "%s: %v\n", i.files[file], row)
	case told == mostToldRows+1:
		fmt.Fprintln(i.c.ErrOrStderr(), "more rows that can't be used are counted only")
	}
	return nil
}

// end removes the mark.
func (i *importer) end(ctx context.Context) error {
	if i.name == "" {
		return nil
	}
	return i.to.UpsertMarked(ctx, nil, collection.Mark{Name: i.name})
}

// importProducer reads the files.
type importProducer struct {
	*importer
	ctx     context.Context
	batches chan<- *importedRows
	at      importMark
	rows    *importedRows
	bytes   int
	ids     map[collection.ID]bool // of the batch
}

func (p *importProducer) files() error {
	for p.at.File < len(p.importer.files) {
		if err := p.file(p.importer.files[p.at.File]); err != nil {
			return fmt.Errorf("%s: %w", p.importer.files[p.at.File], err)
		}
		p.at = importMark{File: p.at.File + 1, Before: p.at.Before + p.at.Row}
	}
	return nil
}

func (p *importProducer) file(name string) error {
	o := p.options
	o.FirstID = uint64(p.at.Before)
	r, err := documents.Open(name, o)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.Skip(p.at.Row); err != nil {
		return err
	}
	p.reset()
	for p.ctx.Err() == nil {
		d, err := r.Next()
		var bad *documents.RowError
		if errors.As(err, &bad) {
			p.at.Row = r.Row()
			p.rows.bad = append(p.rows.bad, bad)
			if p.strict || len(p.rows.bad) >= importBatch {
				p.flush(r)
			}
			continue
		}
		if err != nil {
			p.flush(r)
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if p.ids[d.ID] {
			p.flush(r) // the later of two documents with the same ID counts
		}
		p.at.Row = r.Row()
		p.add(d)
		if len(p.rows.documents) >= importBatch || p.bytes >= importBatchBytes {
			p.flush(r)
		}
	}
	return p.ctx.Err()
}

func (p *importProducer) reset() {
	p.rows, p.bytes, p.ids = &importedRows{}, 0, map[collection.ID]bool{}
}

func (p *importProducer) add(d collection.Document) {
	p.rows.documents, p.rows.rows = append(p.rows.documents, d), append(p.rows.rows, p.at.Row)
	p.ids[d.ID] = true
	p.bytes += len(d.Payload) + 4*len(d.Vector)
	for _, v := range d.Vectors {
		p.bytes += 4 * len(v)
	}
}

// flush hands on the batch, if there is something in it.
func (p *importProducer) flush(r documents.Reader) {
	if len(p.rows.documents)+len(p.rows.bad) == 0 {
		return
	}
	p.rows.at = p.at
	p.rows.done = (float64(p.at.File) + r.Done()) / float64(len(p.importer.files))
	p.send(p.rows)
	p.reset()
}

func (p *importProducer) send(b *importedRows) {
	select {
	case p.batches <- b:
	case <-p.ctx.Done():
	}
}
