package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/shale-search/shale"
)

// buildLive builds an index in the file that is its memory, with room for f.capacity vectors. The file
// gets its name when it is complete.
func (f *buildFlags) buildLive(ctx context.Context, rows *rowFile, o shale.Options, r *buildReport, messages io.Writer) (err error) {
	began := time.Now()
	labels := o.Labels
	o.Labels, o.Capacity = nil, max(f.capacity, rows.capacity())
	fill := func(index *shale.Index) (err error) {
		bar := newProgress(messages, "building", rows.Rows())
		r.BuildSeconds, err = addRows(ctx, index, rows, labels, o.Threads, bar.set)
		bar.end()
		r.RSSBytes = residentBytes()
		return err
	}
	index, err := shale.CreateFilled(f.output, rows.Dim(), o, shale.CreateOptions{Fill: fill, Replace: f.replace})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, index.Close()) }()
	return r.complete(index, began)
}
