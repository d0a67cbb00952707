package collection

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/shale-search/shale/internal/payload"
	"github.com/shale-search/shale/internal/postings"
)

// PayloadIndex says for which field of payloads there is an index, and of what.
type PayloadIndex struct {
	Field string    `json:"field"` // as in a Filter
	Kind  IndexKind `json:"kind"`
}

// payloadIndex is a PayloadIndex that a collection has.
type payloadIndex struct {
	indexRecord
	postings.Index
	id uint64
}

// indexRecord is what the store holds about an index.
type indexRecord struct {
	PayloadIndex
	Building bool   `json:"building,omitempty"` // documents with numbers from Done to End - 1 aren't in it yet
	Done     uint64 `json:"done,omitempty"`
	End      uint64 `json:"end,omitempty"`
}

// mostIndexes is the most indexes of a collection.
const mostIndexes = 256

// parse checks p and returns it with the field in its shortest form.
func (p PayloadIndex) parse() (PayloadIndex, postings.Index, error) {
	path, err := payload.ParsePath(p.Field)
	if err == nil {
		err = payload.Kind(p.Kind).Check()
	}
	if err == nil && len(p.Field) > mostNameBytes {
		err = fmt.Errorf("the field has %d bytes, at most %d are allowed", len(p.Field), mostNameBytes)
	}
	if err != nil {
		return p, postings.Index{}, fmt.Errorf("payload index of field %q: %w", p.Field, err)
	}
	p.Field = path.String()
	return p, postings.Index{Path: path, Kind: payload.Kind(p.Kind)}, nil
}

// checkIndexes returns the indexes in their shortest form, or an error if a collection can't have all of them.
func checkIndexes(indexes []PayloadIndex) (checked []PayloadIndex, err error) {
	if len(indexes) > mostIndexes {
		return nil, fmt.Errorf("the schema has %d payload indexes, at most %d are allowed", len(indexes), mostIndexes)
	}
	for _, x := range indexes {
		if x, _, err = x.parse(); err != nil {
			return nil, err
		}
		if slices.Contains(checked, x) {
			return nil, fmt.Errorf("two payload indexes of field %q are of kind %s", x.Field, x.Kind)
		}
		checked = append(checked, x)
	}
	return checked, nil
}

// postingHead is the length of a postingKey before the term.
const postingHead = 1 + 8 + 8

// keyOfPosting returns the key of a term's documents. Without a term all of the chunk's keys begin with it.
func keyOfPosting(index, chunk uint64, term string) []byte {
	key := make([]byte, 0, postingHead+len(term))
	key = binary.BigEndian.AppendUint64(append(key, postingKey), index)
	return append(binary.BigEndian.AppendUint64(key, chunk), term...)
}

func (x *payloadIndex) record(b *pebble.Batch) error {
	value, err := json.Marshal(x.indexRecord)
	return errors.Join(err, b.Set(keyOfNumber(indexKey, x.id), value, nil))
}

// newIndex returns an index as a record describes it.
func newIndex(id uint64, r indexRecord) (*payloadIndex, error) {
	p, x, err := r.parse()
	r.PayloadIndex = p
	return &payloadIndex{r, x, id}, err
}

// readIndexes reads the records of all indexes.
func readIndexes(dir string, r pebble.Reader) (all []*payloadIndex, err error) {
	err = eachOf(r, indexKey, func(key, value []byte) error {
		id, ok := number(key, 1)
		var record indexRecord
		if err := json.Unmarshal(value, &record); err != nil || !ok {
			return damaged(dir, key, "the payload index is damaged")
		}
		x, err := newIndex(id, record)
		if err != nil {
			return damaged(dir, key, err.Error())
		}
		all = append(all, x)
		return nil
	})
	return all, err
}

// keepsNumber reports whether a document keeps its number when its payload changes. Postings of segments in memory stay
// as they are, since readings of older states use them.
func (ch *change) keepsNumber(n uint64) bool {
	at := ch.c.state.viewOf(n)
	return len(ch.indexes) == 0 || at >= 0 && ch.c.state.views[at].sealed
}

// editPostings changes the postings in the store of a document that gets another payload.
func (ch *change) editPostings(n uint64, before, after []byte) error {
	ch.c.edits++
	if len(ch.indexes) > 0 {
		ch.c.noteChanged(chunkOf(n))
	}
	for _, x := range ch.indexes {
		err := x.Edit(uint16(inChunk(n)), before, after, func(term string, change []byte) error {
			return ch.batch.Merge(keyOfPosting(x.id, chunkOf(n), term), change, nil)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// recordIndexes adds the indexes of a new collection to a batch.
func recordIndexes(b *pebble.Batch, indexes []PayloadIndex) error {
	for i, p := range indexes {
		x, err := newIndex(uint64(i), indexRecord{PayloadIndex: p})
		if err = errors.Join(err, x.record(b)); err != nil {
			return err
		}
	}
	return nil
}
