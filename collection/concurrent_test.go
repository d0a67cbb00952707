package collection

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shale-search/shale/vector"
)

// TestOneStateAQuery overwrites all documents in one batch again and again, across segments, while others read: each
// reading finds all documents, of one batch, and never an older one than the reading before.
func TestOneStateAQuery(t *testing.T) {
	const documents, versions = 6, 40
	c := created(t, plain(vector.L2), Options{SegmentRows: 5 * documents})
	var ids []ID
	for i := range documents {
		ids = append(ids, NumberID(uint64(i)))
	}
	write := func(version int) error {
		var batch []Document
		for i, id := range ids {
			batch = append(batch, document(id, version, float32(i), 0, 0, float32(version)))
		}
		return c.Upsert(context.Background(), batch)
	}
	if err := write(0); err != nil {
		t.Fatal(err)
	}
	var over atomic.Bool
	var readers sync.WaitGroup
	for _, read := range []func() ([]Document, error){
		func() ([]Document, error) {
			return c.Get(context.Background(), Fields{Payload: true, Vectors: true}, ids...)
		},
		func() ([]Document, error) {
			q := Query{Near: [][]float32{{0, 0, 0, 0}}, K: 3 * documents, Fields: Fields{Payload: true, Vectors: true}}
			hits, err := c.Query(context.Background(), q)
			if err != nil {
				return nil, err
			}
			var found []Document
			for _, h := range hits[0] {
				found = append(found, h.Document)
			}
			return found, nil
		},
	} {
		readers.Go(func() {
			for latest := float32(0); !over.Load(); {
				found, err := read()
				if err != nil || len(found) != documents {
					t.Errorf("%d documents were found, %v", len(found), err)
					return
				}
				version := found[0].Vector[3]
				for i, d := range found {
					want := document(d.ID, int(version), d.Vector...)
					if d.Vector[3] != version || version < latest || text(t, d) != text(t, want) {
						t.Errorf("document %d is %s, after version %g was read", i, text(t, d), latest)
						return
					}
				}
				latest = version
			}
		})
	}
	for version := 1; version <= versions; version++ {
		if err := write(version); err != nil {
			t.Error(err)
			break
		}
	}
	over.Store(true)
	readers.Wait()
	verified(t, c, documents)
}
