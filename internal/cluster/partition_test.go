package cluster

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// cut counts the neighbours that are in other parts.
func cut(p *Partition, n Neighbors) int {
	c := 0
	for i := range p.Of {
		for _, j := range n.of(i) {
			if int(j) < len(p.Of) && p.Of[i] != p.Of[j] {
				c++
			}
		}
	}
	return c
}

// planted makes groups of rows most of whose neighbours are in their own; row i is in group i%groups.
func planted(rows, groups, k int, rnd *rand.Rand) Neighbors {
	n := Neighbors{K: k, Of: make([]uint32, rows*k)}
	for i := range rows {
		for j := range k {
			to := rnd.IntN(rows/groups)*groups + i%groups
			if rnd.IntN(10) == 0 {
				to = rnd.IntN(rows)
			}
			n.Of[i*k+j] = uint32(to)
		}
	}
	return n
}

func TestFillKeepsToTheSizes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		parts, rows := 1+rnd.IntN(9), rnd.IntN(120)
		most := rows/parts + 1 + rnd.IntN(4)
		width := 1 + rnd.IntN(parts)
		choices, distance := make([]uint32, 0, rows*width), make([]float32, 0, rows*width)
		for range rows {
			d := make([]float32, width)
			for j := range d {
				d[j] = rnd.Float32()
			}
			slices.Sort(d)
			for j, part := range rnd.Perm(parts)[:width] {
				choices, distance = append(choices, uint32(part)), append(distance, d[j])
			}
		}
		p, err := Fill(choices, distance, width, parts, most)
		if err != nil {
			t.Fatal(err)
		}
		sizes := p.Sizes()
		if slices.Max(sizes) > most || len(p.Of) != rows {
			t.Fatalf("%d rows in parts of %v, at most %d", len(p.Of), sizes, most)
		}
		for i, part := range p.Of { // what is nearer than the part taken must be full
			for _, c := range choices[i*width : (i+1)*width] {
				if c == part {
					break
				}
				if sizes[c] < most {
					t.Fatalf("row %d is in %d while %d, nearer, has room", i, part, c)
				}
			}
		}
	}
}

func TestFillRefuses(t *testing.T) {
	two := []uint32{0, 1}
	for name, f := range map[string]func() (*Partition, error){
		"too little room": func() (*Partition, error) { return Fill(two, []float32{1, 2}, 1, 2, 0) },
		"odd lengths":     func() (*Partition, error) { return Fill(two, []float32{1}, 1, 2, 2) },
		"no width":        func() (*Partition, error) { return Fill(two, []float32{1, 2}, 0, 2, 2) },
	} {
		if p, err := f(); err == nil {
			t.Errorf("%s gives %v", name, p)
		}
	}
}

// Refine never cuts more than before nor fills a part beyond its size, and finds groups that were planted.
func TestRefineCutsLess(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2, 2))
	const rows, groups, k = 3000, 6, 8
	n := planted(rows, groups, k, rnd)
	p := &Partition{Parts: groups, Of: make([]uint32, rows)}
	for i := range p.Of {
		p.Of[i] = uint32(i % groups)
		if rnd.IntN(2) == 0 {
			p.Of[i] = uint32(rnd.IntN(groups))
		}
	}
	before := cut(p, n)
	if err := Refine(p, n, RefineOptions{Most: rows/groups + 100}); err != nil {
		t.Fatal(err)
	}
	if after := cut(p, n); after > before/3 {
		t.Errorf("%d neighbours are cut off, %d before", after, before)
	}
	if sizes := p.Sizes(); slices.Max(sizes) > rows/groups+100 {
		t.Errorf("parts of %v", sizes)
	}
	for range 50 { // anything goes
		n := planted(120, 3, 1+rnd.IntN(4), rnd)
		for i := range n.Of {
			if rnd.IntN(4) == 0 {
				n.Of[i] = rnd.Uint32() // none
			}
		}
		p := &Partition{Parts: 5, Of: make([]uint32, 120)}
		for i := range p.Of {
			p.Of[i] = uint32(rnd.IntN(5))
		}
		before, largest := cut(p, n), slices.Max(p.Sizes())
		if err := Refine(p, n, RefineOptions{Seed: rnd.Uint64()}); err != nil {
			t.Fatal(err)
		}
		if after := cut(p, n); after > before || slices.Max(p.Sizes()) > max(largest, 120*11/50+1) {
			t.Fatalf("%d cut, %d before; parts of %v", after, before, p.Sizes())
		}
	}
}

func TestSecondHomeHoldsMostOfTheOthers(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 3))
	const rows, parts = 200, 7
	n := planted(rows, 5, 6, rnd)
	p := &Partition{Parts: parts, Of: make([]uint32, rows)}
	for i := range p.Of {
		p.Of[i] = uint32(rnd.IntN(parts))
	}
	home, gain, err := SecondHome(p, n)
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Of {
		count := make([]int, parts)
		for a := range rows {
			for _, b := range n.of(a) {
				switch {
				case a == int(b):
				case a == i:
					count[p.Of[b]]++
				case int(b) == i:
					count[p.Of[a]]++
				}
			}
		}
		count[p.Of[i]] = 0
		if gain[i] != slices.Max(count) || gain[i] > 0 && count[home[i]] != gain[i] || gain[i] == 0 && home[i] != p.Of[i] {
			t.Fatalf("row %d of part %d: home %d with %d, of %v", i, p.Of[i], home[i], gain[i], count)
		}
	}
}

func TestPartitionsRefuse(t *testing.T) {
	p := &Partition{Parts: 2, Of: make([]uint32, 3)}
	for _, n := range []Neighbors{{}, {K: 2, Of: make([]uint32, 5)}, {K: 2, Of: make([]uint32, 8)}} {
		if Refine(p, n, RefineOptions{}) == nil {
			t.Errorf("Refine takes %v", n)
		}
		if _, _, err := SecondHome(p, n); err == nil {
			t.Errorf("SecondHome takes %v", n)
		}
	}
}
