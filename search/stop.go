package search

import "github.com/shale-search/shale/internal/stop"

// Stop decides which candidates a walk follows, which results it holds and when it ends: Radius and MultiVector make
// one. It serves one search at a time.
type Stop stop.Rule

// Radius is the condition of a range search: it returns all rows within a radius, in the metric's own distance (squared
// for L2), at most most. The walk goes on until it holds least rows, and for as long as a plain search with the same ef
// would: so it comes to the query's neighbourhood before it looks whether the radius is passed, and finds no fewer
// than the plain search.
func Radius(radius float32, least, most int) *Stop { return of(stop.Radius(radius, least, most)) }

// MultiVector is the condition of a search for documents of several vectors each: it returns the vectors found of the
// docs nearest documents. document returns the document that a label belongs to. The walk holds ef documents, at least
// docs.
func MultiVector(document func(label uint64) uint64, docs, ef int) *Stop {
	return of(stop.MultiVector(document, docs, ef))
}

func of(c stop.Condition) *Stop { return (*Stop)(stop.Of(c)) }
