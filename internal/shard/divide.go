package shard

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/shale-search/shale/internal/cluster"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/quant"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

const (
	// divideNeighbors is the number of neighbours that decide which shard a row of the sample belongs to.
	divideNeighbors = 10
	divideEf        = 24
	// assignNeighbors is the number of neighbours in the sample that decide which shard another row belongs to, and
	// which shard gets its copy if its second shard is full.
	assignNeighbors = 16
	// divideRounds is the number of rounds of label propagation. It is above the default, since the extra rounds cost
	// only seconds in each build.
	divideRounds = 80
	// heldOut is the number of rows that are kept out of the sample, to measure how well queries are routed.
	heldOut = 2000
)

// DivideOptions says how Divide divides rows.
type DivideOptions struct {
	Config    hnsw.Config // of the shards
	Shards    int         // at least 1
	Sample    int         // number of rows of the sample
	Copies    float64     // average number of shards that store a row, 1 to 2
	Centroids int         // number for each shard
	Threads   int         // 0: GOMAXPROCS
	Progress  func(Progress)
}

// Division says which shards the rows of a sample belong to. Other rows go to the shards of their nearest rows in the
// sample: see Assign. Home and Second have an entry for each row of the sample.
type Division struct {
	Shards int
	Sample *hnsw.Index // the graph of the sample, in which element i has the label i
	Home   []uint32    // the shard of each row
	Second []uint32    // a second shard of each row, or its home again; nil if no row has one
	Held   []float32   // rows kept out of the sample to measure routing, one after another

	spread spread  // the positions of Sample and Held among all rows
	router *router // the centroids of all shards
}

// Close frees the graphs.
func (d *Division) Close() error {
	var errs []error
	if d.Sample != nil {
		errs = append(errs, d.Sample.Close())
	}
	if d.router != nil {
		errs = append(errs, d.router.close())
	}
	return errors.Join(errs...)
}

// Centroids returns the graph of the centroids that route queries to shards. The upper 32 bits of a label are the
// number of a shard.
func (d *Division) Centroids() *hnsw.Index { return d.router.built }

// sampleConfig returns the configuration of the graph of the sample, which must be quick to build and is temporary.
func sampleConfig(c hnsw.Config, rows int) hnsw.Config {
	s := hnsw.Config{
		Dim: c.Dim, Metric: c.Metric, Storage: vector.Float16, Codes: quickCodes(c.Codes), M: 12, EfConstruction: 60,
		Capacity: rows,
	}
	if c.Metric != vector.Cosine && c.Storage != vector.Float16 {
		s.Storage = vector.Float32
	}
	if s.Codes.Bits == 0 && 4*c.Dim > 192 && c.Dim <= quant.MaxDim && c.Custom == nil {
		s.Codes.Bits = 4
	}
	return s
}

