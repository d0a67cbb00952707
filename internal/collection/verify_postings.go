package collection

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/shale-search/shale/internal/postings"
)

// documentNumbers checks that the set of documents is that of those which are there.
func (v *verifier) documentNumbers() error {
	found := newDocumentEdit(&documentSet{})
	err := eachOf(v.db, documentKey, func(key, _ []byte) error {
		if n, ok := number(key, 1); ok {
			found.add(n)
		}
		return v.ctx.Err()
	})
	if err != nil {
		return err
	}
	have := found.after()
	same := slices.EqualFunc(have.chunks, v.there.chunks, func(a, b documentChunk) bool {
		return a.chunk == b.chunk && a.set.Equals(b.set)
	})
	if !same {
		v.problem(damaged(v.dir, []byte{thereKey}, "the set of documents isn't that of the documents there are"))
	}
	return nil
}

// postings checks that payload indexes say about the documents of sealed segments what their payloads say.
func (v *verifier) postings() error {
	known := map[uint64]bool{}
	for _, x := range v.indexes {
		known[x.id] = true
		if x.Building {
			continue
		}
		for _, d := range v.there.chunks {
			if err := v.postingsOf(x, documentChunk{d.chunk, within(d, 0, v.first)}); err != nil {
				return err
			}
		}
	}
	return eachOf(v.db, postingKey, func(key, _ []byte) error {
		if index, ok := number(key[:min(len(key), 9)], 1); !ok || len(key) <= postingHead || !known[index] {
			v.problem(damaged(v.dir, key, "there is no such payload index"))
		}
		return v.ctx.Err()
	})
}

// postingsOf checks what one index says about some documents.
func (v *verifier) postingsOf(x *payloadIndex, d documentChunk) error {
	block := &postings.Block{}
	first := d.chunk << postings.ChunkBits
	err := each(v.db, keyOfNumber(payloadKey, first), keyOfNumber(payloadKey, first+1<<postings.ChunkBits),
		func(key, value []byte) error {
			if n, ok := number(key, 1); ok {
				block.Add(x.Index, uint16(inChunk(n)), value)
			}
			return v.ctx.Err()
		})
	if err != nil {
		return err
	}
	want := map[string][]byte{}
	err = block.Each(d.set, func(term string, value []byte) error {
		want[term] = value
		return nil
	})
	if err != nil {
		return err
	}
	err = each(v.db, keyOfPosting(x.id, d.chunk, ""), keyOfPosting(x.id, d.chunk+1, ""), func(key, value []byte) error {
		term := string(key[postingHead:])
		value, err := restricted(term, value, d.set)
		if err != nil || !bytes.Equal(value, want[term]) {
			v.problem(damaged(v.dir, key, fmt.Sprintf("the payload index of field %q isn't what the payloads say", x.Field)))
		}
		delete(want, term)
		return v.ctx.Err()
	})
	for term := range want {
		v.problem(damaged(v.dir, keyOfPosting(x.id, d.chunk, term),
			fmt.Sprintf("the payload index of field %q lacks what payloads say", x.Field)))
	}
	return err
}

// restricted returns the value of a term for some documents only, nil if it is about none of them.
func restricted(term string, value []byte, documents *roaring.Bitmap) ([]byte, error) {
	if term == postings.NumbersTerm {
		n, err := postings.DecodeNumbers(value)
		if err != nil {
			return nil, err
		}
		values := slices.DeleteFunc(n.Values(), func(v postings.Value) bool {
			return !documents.Contains(uint32(v.Document))
		})
		if len(values) == 0 {
			return nil, nil
		}
		return postings.EncodeNumbers(values), nil
	}
	set, err := postings.DecodeSet(value)
	if err != nil {
		return nil, err
	}
	if set.And(documents); set.IsEmpty() {
		return nil, nil
	}
	return postings.EncodeSet(set), nil
}
