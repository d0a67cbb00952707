package pq

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/shale-search/shale/vector"
)

// TrainOptions says how to train. The zero value of a field means its default.
type TrainOptions struct {
	Sample   int // rows looked at, at most, taken evenly; default 32,768
	Rounds   int // of Lloyd's algorithm; default 15
	Threads  int // default GOMAXPROCS
	Seed     uint64
	Progress func(done int) // told the number of sub-vectors that are trained, from one goroutine at a time
}

// Train finds the codebooks of rows by k-means, a sub-vector at a time on each thread. The same rows, options and seed give the
// same books. Where there are fewer distinct sub-vectors than centroids some centroids are the same.
func Train(ctx context.Context, rows vector.Matrix, c Config, o TrainOptions) (*Quantizer, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	if rows.Rows() == 0 || rows.Dim() != c.Dim {
		return nil, fmt.Errorf("%w: %d rows of %d values to train codes of %d by", vector.ErrDim, rows.Rows(), rows.Dim(), c.Dim)
	}
	t := newTrainer(c, o)
	if err := t.take(rows); err != nil {
		return nil, err
	}
	if err := t.run(ctx); err != nil {
		return nil, err
	}
	return New(c, t.books)
}

type trainer struct {
	c      Config
	o      TrainOptions
	width  int
	n      int       // rows of the sample
	sample []float32 // sub-vector after sub-vector: n × width each
	books  []float32
}

func newTrainer(c Config, o TrainOptions) *trainer {
	if o.Sample <= 0 {
		o.Sample = 32 << 10
	}
	if o.Rounds <= 0 {
		o.Rounds = 15
	}
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	return &trainer{c: c, o: o, width: c.Dim / c.Subvectors, books: make([]float32, c.Centroids*c.Dim)}
}

// take copies rows spread over all, cut into sub-vectors, those of one place together.
func (t *trainer) take(rows vector.Matrix) error {
	t.n = min(t.o.Sample, rows.Rows())
	t.sample = make([]float32, t.n*t.c.Dim)
	row := make([]float32, t.c.Dim)
	for i := range t.n {
		at := i * rows.Rows() / t.n
		if rows.Decode(at, row); !vector.Finite(row) {
			return fmt.Errorf("pq: row %d holds NaN or infinity", at)
		}
		if t.c.Metric == vector.Cosine {
			vector.Normalize(row)
		}
		for m := range t.c.Subvectors {
			copy(t.sample[(m*t.n+i)*t.width:], row[m*t.width:(m+1)*t.width])
		}
	}
	return nil
}

func (t *trainer) run(ctx context.Context) error {
	var next, done atomic.Int64
	var wg sync.WaitGroup
	var telling sync.Mutex
	for range min(t.o.Threads, t.c.Subvectors) {
		wg.Go(func() {
			for m := int(next.Add(1)) - 1; m < t.c.Subvectors && ctx.Err() == nil; m = int(next.Add(1)) - 1 {
				t.place(ctx, m)
				n := int(done.Add(1))
				if t.o.Progress != nil {
					telling.Lock()
					t.o.Progress(n)
					telling.Unlock()
				}
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}

// place finds the centroids of sub-vector m: k-means from rows drawn at random. A centroid that is nobody's nearest moves to a
// sub-vector drawn among those farther than most from theirs.
func (t *trainer) place(ctx context.Context, m int) {
	k, w := t.c.Centroids, t.width
	rnd := rand.New(rand.NewPCG(t.o.Seed, uint64(m)))
	data, book := t.sample[m*t.n*w:(m+1)*t.n*w], t.books[m*k*w:(m+1)*k*w]
	for i, at := range rnd.Perm(max(t.n, k))[:k] {
		copy(book[i*w:(i+1)*w], data[at%t.n*w:])
	}
	f := newFinder(w)
	sums, count := make([]float64, k*w), make([]int, k)
	for range t.o.Rounds {
		if ctx.Err() != nil {
			return
		}
		f.take(book)
		clear(sums)
		clear(count)
		for i := range t.n {
			v := data[i*w : (i+1)*w]
			c := f.nearest(v)
			count[c]++
			for j, x := range v {
				sums[c*w+j] += float64(x)
			}
		}
		for c := range k {
			for j := range w {
				if count[c] > 0 {
					book[c*w+j] = float32(sums[c*w+j] / float64(count[c]))
				}
			}
			if count[c] == 0 {
				at := t.far(rnd, data, book, f)
				copy(book[c*w:(c+1)*w], data[at*w:(at+1)*w])
			}
		}
	}
}

// finder finds the centroid of one book that is nearest.
type finder struct {
	columns, norms, table, v []float32
}

func newFinder(width int) *finder {
	return &finder{make([]float32, width*maxCentroids), make([]float32, maxCentroids), make([]float32, maxCentroids), make([]float32, width)}
}

func (f *finder) take(book []float32) { transpose(f.columns, f.norms, book, len(f.v)) }

func (f *finder) nearest(v []float32) int {
	copy(f.v, v)
	distances(f.table, f.norms, f.columns, f.v, 1)
	return smallest(f.table)
}

// far draws a few sub-vectors and gives the one that is farthest from its centroid.
func (t *trainer) far(rnd *rand.Rand, data, book []float32, f *finder) int {
	const drawn = 16
	best, most := 0, float32(-1)
	for range drawn {
		i := rnd.IntN(t.n)
		v := data[i*t.width : (i+1)*t.width]
		c := f.nearest(v)
		var d float32
		for j, x := range v {
			e := x - book[c*t.width+j]
			d += e * e
		}
		if d > most {
			best, most = i, d
		}
	}
	return best
}
