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

// Answer is what indexes know about a filter: every document in Sure satisfies it, none outside of Maybe does.
type Answer struct{ Sure, Maybe *roaring.Bitmap }

// Evaluate answers a filter by the indexes of a chunk. The sets belong to the caller.
func Evaluate(n *payload.Node, c Chunk) (a Answer, err error) {
	switch n.Op {
	case payload.And:
		return all(n.Nodes, c)
	case payload.Or:
		return atLeast(n.Nodes, 1, c)
	case payload.AtLeast:
		return atLeast(n.Nodes, n.Min, c)
	case payload.Not:
		if a, err = Evaluate(n.Nodes[0], c); err != nil {
			return a, err
		}
		return Answer{roaring.AndNot(c.All(), a.Maybe), roaring.AndNot(c.All(), a.Sure)}, nil
	case payload.IDs:
		s, err := c.IDs(n)
		return Answer{s, s}, err
	case payload.Except:
		return except(n, c)
	}
	s, err := lookUp(n, c)
	if err != nil {
		return a, err
	}
	if s == nil {
		return Answer{roaring.New(), c.All().Clone()}, nil
	}
	s.And(c.All())
	return Answer{s, s.Clone()}, nil
}

// all answers a filter that demands all of some nodes. Once none is left the others aren't looked at.
func all(nodes []*payload.Node, c Chunk) (Answer, error) {
	a := Answer{c.All().Clone(), c.All().Clone()}
	for _, n := range nodes {
		if a.Maybe.IsEmpty() {
			break
		}
		b, err := Evaluate(n, c)
		if err != nil {
			return a, err
		}
		a.Sure.And(b.Sure)
		a.Maybe.And(b.Maybe)
	}
	return a, nil
}

// atLeast answers a filter that demands some of its nodes.
func atLeast(nodes []*payload.Node, least int, c Chunk) (Answer, error) {
	if least <= 0 {
		return Answer{c.All().Clone(), c.All().Clone()}, nil
	}
	if least > len(nodes) {
		return Answer{roaring.New(), roaring.New()}, nil
	}
	reached := make([]Answer, least) // place i: the documents for which more than i of the nodes so far hold
	for i := range reached {
		reached[i] = Answer{roaring.New(), roaring.New()}
	}
	for _, n := range nodes {
		b, err := Evaluate(n, c)
		if err != nil {
			return b, err
		}
		for i := least - 1; i > 0; i-- {
			reached[i].Sure.Or(roaring.And(reached[i-1].Sure, b.Sure))
			reached[i].Maybe.Or(roaring.And(reached[i-1].Maybe, b.Maybe))
		}
		reached[0].Sure.Or(b.Sure)
		reached[0].Maybe.Or(b.Maybe)
	}
	return reached[least-1], nil
}

// except answers whether a document has a string, number or boolean other than some values. A document that has one of
// these, and several values, may have another one too.
func except(n *payload.Node, c Chunk) (Answer, error) {
	unknown := Answer{roaring.New(), c.All().Clone()}
	if n.Except.Op == payload.Or { // values of different types, or none
		return unknown, nil
	}
	p, kind := c.Find(n.Except)
	if p == nil {
		return unknown, nil
	}
	listed, err := find(n.Except, p, kind)
	if err != nil {
		return unknown, err
	}
	scalar, err := p.Term(payload.Scalar)
	if err != nil {
		return unknown, err
	}
	many, err := p.Term(payload.Many)
	if err != nil {
		return unknown, err
	}
	scalar.And(c.All())
	sure := roaring.AndNot(scalar, listed)
	many.And(listed)
	many.And(scalar)
	return Answer{sure, roaring.Or(sure, many)}, nil
}

// lookUp returns the documents that satisfy a test, or nil if no index answers it.
func lookUp(n *payload.Node, c Chunk) (*roaring.Bitmap, error) {
	p, kind := c.Find(n)
	if p == nil {
		return nil, nil
	}
	return find(n, p, kind)
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
	s = roaring.New()
	for _, term := range terms(n, kind) {
		some, err := p.Term(term)
		if err != nil {
			return nil, err
		}
		s.Or(some)
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
