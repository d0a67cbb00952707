package collection

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// WalkOptions says which documents to walk over.
type WalkOptions struct {
	Filter Filter // zero: all documents
	Fields
}

// Walk calls each of the passes, one after another, with all documents in the order of IDs, as Scroll has it. All
// passes see the same state of the collection, however long they take and whatever is written meanwhile.
func (c *Collection) Walk(ctx context.Context, o WalkOptions, passes ...func(Document) error) (err error) {
	r, err := c.read()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.end()) }()
	var filter *filtering
	if !o.Filter.isAll() {
		if filter, err = r.filter(ctx, o.Filter); err != nil {
			return err
		}
		if err := filter.settle(ctx); err != nil {
			return err
		}
	}
	for _, pass := range passes {
		if err := r.walk(ctx, filter, o.Fields, []byte{idKey}, pass); err != nil {
			return err
		}
	}
	return nil
}

// walk calls fn with the documents of IDs whose keys aren't below lower, in order. It ends without an error when fn
// returns errEnough.
func (r *reading) walk(ctx context.Context, filter *filtering, f Fields, lower []byte, fn func(Document) error) error {
	i, err := r.snapshot.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: []byte{idKey + 1}})
	if err != nil {
		return err
	}
	for i.First(); i.Valid() && err == nil; i.Next() {
		err = r.visit(ctx, i, filter, f, fn)
	}
	if errors.Is(err, errEnough) {
		err = nil
	}
	return errors.Join(err, i.Error(), i.Close())
}

// visit calls fn with the document at an iterator, unless the filter leaves it out.
func (r *reading) visit(ctx context.Context, i *pebble.Iterator, filter *filtering, f Fields,
	fn func(Document) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	value, err := i.ValueAndErr()
	if err != nil {
		return err
	}
	if n, ok := number(value, 0); ok && filter != nil {
		if sure, _ := filter.answerOf(n); !sure {
			return nil
		}
	}
	d, err := r.documentAt(i.Key(), value, f)
	if err != nil {
		return err
	}
	return fn(d)
}
