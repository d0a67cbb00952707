package shard

import (
	"context"
	"fmt"
	"math"

	"github.com/shale-search/shale/internal/cluster"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/quant"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

const (
	// divideNeighbors is how many neighbours of a row of the sample say where it belongs.
	divideNeighbors = 10
	divideEf        = 24
	// assignNeighbors say where a row belongs that isn't in the sample, and where its copy goes if its second home is
	// full.
	assignNeighbors = 16
	// divideRounds are those of label propagation, more than its default: they cost seconds, once.
	divideRounds = 80
	// heldOut rows are kept out of the sample, to find out how well queries are routed.
	heldOut = 2000
)

// division says which shards rows belong to: those of a sample, and others by their nearest rows in it.
type division struct {
	sample *hnsw.Index // labels: places in the sample
	spread spread      // the rows of the sample among all
	p      *cluster.Partition
	second []uint32 // another shard of each row of the sample, or its own again
	held   []float32
	router *router
}

func (d *division) close() {
	if d.sample != nil {
		d.sample.Close()
	}
	if d.router != nil {
		_ = d.router.close() // unmapping what it made can't fail
	}
}

// sampleConfig is that of the graph of the sample, which is made quickly and thrown away.
func sampleConfig(c hnsw.Config, rows int) hnsw.Config {
	s := hnsw.Config{Dim: c.Dim, Metric: c.Metric, Storage: vector.Float16, Codes: quickCodes(c.Codes), M: 12,
		EfConstruction: 60, Capacity: rows}
	if c.Metric != vector.Cosine && c.Storage != vector.Float16 {
		s.Storage = vector.Float32
	}
	if s.Codes.Bits == 0 && 4*c.Dim > 192 && c.Dim <= quant.MaxDim && c.Custom == nil {
		s.Codes.Bits = 4
	}
	return s
}

// divide divides the rows of b's source by a sample of them.
func (b *builder) divide(ctx context.Context) (*division, error) {
	d := &division{}
	if err := b.divideInto(ctx, d); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func (b *builder) divideInto(ctx context.Context, d *division) error {
	if err := b.takeSample(ctx, d); err != nil {
		return fmt.Errorf("sample: %w", err)
	}
	b.told("dividing", 0, 0)
	return d.sample.WithImage(func(m *hnsw.Image) error {
		near, err := d.neighbors(ctx, m.Rows, b.o.Threads)
		if err != nil {
			return err
		}
		o := cluster.DivideOptions{Rounds: divideRounds, Threads: b.o.Threads, Seed: b.o.Config.Seed,
			Most: b.mostOfSample(m.Count)}
		if d.p, err = cluster.Divide(ctx, m.Rows, near, b.parts, o); err != nil {
			return err
		}
		if b.o.Copies > 1 {
			if d.second, err = d.secondHomes(near, b.o.Copies-1); err != nil {
				return err
			}
		}
		b.told("routing", 0, 0)
		c, err := cluster.TrainRouter(ctx, m.Rows, d.p, b.o.Centroids,
			cluster.KMeansOptions{Rounds: 8, Sample: 64, Threads: b.o.Threads, Seed: b.o.Config.Seed})
		if err != nil {
			return err
		}
		d.router, err = newRouter(ctx, c, b.o.Config, b.o.Threads)
		return err
	})
}

// mostOfSample is how many of so many rows of the sample a shard may get.
func (b *builder) mostOfSample(rows int) int {
	share := even
	if b.o.Copies > 1 {
		share = evenWithCopies
	}
	return int(float64(rows)*share/float64(b.parts)) + 1
}

// takeSample reads the sample and the rows held out.
func (b *builder) takeSample(ctx context.Context, d *division) error {
	n := b.src.Rows()
	held := min(heldOut, n/20)
	size := min(b.sampleRows, n-held)
	var err error
	if d.sample, err = hnsw.New(sampleConfig(b.o.Config, size)); err != nil {
		return err
	}
	// Rows held out lie evenly among those picked.
	d.spread = spread{size + held, n}
	block := make([]float32, 0, sampleBlock*b.src.Dim())
	add := func() error {
		rows, err := vector.Of(block, b.src.Dim())
		if err != nil {
			return err
		}
		block = block[:0]
		return d.sample.AddBatch(ctx, rows, nil, hnsw.BatchOptions{Threads: b.o.Threads})
	}
	err = d.spread.pick(ctx, b.src, b.o.Config.Metric, func(i int, row []float32) error {
		if d.isHeld(i, held) {
			d.held = append(d.held, row...)
			return nil
		}
		block = append(block, row...)
		if len(block) < cap(block) {
			return nil
		}
		b.told("sampling", i, d.spread.n)
		return add()
	})
	if err == nil {
		err = add()
	}
	return err
}

// sampleBlock is the rows that are added to the sample at a time.
const sampleBlock = 1 << 13

// isHeld reports whether the i-th row picked is one of those held out.
func (d *division) isHeld(i, held int) bool {
	n := d.spread.n
	return (i+1)*held/n > i*held/n
}

// neighbors finds near neighbours of each row of the sample in it.
func (d *division) neighbors(ctx context.Context, rows vector.Matrix, threads int) (cluster.Neighbors, error) {
	const block = 1 << 14
	near := cluster.Neighbors{K: divideNeighbors}
	o := search.Options{Ef: divideEf, Threads: threads}
	for first := 0; first < rows.Rows(); first += block {
		found, err := d.sample.SearchBatch(ctx, rows.Slice(first, min(first+block, rows.Rows())), divideNeighbors+1, o)
		if err != nil {
			return near, err
		}
		for i := range found.Counts {
			kept := 0
			for _, l := range found.Labels[i*found.K : (i+1)*found.K] {
				if l != uint64(first+i) && kept < divideNeighbors {
					near.Of = append(near.Of, uint32(l)) // NoLabel stays no row's number
					kept++
				}
			}
			for ; kept < divideNeighbors; kept++ { // the sample is as small as that
				near.Of = append(near.Of, math.MaxUint32)
			}
		}
	}
	return near, nil
}

// secondHomes gives rows of the sample a second shard, those first that have most neighbours there, until a share of
// the rows has one.
func (d *division) secondHomes(near cluster.Neighbors, share float64) ([]uint32, error) {
	home, gain, err := cluster.SecondHome(d.p, near)
	if err != nil {
		return nil, err
	}
	count := make([]int, 0, 64)
	for _, g := range gain {
		for len(count) <= g {
			count = append(count, 0)
		}
		count[g]++
	}
	room, least := int(share*float64(len(home))), len(count)
	for least > 1 && room >= count[least-1] {
		least--
		room -= count[least]
	}
	for i, g := range gain {
		if g < least {
			home[i] = d.p.Of[i]
		}
	}
	return home, nil
}

// copies is how many shards a row of the sample belongs to, on average.
func (d *division) copies() float64 {
	more := 0
	for i, s := range d.second {
		if s != d.p.Of[i] {
			more++
		}
	}
	return 1 + float64(more)/float64(max(len(d.second), 1))
}

// homeOf is the second shard of a row of the sample, or its only one.
func (d *division) homeOf(row int) uint32 {
	if d.second == nil {
		return d.p.Of[row]
	}
	return d.second[row]
}

// settle notes where a row of the sample went.
func (d *division) settle(row int, home, second uint32) {
	d.p.Of[row] = home
	if d.second != nil {
		d.second[row] = second
	}
}

// homes is where a row belongs.
type homes struct {
	votes []int
	order []uint32
	put   []uint32
}

// byVotes gives the shards of a row's neighbours in the sample, the most frequent first; among equals the one with the
// nearer neighbour.
func (h *homes) byVotes(of []uint32, parts int, near []uint64) []uint32 {
	if h.votes == nil {
		h.votes = make([]int, parts)
	}
	h.order = h.order[:0]
	for _, n := range near {
		if n >= uint64(len(of)) {
			continue
		}
		part := of[n]
		if h.votes[part] == 0 {
			h.order = append(h.order, part)
		}
		h.votes[part]++
	}
	for i := 1; i < len(h.order); i++ { // insertion: few, and stable
		for j := i; j > 0 && h.votes[h.order[j]] > h.votes[h.order[j-1]]; j-- {
			h.order[j], h.order[j-1] = h.order[j-1], h.order[j]
		}
	}
	for _, part := range h.order {
		h.votes[part] = 0
	}
	return h.order
}

// first puts two shards, which may be one, before the others in order.
func (h *homes) first(order []uint32, a, b uint32) []uint32 {
	h.put = append(h.put[:0], a)
	if b != a {
		h.put = append(h.put, b)
	}
	for _, part := range order {
		if part != a && part != b {
			h.put = append(h.put, part)
		}
	}
	return h.put
}
