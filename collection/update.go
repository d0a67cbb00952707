package collection

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/jsonobject"
)

// Update changes parts of a document. The payload is changed in the order of the fields.
type Update struct {
	ID      ID
	Clear   bool            // remove the payload
	Payload json.RawMessage // an object that takes the place of the payload; nil: it stays
	Unset   []string        // keys to remove; "a.b" is the key "b" of the object "a", unless there is a key "a.b"
	Set     json.RawMessage // an object whose keys are added to the payload or take the place of those there; nil: none

	Vector      []float32            // takes the place of that of a collection with a single vector without a name
	Vectors     map[string][]float32 // otherwise: vectors to add or to replace, by name
	DropVectors []string             // names of vectors to remove; one must stay
}

// Update changes parts of documents: of all, or after an error of none. IDs that no document has are passed over. It
// returns the number of documents that were there. When it returns the change is on the disk.
//
// The vectors that an Update doesn't name stay as they are. If it changes other vectors of the document, they are
// written again as the rows that the schema keeps, so it can't if the schema keeps no rows of them.
func (c *Collection) Update(ctx context.Context, batch []Update) (int, error) {
	updates, err := c.prepareUpdates(batch)
	if err != nil {
		return 0, err
	}
	there := 0
	_, err = c.change(ctx, len(updates), func(ch *change) (err error) {
		there, err = ch.update(updates)
		return err
	})
	if err != nil {
		return 0, err
	}
	return there, nil
}

// preparedUpdate is an Update whose fields were checked as far as they can be without the document.
type preparedUpdate struct {
	Update
	at       int         // place in the batch
	rows     [][]float32 // one for each vector of the schema; nil: not given
	vectors  uint64      // bit v: rows has vector v
	drop     uint64      // bit v: vector v is to be removed
	set      []jsonobject.Member
	replaced []byte
}

func (u *preparedUpdate) refused(field string, err error) error {
	return &DocumentError{u.at, u.ID, field, err}
}

func (u *preparedUpdate) changesPayload() bool {
	return u.Clear || u.replaced != nil || len(u.Unset) > 0 || len(u.set) > 0
}

func (u *preparedUpdate) changesVectors() bool { return u.vectors|u.drop != 0 }

// prepareUpdates checks a batch, which it doesn't change.
func (c *Collection) prepareUpdates(batch []Update) ([]preparedUpdate, error) {
	if len(batch) > c.options.MaxBatch {
		return nil, fmt.Errorf("the batch has %d updates, at most %d are allowed", len(batch), c.options.MaxBatch)
	}
	all := make([]preparedUpdate, len(batch))
	at := make(map[ID]int, len(batch))
	for i, u := range batch {
		p := &all[i]
		p.Update, p.at = u, i
		if err := u.ID.check(c.options.MaxIDBytes); err != nil {
			return nil, p.refused("id", err)
		}
		if before, twice := at[u.ID]; twice {
			return nil, p.refused("id", fmt.Errorf("document %d of the batch has the same", before))
		}
		at[u.ID] = i
		if err := c.prepareUpdateVectors(p); err != nil {
			return nil, p.refused("vector", err)
		}
		if err := c.prepareUpdatePayload(p); err != nil {
			return nil, p.refused("payload", err)
		}
		if !p.changesPayload() && !p.changesVectors() {
			return nil, p.refused("update", errors.New("it says nothing to change"))
		}
	}
	return all, nil
}

func (c *Collection) prepareUpdateVectors(u *preparedUpdate) error {
	for _, name := range u.DropVectors {
		v, err := c.schema.find(name)
		if err != nil {
			return err
		}
		u.drop |= 1 << v
	}
	if u.Vector == nil && len(u.Vectors) == 0 {
		return nil
	}
	var p prepared
	if err := c.prepareVectors(&p, u.Vector, u.Vectors); err != nil {
		return err
	}
	if p.vectors&u.drop != 0 {
		return errors.New("a vector is both given and to be removed")
	}
	u.rows, u.vectors = p.rows, p.vectors
	return nil
}

func (c *Collection) prepareUpdatePayload(u *preparedUpdate) (err error) {
	if u.replaced, err = c.preparePayload(u.Payload); err != nil {
		return err
	}
	set, err := c.preparePayload(u.Set)
	if err != nil || set == nil {
		return err
	}
	u.set, err = jsonobject.Members(set)
	return err
}

