package cluster

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Partition holds the part of each row, counted from 0.
type Partition struct {
	Parts int
	Of    []uint32
}

// Sizes returns the number of rows of each part.
func (p *Partition) Sizes() []int {
	sizes := make([]int, p.Parts)
	for _, part := range p.Of {
		sizes[part]++
	}
	return sizes
}

// Neighbors holds a fixed number of neighbours of each row, as row numbers. Numbers from Rows() on mean none.
type Neighbors struct {
	K  int
	Of []uint32
}

// Rows returns the number of rows.
func (n Neighbors) Rows() int { return len(n.Of) / n.K }

// of returns the neighbours of a row.
func (n Neighbors) of(row int) []uint32 { return n.Of[row*n.K : (row+1)*n.K] }

func (n Neighbors) check() error {
	if n.K < 1 || len(n.Of)%n.K != 0 {
		return fmt.Errorf("cluster: %d neighbours are not lists of %d", len(n.Of), n.K)
	}
	return nil
}

// Fill puts every row into a part of at most most rows. choices lists width parts for each row, from near to far. Rows
// that would lose most by their second choice come first; a row whose choices are all full goes where there is most
// room.
func Fill(choices []uint32, distance []float32, width, parts, most int) (*Partition, error) {
	rows := len(choices) / max(width, 1)
	if width < 1 || len(choices) != rows*width || len(distance) != len(choices) || parts < 1 ||
		most < 1 || parts*most < rows {
		return nil, fmt.Errorf("cluster: %d choices of %d don't fit %d parts of %d rows", len(choices), width, parts, most)
	}
	p := &Partition{Parts: parts, Of: make([]uint32, rows)}
	sizes := make([]int, parts)
	order := make([]int, rows)
	for i := range order {
		order[i] = i
	}
	regret := func(i int) float32 {
		if width < 2 {
			return 0
		}
		return distance[i*width+1] - distance[i*width]
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(regret(b), regret(a)) })
	for _, i := range order {
		to := uint32(0)
		found := false
		for _, c := range choices[i*width : (i+1)*width] {
			if sizes[c] < most {
				to, found = c, true
				break
			}
		}
		if !found {
			to = emptiest(sizes)
		}
		p.Of[i] = to
		sizes[to]++
	}
	return p, nil
}

func emptiest(sizes []int) uint32 {
	best := 0
	for i, s := range sizes {
		if s < sizes[best] {
			best = i
		}
	}
	return uint32(best)
}

// RefineOptions controls Refine. The zero value of a field means its default.
type RefineOptions struct {
	Most   int    // rows a part; default 1.1 times the mean
	Rounds int    // default 30; it ends when hardly a row moves
	Seed   uint64 // of the order in which rows are looked at
}

// Refine moves rows to the parts that hold most of their neighbours, as far as there is room, so that few
// neighbourhoods are cut. This is size-constrained label propagation (Meyerhenke, Sanders & Schulz, 2014), which also
// exchanges rows with full parts. Neighbours count in both directions.
func Refine(p *Partition, n Neighbors, o RefineOptions) error {
	if err := n.check(); err != nil {
		return err
	}
	if n.Rows() != len(p.Of) {
		return fmt.Errorf("cluster: neighbours of %d rows for a partition of %d", n.Rows(), len(p.Of))
	}
	if o.Most <= 0 {
		o.Most = len(p.Of)*11/(10*p.Parts) + 1
	}
	if o.Rounds <= 0 {
		o.Rounds = 30
	}
	r := &refiner{p: p, edges: bothWays(n), sizes: p.Sizes(), most: o.Most, tally: newTally(p.Parts)}
	rnd := rand.New(rand.NewPCG(o.Seed, uint64(len(p.Of))))
	for range o.Rounds {
		moved := 0
		for _, i := range rnd.Perm(len(p.Of)) {
			if r.visit(uint32(i)) {
				moved++
			}
		}
		if float64(moved) <= settled*float64(len(p.Of)) {
			break
		}
	}
	return nil
}

// edges holds the neighbours of each row in one list.
type edges struct {
	start []int // of a row's in to; one more at the end
	to    []uint32
}

func (e *edges) of(row uint32) []uint32 { return e.to[e.start[row]:e.start[row+1]] }

// bothWays makes each row a neighbour of its neighbours.
func bothWays(n Neighbors) *edges {
	rows := n.Rows()
	e := &edges{start: make([]int, rows+2)}
	each := func(f func(a, b uint32)) {
		for i := range rows {
			for _, j := range n.of(i) {
				if int64(j) < int64(rows) && int(j) != i {
					f(uint32(i), j)
					f(j, uint32(i))
				}
			}
		}
	}
	each(func(a, _ uint32) { e.start[a+2]++ })
	for i := 2; i < len(e.start); i++ {
		e.start[i] += e.start[i-1]
	}
	e.to = make([]uint32, e.start[rows+1])
	each(func(a, b uint32) {
		e.to[e.start[a+1]] = b
		e.start[a+1]++
	})
	e.start = e.start[:rows+1]
	return e
}

// tally counts how often parts occur.
type tally struct {
	count []int
	met   []uint32
}

func newTally(parts int) *tally { return &tally{count: make([]int, parts)} }

func (t *tally) reset() {
	for _, part := range t.met {
		t.count[part] = 0
	}
	t.met = t.met[:0]
}

func (t *tally) add(part uint32) {
	if t.count[part] == 0 {
		t.met = append(t.met, part)
	}
	t.count[part]++
}

type refiner struct {
	p     *Partition
	edges *edges
	sizes []int
	most  int
	tally *tally
}

// visit moves row i to the best part with room, if that is better than its own, or as good and smaller.
func (r *refiner) visit(i uint32) bool {
	own := r.p.Of[i]
	r.tally.reset()
	for _, j := range r.edges.of(i) {
		r.tally.add(r.p.Of[j])
	}
	best := own
	for _, part := range r.tally.met {
		if part == own || r.sizes[part] >= r.most {
			continue
		}
		gain := r.tally.count[part] - r.tally.count[best]
		if gain > 0 || gain == 0 && r.sizes[part]+1 < r.sizes[best] {
			best = part
		}
	}
	if best == own {
		return false
	}
	r.sizes[own]--
	r.sizes[best]++
	r.p.Of[i] = best
	return true
}

// SecondHome returns for each row the part other than its own that holds most of its neighbours, and in gain how many.
// A row whose neighbours are all in its own part gets its own again, and a gain of 0.
func SecondHome(p *Partition, n Neighbors) (home []uint32, gain []int, err error) {
	if err := n.check(); err != nil {
		return nil, nil, err
	}
	if n.Rows() != len(p.Of) {
		return nil, nil, fmt.Errorf("cluster: neighbours of %d rows for a partition of %d", n.Rows(), len(p.Of))
	}
	e, t := bothWays(n), newTally(p.Parts)
	home, gain = slices.Clone(p.Of), make([]int, len(p.Of))
	for i, own := range p.Of {
		t.reset()
		for _, j := range e.of(uint32(i)) {
			if part := p.Of[j]; part != own {
				t.add(part)
			}
		}
		for _, part := range t.met {
			if t.count[part] > gain[i] {
				home[i], gain[i] = part, t.count[part]
			}
		}
	}
	return home, gain, nil
}
