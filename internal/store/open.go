package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/score"
)

// Options controls how a file is opened. The zero value opens it as it was saved.
type Options struct {
	// Capacity is the number of rows to make room for. If it is below the file's row count, the capacity in the file is
	// used.
	Capacity int
	// ReplaceDelete allows AddOptions.ReplaceDeleted, even if the saved index didn't.
	ReplaceDelete bool
	// Custom is the metric of an index that was saved with a custom one. Files hold its name, which CustomName must be,
	// and not the function.
	Custom     score.DistanceFunc
	CustomName string
	// Unmeasured opens an index of a custom metric without it, to be checked and not searched.
	Unmeasured bool
	// Checked makes OpenMapped read all of the file and compare its checksums.
	Checked bool
	// PinUpper makes OpenMapped copy the levels above 0 into memory: their links, and 5 bytes an element. The page
	// cache may drop pages; copies stay.
	PinUpper bool
	// DropDamaged drops rows of a live file that the disk damaged after a successful Sync. Without it OpenLive and
	// MapLive return an error with their labels.
	DropDamaged bool
	// FixedCapacity makes a full live file return hnsw.ErrFull instead of growing.
	FixedCapacity bool
	// Wait is how long to wait for a live file that an index of another process has open, before ErrLocked. 0 means not
	// to wait. For an index of this process there is no waiting.
	Wait time.Duration
	// Waiting, if not nil, is called once when waiting begins.
	Waiting func()
}

// DefaultWait is a Wait long enough for another process to change some rows, and short enough for a person.
const DefaultWait = 30 * time.Second

// Opened is an index as it was saved. One of the two fields is set.
type Opened struct {
	Index  *hnsw.Index
	Frozen *hnsw.Frozen
}

// Reader returns the part of the index that searches.
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

// Open reads an index file into memory and checks all of it. If the file is invalid the error is a *FormatError.
func Open(ctx context.Context, path string, o Options) (Opened, error) {
	var opened Opened
	err := withLoader(ctx, path, func(l *loader) (err error) {
		opened, err = l.open(o)
		return err
	})
	return opened, err
}

// OpenIndex is like Open, for an index that will grow. It also reads frozen files.
func OpenIndex(ctx context.Context, path string, o Options) (*hnsw.Index, error) {
	var x *hnsw.Index
	err := withLoader(ctx, path, func(l *loader) (err error) {
		x, err = l.openIndex(o)
		return err
	})
	return x, err
}

// OpenFrozen is like Open, for an index that is only searched. It also reads files of growing indexes.
func OpenFrozen(ctx context.Context, path string, o Options) (*hnsw.Frozen, error) {
	var x *hnsw.Frozen
	err := withLoader(ctx, path, func(l *loader) (err error) {
		x, err = l.openFrozen(o)
		return err
	})
	return x, err
}

// withLoader opens path, reads its header and meta section and calls fn.
func withLoader(ctx context.Context, path string, fn func(*loader) error) error {
	f, size, err := format.OpenFile(path)
	if err != nil {
		return fmt.Errorf("open index: %w", err)
	}
	defer f.Close()
	l, err := newLoader(ctx, f, path, size)
	if err != nil {
		return err
	}
	return fn(l)
}

// withHead is withLoader for callers that read only these two.
func withHead(ctx context.Context, path string, fn func(*loader) error) error {
	f, size, err := format.OpenHead(path)
	if err != nil {
		return fmt.Errorf("open index: %w", err)
	}
	defer f.Close()
	l, err := loaderOf(format.NewHeadReader(ctx, f, path, size))
	if err != nil {
		return err
	}
	return fn(l)
}

func (l *loader) open(o Options) (Opened, error) {
	if !l.meta.has(flagFrozen) {
		x, err := l.openIndex(o)
		return Opened{Index: x}, err
	}
	f, err := l.openFrozen(o)
	return Opened{Frozen: f}, err
}

func (l *loader) openFrozen(o Options) (*hnsw.Frozen, error) {
	c, err := l.config(o)
	if err != nil {
		return nil, err
	}
	f, err := hnsw.RestoreFrozen(c, int(l.meta.Count), int(l.meta.UpperLists), l.fill)
	return f, l.locate(err)
}

func (l *loader) openIndex(o Options) (*hnsw.Index, error) {
	c, err := l.config(o)
	if err != nil {
		return nil, err
	}
	x, err := hnsw.Restore(c, int(l.meta.Count), int(l.meta.UpperLists), l.fill)
	return x, l.locate(err)
}

// measure sets the custom metric of an index in a file that holds the name of one, or none.
func (o *Options) measure(c *hnsw.Config, name string) error {
	c.Custom, c.CustomName = o.Custom, name
	switch {
	case c.Metric != score.Custom && o.Custom != nil:
		return fmt.Errorf("its metric is %v, and a custom one is given: leave that out: %w", c.Metric, errors.ErrUnsupported)
	case c.Metric != score.Custom:
		return nil
	case o.Custom == nil && o.Unmeasured:
		c.Custom = func(_, _ []float32) float32 { return 0 }
	case o.Custom == nil:
		return fmt.Errorf("its distances are those of %q, a function that only the program which built it has: %w", name,
			errors.ErrUnsupported)
	case o.CustomName != name:
		return fmt.Errorf("its distances are those of %q, and a function named %q is given: %w", name, o.CustomName,
			errors.ErrUnsupported)
	}
	return nil
}

// config returns the file's configuration with the caller's options applied.
func (l *loader) config(o Options) (hnsw.Config, error) {
	c := l.meta.config()
	at := l.h.section(Meta).Offset
	if err := o.measure(&c, l.h.custom); err != nil {
		return c, l.r.Caused(err, at, "meta", "the index can't be searched")
	}
	c.ReplaceDelete = c.ReplaceDelete || o.ReplaceDelete
	count := int(l.meta.Count)
	if o.Capacity > 0 && o.Capacity >= count {
		c.Capacity = o.Capacity
		return c, nil
	}
	var ok bool
	if c.Capacity, ok = format.Room(l.meta.Capacity, count, c.FixedCapacity); !ok {
		return c, l.r.Bad(at, "meta", "room for %d with %d elements is not credible: give the capacity",
			l.meta.Capacity, count)
	}
	return c, nil
}
