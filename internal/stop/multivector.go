package stop

// MultiVector is the condition of a search for documents of several vectors each: it returns the vectors found of the
// docs nearest documents. document returns the document that a label belongs to. The walk holds ef documents, at least
// docs.
func MultiVector(document func(label uint64) uint64, docs, ef int) Condition {
	return &multiVector{document: document, docs: max(docs, 1), ef: max(ef, docs, 1), held: map[uint64]int{}}
}

type multiVector struct {
	document func(label uint64) uint64
	docs, ef int
	held     map[uint64]int // document: number of its vectors among the results
}

func (m *multiVector) Begin(int) int {
	clear(m.held)
	return 0
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

func (m *multiVector) Finish() { clear(m.held) }

func (m *multiVector) Keeps(label uint64, _ float32) bool {
	d := m.document(label)
	if m.held[d] == 0 && len(m.held) == m.docs {
		return false
	}
	m.held[d]++
	return true
}
