package hnsw

// StopCondition decides which candidates a walk follows, which results it holds and when it ends, in place of ef and k.
// One value serves one search at a time.
type StopCondition interface {
	// Stop reports whether to end: nearest is the nearest open candidate's distance, worst the farthest result's, +Inf
	// while there is none.
	Stop(nearest, worst float32) bool
	// Consider reports whether a candidate at distance d is to be followed and held.
	Consider(d, worst float32) bool
	// Add and Remove tell of results that are held from now on and no longer.
	Add(label uint64, d float32)
	Remove(label uint64, d float32)
	// Overfull reports whether the farthest result is to be dropped.
	Overfull() bool
	// Finish gets the results, nearest first, and gives those to return.
	Finish([]Neighbor) []Neighbor
}

// MultiVector is the condition of a search for documents of several vectors each: it returns the found elements of the
// docs nearest documents. document gives the document that a label belongs to; ef is the number of documents held while
// walking, raised to docs.
func MultiVector(document func(label uint64) uint64, docs, ef int) StopCondition {
	return &multiVector{document: document, docs: max(docs, 1), ef: max(ef, docs, 1), held: map[uint64]int{}}
}

type multiVector struct {
	document func(label uint64) uint64
	docs, ef int
	held     map[uint64]int // document: its elements among the results
}

func (m *multiVector) Stop(nearest, worst float32) bool {
	return nearest > worst && len(m.held) >= m.ef
}
func (m *multiVector) Consider(d, worst float32) bool { return len(m.held) < m.ef || d < worst }
func (m *multiVector) Overfull() bool                 { return len(m.held) > m.ef }
func (m *multiVector) Add(label uint64, _ float32)    { m.held[m.document(label)]++ }

func (m *multiVector) Remove(label uint64, _ float32) {
	d := m.document(label)
	if m.held[d]--; m.held[d] <= 0 {
		delete(m.held, d)
	}
}

func (m *multiVector) Finish(found []Neighbor) []Neighbor {
	clear(m.held)
	kept := found[:0]
	for _, f := range found {
		d := m.document(f.Label)
		if m.held[d] == 0 && len(m.held) == m.docs {
			continue
		}
		m.held[d]++
		kept = append(kept, f)
	}
	clear(m.held)
	return kept
}
