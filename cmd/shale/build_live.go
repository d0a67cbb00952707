package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/shale-search/shale"
)

// buildLive builds an index in the file that is its memory, with room for f.capacity vectors.
func (f *buildFlags) buildLive(ctx context.Context, rows *rowFile, o shale.Options, r *buildReport, messages io.Writer) (err error) {
	began := time.Now()
	labels := o.Labels
	o.Labels, o.Capacity = nil, max(f.capacity, rows.Rows())
	index, err := shale.Create(f.output, rows.Dim(), o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, index.Close()) }()
	bar := newProgress(messages, "building", rows.Rows())
	r.BuildSeconds, err = addRows(ctx, index, rows, labels, o.Threads, bar.set)
	bar.end()
	if err != nil {
		return err
	}
	r.RSSBytes = residentBytes()
	if err := index.Sync(); err != nil {
		return err
	}
	return r.complete(index, began)
}
