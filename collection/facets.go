package collection

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/shale-search/shale/internal/payload"
	"github.com/shale-search/shale/internal/postings"
)

// FacetOptions says which values to count.
type FacetOptions struct {
	Field  string // as in a Filter
	Filter Filter // of the documents; zero: all
	Limit  int    // values to return; default 10
}

// Facet is a value of a field, with the number of documents that have it.
type Facet struct {
	Value json.RawMessage `json:"value"` // a string, number or boolean
	Count int             `json:"count"`
}

const (
	defaultFacets = 10
	mostFacets    = 1 << 20 // different values of a field
)

// Facets returns the strings, numbers and booleans that documents have in a field, the most frequent first, with exact
// counts. A document whose array has a value twice is counted once. If there is an index of the field, other than of
// kind text or datetime, only the values that it holds are counted; otherwise all payloads are read.
func (c *Collection) Facets(ctx context.Context, o FacetOptions) ([]Facet, error) {
	path, err := payload.ParsePath(o.Field)
	if err != nil {
		return nil, invalidError{err}
	}
	counter := facetCounter{path: path, counts: map[string]int{}}
	err = c.where(ctx, o.Filter, func(f *filtering) error {
		counter.filtering = f
		return counter.run(ctx)
	})
	if err != nil {
		return nil, err
	}
	facets := make([]Facet, 0, len(counter.counts))
	for value, count := range counter.counts {
		facets = append(facets, Facet{json.RawMessage(value), count})
	}
	slices.SortFunc(facets, func(a, b Facet) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), bytes.Compare(a.Value, b.Value))
	})
	return facets[:min(cmp.Or(max(o.Limit, 0), defaultFacets), len(facets))], nil
}

// facetCounter counts the values of a field of the documents that satisfy a filter.
type facetCounter struct {
	*filtering
	path   payload.Path
	counts map[string]int // by values as JSON
}

func (c *facetCounter) run(ctx context.Context) error {
	at := slices.IndexFunc(c.state.indexes, func(x *payloadIndex) bool {
		return !x.Building && x.Field == c.path.String() && x.Kind != payload.Text && x.Kind != payload.Datetime
	})
	if at < 0 {
		return c.scan(ctx)
	}
	for _, p := range c.parts {
		if err := c.count(p, c.state.indexes[at]); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (c *facetCounter) add(value string, count int) error {
	if count > 0 {
		c.counts[value] += count
	}
	if len(c.counts) > mostFacets {
		return invalidf("the field %q has more than %d different values", c.path, mostFacets)
	}
	return nil
}

// scan reads the payloads.
func (c *facetCounter) scan(ctx context.Context) (err error) {
	scan, err := c.scanPayloads()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, scan.close()) }()
	for _, n := range c.matching() {
		doc, err := scan.payload(n)
		if err != nil {
			return err
		}
		for _, value := range c.path.Scalars(doc) {
			if err := c.add(value, 1); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// count counts the values of one chunk by an index.
func (c *facetCounter) count(p filteredChunk, x *payloadIndex) error {
	sealed := p.Sure
	for _, v := range c.views[c.unsealed():] {
		some := within(documentChunk{p.chunk, p.Sure}, v.First, v.End)
		if some.IsEmpty() {
			continue
		}
		sealed = roaring.AndNot(sealed, some)
		values, err := v.postings.each(x, p.chunk, some, func(term string, value []byte) error {
			return c.term(x, p.chunk, term, value, some)
		})
		if err == nil {
			err = c.numbers(values, some)
		}
		if err != nil {
			return err
		}
	}
	if sealed.IsEmpty() {
		return nil
	}
	lower := keyOfPosting(x.id, p.chunk, "")
	if x.Kind.IsNumeric() {
		values, err := postings.Stored(storedPostings{c.reading.c.dir, c.snapshot, x.id, p.chunk}.get).Values()
		if err != nil {
			return err
		}
		return c.numbers(values, sealed)
	}
	return each(c.snapshot, lower, keyOfPosting(x.id, p.chunk+1, ""), func(key, value []byte) error {
		err := c.term(x, p.chunk, string(key[postingHead:]), value, sealed)
		if errors.Is(err, postings.ErrDamaged) {
			return damaged(c.reading.c.dir, key, err.Error())
		}
		return err
	})
}

// term counts the documents in among that have a term.
func (c *facetCounter) term(x *payloadIndex, chunk uint64, term string, value []byte, among *roaring.Bitmap) error {
	text, known, ok := x.Kind.ValueOf(term)
	if !ok {
		return nil
	}
	set, err := postings.DecodeSet(value)
	if err != nil {
		return err
	}
	if set.And(among); set.IsEmpty() {
		return nil
	}
	if !known {
		if text, err = c.longString(x, chunk<<postings.ChunkBits|uint64(set.Minimum()), term); err != nil {
			return err
		}
	}
	return c.add(text, int(set.GetCardinality()))
}

// longString returns the string of a document that has a term.
func (c *facetCounter) longString(x *payloadIndex, n uint64, term string) (string, error) {
	doc, err := get(c.snapshot, keyOfNumber(payloadKey, n))
	if err != nil {
		return "", err
	}
	text, ok := x.Kind.HasTerm(x.Path, doc, term)
	if !ok {
		return "", damaged(c.reading.c.dir, keyOfPosting(x.id, chunkOf(n), term), "a document doesn't have the term")
	}
	return text, nil
}

// numbers counts values, which are in order, of the documents in among.
func (c *facetCounter) numbers(values []postings.Value, among *roaring.Bitmap) error {
	count := 0
	for i, v := range values {
		if among.Contains(uint32(v.Document)) {
			count++
		}
		if i+1 < len(values) && values[i+1].Number == v.Number {
			continue
		}
		if err := c.add(string(v.Number.JSON()), count); err != nil {
			return err
		}
		count = 0
	}
	return nil
}
