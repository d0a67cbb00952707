package collection

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/shale-search/shale/internal/postings"
)

// where reads which documents satisfy a filter, by indexes and by payloads, and calls fn with them.
func (c *Collection) where(ctx context.Context, filter Filter, fn func(*filtering) error) (err error) {
	r, err := c.read()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.end()) }()
	f, err := r.filter(ctx, filter)
	if err != nil {
		return err
	}
	if err := f.settle(ctx); err != nil {
		return err
	}
	return fn(f)
}

// CountWhere returns the exact number of documents that satisfy a filter.
func (c *Collection) CountWhere(ctx context.Context, filter Filter) (n int, err error) {
	err = c.where(ctx, filter, func(f *filtering) error {
		n = int(f.count())
		return nil
	})
	return n, err
}

// DeleteWhere deletes the documents that satisfy a filter when it is called, except for those that are overwritten
// meanwhile. It returns how many it has deleted. It does so batch by batch, each of which is deleted whole or not at
// all and is on the disk before the next one, so that an error may leave some of them.
func (c *Collection) DeleteWhere(ctx context.Context, filter Filter) (deleted int, err error) {
	return c.changeWhere(ctx, filter, func(batch []uint64) (int, error) {
		return c.change(ctx, len(batch), func(ch *change) error { return ch.deleteNumbers(batch) })
	})
}

// changeWhere calls apply with the numbers of the documents that satisfy a filter, a batch at a time, until it returns
// an error. It returns the sum of what apply has returned.
func (c *Collection) changeWhere(ctx context.Context, filter Filter, apply func(batch []uint64) (int, error),
) (changed int, err error) {
	var numbers []uint64
	err = c.where(ctx, filter, func(f *filtering) error {
		numbers = f.matching()
		return nil
	})
	for len(numbers) > 0 && err == nil {
		batch := numbers[:min(len(numbers), c.options.MaxBatch)]
		numbers = numbers[len(batch):]
		var n int
		n, err = apply(batch)
		changed += n
	}
	return changed, err
}

// matching returns the numbers of the documents that surely satisfy the filter.
func (f *filtering) matching() []uint64 {
	numbers := make([]uint64, 0, f.count())
	for _, p := range f.parts {
		for i := p.Sure.Iterator(); i.HasNext(); {
			numbers = append(numbers, p.chunk<<postings.ChunkBits|uint64(i.Next()))
		}
	}
	return numbers
}

// deleteNumbers deletes the documents of some numbers that are still there.
func (ch *change) deleteNumbers(numbers []uint64) error {
	ids, err := ch.idsOf(numbers)
	if err != nil {
		return err
	}
	return ch.delete(ids)
}

// idsOf returns the IDs of the documents of some numbers that are still there.
func (ch *change) idsOf(numbers []uint64) (ids []ID, err error) {
	for _, n := range numbers {
		value, err := get(ch.c.db, keyOfNumber(documentKey, n))
		if err != nil {
			return nil, err
		}
		if value == nil {
			continue
		}
		d, ok := decodeDocument(value)
		if !ok {
			return nil, damaged(ch.c.dir, keyOfNumber(documentKey, n), "the document is damaged")
		}
		ids = append(ids, d.id)
	}
	return ids, nil
}

// isSmall reports whether it is less work to read the IDs of all documents that satisfy the filter than to go through
// all IDs until a limit of such documents is found. To read one costs as much as to pass over about 16.
func (f *filtering) isSmall(documents, limit int) bool {
	n := int(f.count())
	return n == 0 || 16*n < min(limit, n)*(documents/n)
}

// scroll returns the documents that satisfy the filter, in the order of the keys of their IDs, from lower on.
func (f *filtering) scroll(lower []byte, o ScrollOptions) (found []Document, err error) {
	type place struct {
		key []byte
		n   uint64
	}
	var places []place
	for _, n := range f.matching() {
		record, err := f.record(n)
		if err != nil {
			return nil, err
		}
		if key := keyOfID(record.id); bytes.Compare(key, lower) >= 0 {
			places = append(places, place{key, n})
		}
	}
	slices.SortFunc(places, func(a, b place) int { return bytes.Compare(a.key, b.key) })
	for _, p := range places[:min(len(places), o.Limit)] {
		d, err := f.document(p.n, o.Fields)
		if err != nil {
			return nil, err
		}
		found = append(found, d)
	}
	return found, nil
}
