package collection

import (
	"bytes"
	"fmt"
	"slices"

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
	wrong := fmt.Sprintf("the payload index of field %q isn't what the payloads say", x.Field)
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
		if term >= postings.NumbersTerm && term < postings.GroupsEnd {
			return v.ctx.Err()
		}
		set, err := postings.DecodeSet(value)
		if err == nil {
			set.And(d.set)
		}
		if err != nil || !set.IsEmpty() && !bytes.Equal(postings.EncodeSet(set), want[term]) {
			v.problem(damaged(v.dir, key, wrong))
		} else if !set.IsEmpty() {
			delete(want, term)
		}
		return v.ctx.Err()
	})
	for term := range want {
		v.problem(damaged(v.dir, keyOfPosting(x.id, d.chunk, term), wrong))
	}
	values, reading := postings.Stored(storedPostings{v.dir, v.db, x.id, d.chunk}.get).Values()
	values = slices.DeleteFunc(values, func(v postings.Value) bool { return !d.set.Contains(uint32(v.Document)) })
	if reading != nil {
		v.problem(reading)
	} else if !slices.Equal(values, block.Values(d.set)) {
		v.problem(damaged(v.dir, keyOfPosting(x.id, d.chunk, postings.DirectoryTerm), wrong))
	}
	return err
}