// update makes the changes and returns how many of the documents are there.
func (ch *change) update(updates []preparedUpdate) (int, error) {
	r := ch.c.hold()
	there, moved, err := ch.updateAll(r, updates)
	if err = errors.Join(err, r.drop()); err != nil {
		return 0, err
	}
	return there, ch.upsert(moved)
}

// updateAll changes payloads, and returns the documents whose vectors change: they are to be written as new ones.
func (ch *change) updateAll(r *reading, updates []preparedUpdate) (there int, moved []prepared, err error) {
	for i := range updates {
		u := &updates[i]
		n, found, err := r.numberOf(u.ID)
		if err != nil {
			return 0, nil, err
		}
		if !found {
			continue
		}
		there++
		before, after, err := r.updatedPayload(n, u)
		if err != nil {
			return 0, nil, err
		}
		if !u.changesVectors() && ch.keepsNumber(n) {
			if err := ch.setPayload(n, before, after); err != nil {
				return 0, nil, err
			}
			continue
		}
		d, err := r.updatedVectors(n, u)
		if err != nil {
			return 0, nil, err
		}
		d.payload = after
		moved = append(moved, d)
	}
	return there, moved, nil
}

// numberOf returns the number of the document with an ID.
func (r *reading) numberOf(id ID) (n uint64, found bool, err error) {
	key := keyOfID(id)
	value, err := get(r.snapshot, key)
	if err != nil || value == nil {
		return 0, false, err
	}
	n, ok := number(value, 0)
	if !ok {
		return 0, false, damaged(r.c.dir, key, "the number of the document is damaged")
	}
	return n, true, nil
}

// setPayload puts one payload in the place of another. nil means none.
func (ch *change) setPayload(n uint64, before, after []byte) error {
	if err := ch.editPostings(n, before, after); err != nil {
		return err
	}
	key := keyOfNumber(payloadKey, n)
	if after != nil {
		return ch.batch.Set(key, after, nil)
	}
	if before == nil {
		return nil
	}
	return ch.batch.Delete(key, nil)
}

// updatedPayload returns the payload of a document, and what becomes of it.
func (r *reading) updatedPayload(n uint64, u *preparedUpdate) (before, after []byte, err error) {
	if before, err = get(r.snapshot, keyOfNumber(payloadKey, n)); err != nil {
		return nil, nil, err
	}
	after = before
	if u.Clear {
		after = nil
	}
	if u.replaced != nil {
		after = u.replaced
	}
	if len(u.Unset) == 0 && len(u.set) == 0 {
		return before, after, nil
	}
	if after, err = edited(after, u.Unset, u.set); err != nil {
		return nil, nil, damaged(r.c.dir, keyOfNumber(payloadKey, n), "the payload is damaged: "+err.Error())
	}
	// It may have grown beyond what is allowed.
	if after, err = r.c.preparePayload(after); err != nil {
		return nil, nil, u.refused("payload", err)
	}
	return before, after, nil
}

// updatedVectors returns the document with the vectors that it is to have.
func (r *reading) updatedVectors(n uint64, u *preparedUpdate) (d prepared, err error) {
	if d.documentRecord, err = r.record(n); err != nil {
		return d, err
	}
	kept := d.vectors &^ (u.drop | u.vectors)
	d.vectors = kept | u.vectors
	if d.vectors == 0 {
		return d, u.refused("vector", errors.New("the document would have none: delete it, or leave it one"))
	}
	d.rows = slices.Clone(u.rows)
	if d.rows == nil {
		d.rows = make([][]float32, len(r.c.schema.Vectors))
	}
	at := r.viewOf(n)
	if at < 0 {
		return d, damaged(r.c.dir, keyOfNumber(documentKey, n), "no segment has the document")
	}
	for v, spec := range r.c.schema.Vectors {
		if kept&(1<<v) == 0 {
			continue
		}
		if r.views[at].sealed && spec.Rows == shale.RowsNone {
			// Codes of codes would be worse than those that are there.
			return d, u.refused("vector", fmt.Errorf("no rows are kept of %q, which stays: give it too", spec.Name))
		}
		if d.rows[v], err = r.row(r.views[at], v, n); err != nil {
			return d, err
		}
	}
	return d, nil
}