// Divide divides a sample of the source's rows into shards such that neighbours come together, and finds the
// centroids of the shards. It reads the source once. The caller closes the division.
func Divide(ctx context.Context, src Source, o DivideOptions) (*Division, error) {
	o.Config.Dim = src.Dim()
	d := &Division{Shards: o.Shards}
	err := d.takeSample(ctx, src, o)
	if err != nil {
		err = fmt.Errorf("sample: %w", err)
	} else {
		tell(o.Progress, "dividing", 0, 0)
		err = d.Sample.WithImage(func(m *hnsw.Image) error { return d.divide(ctx, m.Rows, o) })
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// divide divides the rows of the sample.
func (d *Division) divide(ctx context.Context, rows vector.Matrix, o DivideOptions) error {
	near, err := d.neighbors(ctx, rows, o.Threads)
	if err != nil {
		return err
	}
	p, err := cluster.Divide(ctx, rows, near, o.Shards, cluster.DivideOptions{
		Rounds: divideRounds, Threads: o.Threads, Seed: o.Config.Seed, Most: mostOfSample(rows.Rows(), o.Shards, o.Copies),
	})
	if err != nil {
		return err
	}
	d.Home = p.Of
	if o.Copies > 1 {
		if d.Second, err = secondHomes(p, near, o.Copies-1); err != nil {
			return err
		}
	}
	tell(o.Progress, "routing", 0, 0)
	c, err := cluster.TrainRouter(ctx, rows, p, o.Centroids,
		cluster.KMeansOptions{Rounds: 8, Sample: 64, Threads: o.Threads, Seed: o.Config.Seed})
	if err != nil {
		return err
	}
	d.router, err = newRouter(ctx, c, o.Config, o.Threads)
	return err
}

// mostOfSample returns the largest number of the sample's rows that a shard may get.
func mostOfSample(rows, shards int, copies float64) int {
	share := even
	if copies > 1 {
		share = evenWithCopies
	}
	return int(float64(rows)*share/float64(shards)) + 1
}

// takeSample reads the sample and the rows held out.
func (d *Division) takeSample(ctx context.Context, src Source, o DivideOptions) error {
	n := src.Rows()
	held := min(heldOut, n/20)
	size := min(o.Sample, n-held)
	var err error
	if d.Sample, err = hnsw.New(sampleConfig(o.Config, size)); err != nil {
		return err
	}
	// The rows held out are spread evenly among the rows picked.
	d.spread = spread{size + held, n}
	block := make([]float32, 0, sampleBlock*src.Dim())
	add := func() error {
		rows, err := vector.Of(block, src.Dim())
		if err != nil {
			return err
		}
		block = block[:0]
		return d.Sample.AddBatch(ctx, rows, nil, hnsw.BatchOptions{Threads: o.Threads})
	}
	err = d.spread.pick(ctx, src, o.Config.Metric, func(i int, row []float32) error {
		if d.isHeld(i, held) {
			d.Held = append(d.Held, row...)
			return nil
		}
		block = append(block, row...)
		if len(block) < cap(block) {
			return nil
		}
		tell(o.Progress, "sampling", i, d.spread.n)
		return add()
	})
	if err == nil {
		err = add()
	}
	return err
}

// sampleBlock is the number of rows to add to the sample at a time.
const sampleBlock = 1 << 13

// isHeld reports whether the i-th row picked is held out.
func (d *Division) isHeld(i, held int) bool {
	n := d.spread.n
	return (i+1)*held/n > i*held/n
}

// neighbors finds near neighbours of each row of the sample in it.
func (d *Division) neighbors(ctx context.Context, rows vector.Matrix, threads int) (cluster.Neighbors, error) {
	const block = 1 << 14
	near := cluster.Neighbors{K: divideNeighbors}
	o := search.Options{Ef: divideEf, Threads: threads}
	for first := 0; first < rows.Rows(); first += block {
		found, err := d.Sample.SearchBatch(ctx, rows.Slice(first, min(first+block, rows.Rows())), divideNeighbors+1, o)
		if err != nil {
			return near, err
		}
		for i := range found.Counts {
			kept := 0
			for _, l := range found.Labels[i*found.K : (i+1)*found.K] {
				if l != uint64(first+i) && kept < divideNeighbors {
					near.Of = append(near.Of, uint32(l)) // NoLabel isn't the number of any row
					kept++
				}
			}
			for ; kept < divideNeighbors; kept++ { // in a small sample
				near.Of = append(near.Of, math.MaxUint32)
			}
		}
	}
	return near, nil
}

// secondHomes gives the share of rows of the sample that have the most neighbours in a second shard that shard as well.
func secondHomes(p *cluster.Partition, near cluster.Neighbors, share float64) ([]uint32, error) {
	home, gain, err := cluster.SecondHome(p, near)
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
			home[i] = p.Of[i]
		}
	}
	return home, nil
}

// copies returns the average number of shards of a row of the sample.
func (d *Division) copies() float64 {
	more := 0
	for i, s := range d.Second {
		if s != d.Home[i] {
			more++
		}
	}
	return 1 + float64(more)/float64(max(len(d.Second), 1))
}

// homeOf returns the second shard of a row of the sample, or its only one.
func (d *Division) homeOf(row int) uint32 {
	if d.Second == nil {
		return d.Home[row]
	}
	return d.Second[row]
}

// settle records the shards that a row of the sample went to.
func (d *Division) settle(row int, home, second uint32) {
	d.Home[row] = home
	if d.Second != nil {
		d.Second[row] = second
	}
}
