package collection

import (
	"context"
	"errors"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/cockroachdb/pebble/v2"

	"github.com/shale-search/shale/internal/payload"
	"github.com/shale-search/shale/internal/postings"
)

// settle reads the payloads of the documents that may satisfy the filter, so that none is left about which it isn't
// known.
func (f *filtering) settle(ctx context.Context) (err error) {
	if f.undecided() == 0 {
		return nil
	}
	scan, err := f.scanPayloads()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, scan.close()) }()
	for i, p := range f.parts {
		for rest := roaring.AndNot(p.Maybe, p.Sure).Iterator(); rest.HasNext(); {
			if err := ctx.Err(); err != nil {
				return err
			}
			at := rest.Next()
			n := p.chunk<<postings.ChunkBits | uint64(at)
			doc, err := scan.payload(n)
			if err != nil {
				return err
			}
			holds, err := f.holds(n, doc)
			if err != nil {
				return err
			}
			if holds {
				p.Sure.Add(at)
			}
		}
		f.parts[i].Maybe = p.Sure
	}
	f.parts = slices.DeleteFunc(f.parts, func(p filteredChunk) bool { return p.Sure.IsEmpty() })
	return nil
}

// holds evaluates the filter for a document.
func (f *filtering) holds(n uint64, doc []byte) (bool, error) {
	var id payload.ID
	if len(f.ids) > 0 {
		record, err := f.record(n)
		if err != nil {
			return false, err
		}
		id = record.id.inPayload()
	}
	return f.matcher.Match(doc, id), nil
}

// payloadScan reads payloads in the order of numbers.
type payloadScan struct {
	i  *pebble.Iterator
	at uint64 // number of the payload at which the iterator is; above those of all if it is at the end
}

func (r *reading) scanPayloads() (*payloadScan, error) {
	i, err := r.snapshot.NewIter(&pebble.IterOptions{
		LowerBound: []byte{payloadKey}, UpperBound: []byte{payloadKey + 1},
	})
	if err != nil {
		return nil, err
	}
	return &payloadScan{i: i}, nil
}

// payload returns the payload of a document, or nil. It is valid until the next call. Numbers must not fall.
func (s *payloadScan) payload(n uint64) ([]byte, error) {
	if s.at < n || !s.i.Valid() {
		if s.at+1 != n || !s.i.Valid() || !s.i.Next() {
			s.i.SeekGE(keyOfNumber(payloadKey, n))
		}
		s.at = 1<<64 - 1
		if s.i.Valid() {
			s.at, _ = number(s.i.Key(), 1)
			if s.at < n {
				s.i.SeekGE(keyOfNumber(payloadKey, n))
			}
		}
	}
	if !s.i.Valid() || s.at != n {
		return nil, s.i.Error()
	}
	return s.i.ValueAndErr()
}

func (s *payloadScan) close() error { return s.i.Close() }
