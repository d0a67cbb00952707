package postings

import (
	"github.com/RoaringBitmap/roaring/v2"

	"github.com/shale-search/shale/internal/payload"
)

// Postings are those of one index and one chunk, in memory or in a store.
type Postings interface {
	Term(term string) (*roaring.Bitmap, error)
	Range(b payload.Bounds) (*roaring.Bitmap, error)
	Any(numbers []payload.Number) (*roaring.Bitmap, error)
}

// Chunk is the documents about which a filter is asked.
type Chunk interface {
	// All returns the documents that there are.
	All() *roaring.Bitmap
	// IDs returns which of the documents have one of the IDs of a node.
	IDs(n *payload.Node) (*roaring.Bitmap, error)
	// Find returns the index that answers a test, or nil.
	Find(n *payload.Node) (Postings, payload.Kind)
}

// Answer is what indexes know about a filter: every document in Sure satisfies it, none outside of Maybe does. Where
// that is all there is to know both are the same set.
type Answer struct{ Sure, Maybe *roaring.Bitmap }

func exactly(s *roaring.Bitmap) Answer { return Answer{s, s} }

func unknown(c Chunk) Answer { return Answer{roaring.New(), c.All().Clone()} }

// IsExact reports whether nothing is left open.
func (a Answer) IsExact() bool { return a.Sure == a.Maybe }

// split returns an answer whose sets may be changed one by one.
func (a Answer) split() Answer {
	if a.IsExact() {
		a.Maybe = a.Sure.Clone()
	}
	return a
}

// and returns the answer to a filter that demands both, in the sets of a.
func (a Answer) and(b Answer) Answer { return a.combine(b, (*roaring.Bitmap).And) }

// Or returns the answer to a filter that demands one of both, in the sets of a.
func (a Answer) Or(b Answer) Answer { return a.combine(b, (*roaring.Bitmap).Or) }

// combine changes the sets of a by those of b.
func (a Answer) combine(b Answer, change func(a, b *roaring.Bitmap)) Answer {
	if !a.IsExact() || !b.IsExact() {
		a = a.split()
		change(a.Maybe, b.Maybe)
	}
	change(a.Sure, b.Sure)
	return a
}

// Evaluate answers a filter by the indexes of a chunk. The sets belong to the caller.
func Evaluate(n *payload.Node, c Chunk) (Answer, error) {
	a, err := evaluate(n, c)
	if err == nil && c.All().GetCardinality() < mostInChunk {
		a = a.and(exactly(c.All()))
	}
	return a, err
}

// evaluate is Evaluate, but for documents that aren't there, about which it may answer anything.
func evaluate(n *payload.Node, c Chunk) (Answer, error) {
	switch n.Op {
	case payload.And:
		return all(n.Nodes, c)
	case payload.Or:
		return atLeast(n.Nodes, 1, c)
	case payload.AtLeast:
		return atLeast(n.Nodes, n.Min, c)
	case payload.Not:
		a, err := evaluate(n.Nodes[0], c)
		if err != nil {
			return a, err
		}
		if a.IsExact() {
			return exactly(roaring.AndNot(c.All(), a.Sure)), nil
		}
		return Answer{roaring.AndNot(c.All(), a.Maybe), roaring.AndNot(c.All(), a.Sure)}, nil
	case payload.IDs:
		s, err := c.IDs(n)
		return exactly(s), err
	case payload.Except:
		return except(n, c)
	}
	p, kind := c.Find(n)
	if p == nil {
		return unknown(c), nil
	}
	s, err := find(n, p, kind)
	return exactly(s), err
}

// all answers a filter that demands all of some nodes. Once none is left the others aren't looked at.
func all(nodes []*payload.Node, c Chunk) (a Answer, err error) {
	if len(nodes) == 0 {
		return exactly(c.All().Clone()), nil
	}
	for i, n := range nodes {
		b, err := evaluate(n, c)
		if err != nil {
			return b, err
		}
		if i == 0 {
			a = b
		} else {
			a = a.and(b)
		}
		if a.Maybe.IsEmpty() {
			break
		}
	}
	return a, nil
}

// atLeast answers a filter that demands some of its nodes.
func atLeast(nodes []*payload.Node, least int, c Chunk) (Answer, error) {
	if least <= 0 {
		return exactly(c.All().Clone()), nil
	}
	if least > len(nodes) {
		return exactly(roaring.New()), nil
	}
	reached := make([]Answer, least) // place i: the documents for which more than i of the nodes so far hold
	for i := range reached {
		reached[i] = exactly(roaring.New())
	}
	for _, n := range nodes {
		b, err := evaluate(n, c)
		if err != nil {
			return b, err
		}
		for i := least - 1; i > 0; i-- {
			both := Answer{reached[i-1].Sure.Clone(), reached[i-1].Maybe.Clone()}
			reached[i] = reached[i].Or(both.and(b))
		}
		reached[0] = reached[0].Or(b)
	}
	return reached[least-1], nil
}

// except answers whether a document has a string, number or boolean other than some values. A document that has one of
// these, and several values, may have another one too.
func except(n *payload.Node, c Chunk) (Answer, error) {
	if n.Except.Op == payload.Or { // values of different types, or none
		return unknown(c), nil
	}
	p, kind := c.Find(n.Except)
	if p == nil {
		return unknown(c), nil
	}
	listed, err := find(n.Except, p, kind)
	if err != nil {
		return Answer{}, err
	}
	scalar, err := p.Term(payload.Scalar)
	if err != nil {
		return Answer{}, err
	}
	many, err := p.Term(payload.Many)
	if err != nil {
		return Answer{}, err
	}
	sure := roaring.AndNot(scalar, listed)
	many.And(listed)
	many.And(scalar)
	if many.IsEmpty() {
		return exactly(sure), nil
	}
	return Answer{sure, roaring.Or(sure, many)}, nil
}

// find returns the documents that satisfy a test which the index covers.
func find(n *payload.Node, p Postings, kind payload.Kind) (s *roaring.Bitmap, err error) {
	switch n.Op {
	case payload.Empty:
		if s, err = p.Term(payload.Present); err == nil {
			s.Flip(0, mostInChunk)
		}
		return s, err
	case payload.NumberRange, payload.TimeRange:
		return p.Range(n.Bounds)
	case payload.AnyNumber:
		return p.Any(n.Numbers)
	case payload.AllWords:
		return words(n.Words, p, kind)
	}
	for _, term := range terms(n, kind) {
		some, err := p.Term(term)
		if err != nil {
			return nil, err
		}
		if s == nil {
			s = some
		} else {
			s.Or(some)
		}
	}
	if s == nil {
		s = roaring.New()
	}
	return s, nil
}

// terms returns those that a test for one of several values looks for.
func terms(n *payload.Node, kind payload.Kind) (terms []string) {
	add := func(s string) {
		if term, ok := kind.Term(s); ok {
			terms = append(terms, term)
		}
	}
	for s := range n.Strings {
		add(s)
	}
	for _, word := range n.Words {
		add(word)
	}
	for i, wanted := range n.Bools {
		if wanted {
			terms = append(terms, payload.BoolTerm(i == 1))
		}
	}
	return terms
}

// words returns the documents that have all of some words.
func words(list []string, p Postings, kind payload.Kind) (s *roaring.Bitmap, err error) {
	for _, word := range list {
		term, _ := kind.Term(word)
		some, err := p.Term(term)
		if err != nil {
			return nil, err
		}
		if s == nil {
			s = some
		} else {
			s.And(some)
		}
		if s.IsEmpty() {
			return s, nil
		}
	}
	return s, nil
}
