package collection

import (
	"context"
	"errors"
)

// Fields says what of documents to read beside their IDs.
type Fields struct {
	Payload, Vectors bool
	// Include are the keys of the payload to read, and Exclude those to leave out; if both are empty all are read. "a.b"
	// is the key "b" of the object "a", unless there is a key "a.b".
	Include, Exclude []string
}

// Get returns the documents with these IDs, in their order. IDs that no document has are left out. Where the metric is
// cosine, vectors are normalised; of a sealed segment they are as exact as the rows that the schema keeps.
func (c *Collection) Get(ctx context.Context, f Fields, ids ...ID) (found []Document, err error) {
	r, err := c.read()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.end()) }()
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		value, err := get(r.snapshot, keyOfID(id))
		if err != nil {
			return nil, err
		}
		if value == nil {
			continue
		}
		d, err := r.documentAt(keyOfID(id), value, f)
		if err != nil {
			return nil, err
		}
		found = append(found, d)
	}
	return found, nil
}

// ScrollOptions says which documents to list.
type ScrollOptions struct {
	After  *ID    // start after this ID, which no document needs to have; nil: with the first
	Limit  int    // documents to return; default 100
	Filter Filter // which documents are listed; zero: all
	Fields
}

const defaultLimit = 100

// Scroll returns documents in the order of IDs: numbers, then strings that are UUIDs in lower case, then other strings,
// by their bytes. To go on it is called with the last ID as After.
func (c *Collection) Scroll(ctx context.Context, o ScrollOptions) (found []Document, err error) {
	r, err := c.read()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.end()) }()
	if o.Limit <= 0 {
		o.Limit = defaultLimit
	}
	lower := []byte{idKey}
	if o.After != nil {
		lower = append(keyOfID(*o.After), 0)
	}
	var filter *filtering
	if !o.Filter.isAll() {
		if filter, err = r.filter(ctx, o.Filter); err != nil {
			return nil, err
		}
		if err := filter.settle(ctx); err != nil {
			return nil, err
		}
		if filter.isSmall(int(r.documents), o.Limit) {
			return filter.scroll(lower, o)
		}
	}
	err = r.walk(ctx, filter, o.Fields, lower, func(d Document) error {
		if found = append(found, d); len(found) == o.Limit {
			return errEnough
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// documentAt reads the document that an ID's key leads to.
func (r *reading) documentAt(key, value []byte, f Fields) (Document, error) {
	n, ok := number(value, 0)
	if !ok {
		return Document{}, damaged(r.c.dir, key, "the number of the document is damaged")
	}
	return r.document(n, f)
}

// document reads a document by its number.
func (r *reading) document(n uint64, f Fields) (d Document, err error) {
	var record documentRecord
	if id, ok := r.c.ids.get(n); ok && !f.Vectors {
		d.ID = NumberID(id)
	} else {
		if record, err = r.record(n); err != nil {
			return d, err
		}
		d.ID = record.id
		r.c.ids.put(n, d.ID)
	}
	if f.Payload {
		if d.Payload, err = get(r.snapshot, keyOfNumber(payloadKey, n)); err != nil {
			return d, err
		}
		if d.Payload, err = f.choose(d.Payload); err != nil {
			return d, damaged(r.c.dir, keyOfNumber(payloadKey, n), "the payload is damaged: "+err.Error())
		}
	}
	if f.Vectors {
		err = r.addVectors(&d, n, record)
	}
	return d, err
}

func (r *reading) record(n uint64) (documentRecord, error) {
	key := keyOfNumber(documentKey, n)
	value, err := get(r.snapshot, key)
	if err != nil {
		return documentRecord{}, err
	}
	record, ok := decodeDocument(value)
	if !ok {
		return record, damaged(r.c.dir, key, "the document is missing or damaged")
	}
	return record, nil
}

// addVectors reads the vectors of a document from the segment that has them.
func (r *reading) addVectors(d *Document, n uint64, record documentRecord) error {
	at := r.viewOf(n)
	if at < 0 {
		return damaged(r.c.dir, keyOfNumber(documentKey, n), "no segment has the document")
	}
	for i, spec := range r.c.schema.Vectors {
		if record.vectors&(1<<i) == 0 {
			continue
		}
		row, err := r.row(r.views[at], i, n)
		if err != nil {
			return err
		}
		if spec.Name == "" { // then it is the only one
			d.Vector = row
			return nil
		}
		if d.Vectors == nil {
			d.Vectors = map[string][]float32{}
		}
		d.Vectors[spec.Name] = row
	}
	return nil
}

// row reads one vector of a document in v.
func (r *reading) row(v view, vector int, n uint64) ([]float32, error) {
	row := make([]float32, r.c.schema.Vectors[vector].Dim)
	if !v.sealed {
		key := keyOfVector(vector, n)
		value, err := get(r.snapshot, key)
		if err != nil {
			return nil, err
		}
		if !decodeVector(value, row) {
			return nil, damaged(r.c.dir, key, "the vector is missing or damaged")
		}
		return row, nil
	}
	if v.indexes[vector] == nil {
		return nil, damaged(r.c.dir, keyOfNumber(segmentKey, v.number), "the segment has no such vectors")
	}
	m, err := v.indexes[vector].Vectors(n)
	if err != nil {
		return nil, err
	}
	m.Decode(0, row)
	return row, nil
}
