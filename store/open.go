package store

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/shale-search/shale/hnsw"
	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/vector"
)

// Options says how to open a file. The zero value opens it as it was saved.
type Options struct {
	// Capacity is the number of rows to make room for; below the file's count, what the file says.
	Capacity int
	// ReplaceDelete allows AddOptions.ReplaceDeleted, whether or not the saved index did.
	ReplaceDelete bool
	// Custom is the metric of an index that was saved with one of its own, which a file can't hold.
	Custom vector.DistanceFunc
}

// Opened is an index as it was saved: one of the two.
type Opened struct {
	Index  *hnsw.Index
	Frozen *hnsw.Frozen
}

// Reader is the searching half of the index.
func (o Opened) Reader() *hnsw.Reader {
	if o.Frozen != nil {
		return &o.Frozen.Reader
	}
	return &o.Index.Reader
}

// Close frees the index.
func (o Opened) Close() error {
	if o.Frozen != nil {
		return o.Frozen.Close()
	}
	return o.Index.Close()
}

// Open reads an index file into memory and checks all of it. A file that isn't in order gives a *FormatError.
func Open(ctx context.Context, path string, o Options) (Opened, error) {
	var opened Opened
	err := withLoader(ctx, path, func(l *loader) error {
		c, err := l.config(o)
		if err != nil {
			return err
		}
		n, lists := int(l.meta.Count), int(l.meta.UpperLists)
		if l.meta.has(flagFrozen) {
			opened.Frozen, err = hnsw.RestoreFrozen(c, n, lists, l.fill)
		} else {
			opened.Index, err = hnsw.Restore(c, n, lists, l.fill)
		}
		return l.locate(err)
	})
	return opened, err
}

// OpenIndex is Open for an index that is to grow, a frozen file included.
func OpenIndex(ctx context.Context, path string, o Options) (*hnsw.Index, error) {
	var x *hnsw.Index
	err := withLoader(ctx, path, func(l *loader) error {
		c, err := l.config(o)
		if err != nil {
			return err
		}
		x, err = hnsw.Restore(c, int(l.meta.Count), int(l.meta.UpperLists), l.fill)
		return l.locate(err)
	})
	return x, err
}

// withLoader opens path, reads its header and meta section and calls fn.
func withLoader(ctx context.Context, path string, fn func(*loader) error) error {
	f, l, err := openLoader(ctx, path)
	if err != nil {
		return err
	}
	defer f.Close()
	return fn(l)
}

func openLoader(ctx context.Context, path string) (*os.File, *loader, error) {
	if err := format.CheckMachine(); err != nil {
		return nil, nil, err
	}
	f, size, err := format.OpenFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("open index: %w", err)
	}
	l := &loader{r: format.NewReader(ctx, f, path, size)}
	if err := l.begin(); err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, l, nil
}

// config is the file's configuration, with what the caller wants otherwise.
func (l *loader) config(o Options) (hnsw.Config, error) {
	c := l.meta.config()
	at := l.h.section(Meta).Offset
	if l.meta.has(flagCustomMetric) && o.Custom == nil {
		return c, l.r.Caused(errors.ErrUnsupported, at, "meta", "the index has a metric of its own: give it to open the file")
	}
	c.Custom = o.Custom
	c.ReplaceDelete = c.ReplaceDelete || o.ReplaceDelete
	count := int(l.meta.Count)
	if o.Capacity > 0 && o.Capacity >= count {
		c.Capacity = o.Capacity
		return c, nil
	}
	var ok bool
	if c.Capacity, ok = format.Room(l.meta.Capacity, count, c.FixedCapacity); !ok {
		return c, l.r.Bad(at, "meta", "room for %d with %d elements is not credible: give the capacity", l.meta.Capacity, count)
	}
	return c, nil
}
