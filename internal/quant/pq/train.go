package pq

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/shale-search/shale/internal/floats"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/simd"
	"github.com/shale-search/shale/internal/workers"
	"github.com/shale-search/shale/vector"
)

const (
	// DefaultSample is the number of rows that Train looks at. Codes of two values a byte of MiniLM-384 find 0.938 of the
	// ten nearest by 32,768 rows.
	DefaultSample = 64 << 10
	defaultRounds = 20
	// seedRows bounds the sub-vectors that first centroids are drawn from: each takes a pass over them.
	seedRows = 4096
)

// TrainOptions says how to train. The zero value of a field means its default.
type TrainOptions struct {
	Sample   int // rows looked at, at most, taken evenly; default DefaultSample
	Rounds   int // of Lloyd's algorithm; default 20
	Turns    int // of codebooks and rotation in turn, where rows are rotated; default 12
	Threads  int // default GOMAXPROCS
	Seed     uint64
	Progress func(done, total int) // called with the number of steps done, by one goroutine at a time
}

func (o TrainOptions) withDefaults() TrainOptions {
	if o.Sample <= 0 {
		o.Sample = DefaultSample
	}
	if o.Rounds <= 0 {
		o.Rounds = defaultRounds
	}
	if o.Turns <= 0 {
		o.Turns = defaultTurns
	}
	o.Threads = workers.Threads(o.Threads, math.MaxInt)
	return o
}

// Train finds the codebooks of rows by k-means, a sub-vector at a time on each thread, the rotation before that where
// there is to be one, and how far estimates are off. The same rows, options and seed give the same quantizer. Where
// there are fewer distinct sub-vectors than centroids some centroids are the same.
func Train(ctx context.Context, rows vector.Matrix, c Config, o TrainOptions) (*Quantizer, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	if rows.Rows() == 0 || rows.Dim() != c.Dim {
		return nil, fmt.Errorf("%w: %d rows of %d values to train codes of %d by", vector.ErrDim,
			rows.Rows(), rows.Dim(), c.Dim)
	}
	t := &trainer{c: c, o: o.withDefaults(), width: c.Dim / c.Subvectors, row: 1 << c.Bits,
		books: make([]float32, c.Centroids*c.Dim)}
	memory, err := mmap.Anonymous(t.room(rows.Rows()) * c.Dim * 4)
	if err != nil {
		return nil, fmt.Errorf("pq: room for a sample: %w", err)
	}
	defer memory.Close()
	t.rows = mmap.Slice[float32](memory, 0, t.room(rows.Rows())*c.Dim)
	held, err := t.take(rows)
	if err != nil {
		return nil, err
	}
	t.total = c.Subvectors
	var rotation []float32
	if c.Rotated {
		t.total += t.o.Turns
		if rotation, err = t.findRotation(ctx); err != nil {
			return nil, err
		}
		t.rotateRows(rotation)
	}
	if err := t.findBooks(ctx); err != nil {
		return nil, err
	}
	q, err := newQuantizer(c, t.books, rotation, Errors{})
	if err != nil {
		return nil, err
	}
	return q.WithErrors(ctx, held)
}

type trainer struct {
	c     Config
	o     TrainOptions
	width int
	row   int       // as of Quantizer
	n     int       // rows of the sample
	rows  []float32 // n × Dim
	books []float32

	telling     sync.Mutex
	done, total int
}

// tell counts a step that is done and reports it to Progress.
func (t *trainer) tell() {
	t.telling.Lock()
	defer t.telling.Unlock()
	if t.done++; t.o.Progress != nil {
		t.o.Progress(t.done, t.total)
	}
}

// heldShare is the part of the rows that errors are measured on: codes lose less of those that they are trained on.
const heldShare = 8

// heldOut returns the number of rows that errors are measured on, of all there are.
func heldOut(rows int) int { return min(errorRows, rows/heldShare) }

// room returns the number of rows that codes are trained on, of all there are.
func (t *trainer) room(rows int) int { return min(t.o.Sample, rows-heldOut(rows)) }

// take copies rows spread over all, and gives others to measure errors on; where there are few, the same ones.
func (t *trainer) take(rows vector.Matrix) (held vector.Matrix, err error) {
	n, out := rows.Rows(), heldOut(rows.Rows())
	t.n = t.room(n)
	others := make([]float32, out*t.c.Dim)
	s := spread{n: n, held: out}
	for i := range t.n {
		err = errors.Join(err, t.copy(t.rows, i, rows, s.rest(int(int64(i)*int64(n-out)/int64(t.n)))))
	}
	for i := range out {
		err = errors.Join(err, t.copy(others, i, rows, s.out(i)))
	}
	switch {
	case err != nil:
		return held, err
	case out == 0:
		others = t.rows
	}
	return vector.Of(others, t.c.Dim)
}

// copy makes row number at the i-th of to, at length 1 where the metric is cosine.
func (t *trainer) copy(to []float32, i int, rows vector.Matrix, at int) error {
	row := to[i*t.c.Dim : (i+1)*t.c.Dim]
	if rows.Decode(at, row); !floats.Finite(row) {
		return fmt.Errorf("pq: row %d holds NaN or infinity", at)
	}
	if t.c.Metric == vector.Cosine {
		vector.Normalize(row)
	}
	return nil
}

// spread divides n rows into some that are held out, evenly spread, and the rest.
type spread struct{ n, held int }

// out is the number of the i-th row held out.
func (s spread) out(i int) int { return i * (s.n / s.held) }

// rest is the number of the i-th of the other rows.
func (s spread) rest(i int) int {
	if s.held == 0 {
		return i
	}
	between := s.n/s.held - 1 // rows of the rest after each row held out
	if i >= s.held*between {
		return i + s.held
	}
	return i/between*(between+1) + 1 + i%between
}

// each calls f with 0 … n − 1, on several goroutines.
func (t *trainer) each(ctx context.Context, n int, f func(i int)) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(t.o.Threads, n) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}

// findBooks finds the centroids of each sub-vector from scratch.
func (t *trainer) findBooks(ctx context.Context) error {
	return t.each(ctx, t.c.Subvectors, func(m int) {
		p := t.place(m, t.n)
		p.seed()
		for range t.o.Rounds {
			if ctx.Err() != nil || !p.round() {
				break
			}
		}
		t.tell()
	})
}

// place is what k-means of one sub-vector needs.
type place struct {
	rnd     *rand.Rand
	n       int
	width   int
	data    []float32 // n × width
	book    []float32
	columns []float32
	norms   []float32
	nearest []uint8
	sums    []float64
	count   []int
}

// place cuts sub-vector m out of the first n rows.
func (t *trainer) place(m, n int) *place {
	w, k := t.width, t.c.Centroids
	p := &place{
		rnd: rand.New(rand.NewPCG(t.o.Seed, uint64(m))), n: n, width: w, data: make([]float32, n*w),
		book:    t.books[m*k*w : (m+1)*k*w],
		columns: make([]float32, w*t.row), norms: make([]float32, t.row), nearest: make([]uint8, n),
		sums: make([]float64, k*w), count: make([]int, k),
	}
	for i := range n {
		copy(p.data[i*w:(i+1)*w], t.rows[i*t.c.Dim+m*w:])
	}
	return p
}

// value is sub-vector i.
func (p *place) value(i int) []float32 { return p.data[i*p.width : (i+1)*p.width] }

// centroid is that of number c.
func (p *place) centroid(c int) []float32 { return p.book[c*p.width : (c+1)*p.width] }

// seed draws the first centroids as k-means++ does (Arthur & Vassilvitskii, SODA 2007): each among some sub-vectors, by
// their squared distance from the nearest one drawn before.
func (p *place) seed() {
	n := min(p.n, seedRows)
	pick := func(i int) []float32 { return p.value(int(int64(i) * int64(p.n) / int64(n))) }
	far := make([]float64, n)
	at, total := p.rnd.IntN(n), 0.0
	for c := range p.count {
		if c > 0 {
			at = drawn(far, p.rnd.Float64()*total)
		}
		copy(p.centroid(c), pick(at))
		total = 0
		for i := range far {
			if d := squared(pick(i), p.centroid(c)); c == 0 || d < far[i] {
				far[i] = d
			}
			total += far[i]
		}
	}
}

// drawn is the element that the sum of those up to it reaches at.
func drawn(weights []float64, at float64) int {
	for i, w := range weights {
		if at -= w; at < 0 {
			return i
		}
	}
	return len(weights) - 1
}

func squared(a, b []float32) float64 {
	sum := 0.0
	for i, v := range a {
		d := float64(v) - float64(b[i])
		sum += d * d
	}
	return sum
}

// assign finds the nearest centroid of each sub-vector.
func (p *place) assign() {
	transpose(p.columns, p.norms, p.book, p.width)
	simd.Active.Nearest(&p.nearest[0], &p.data[0], &p.norms[0], &p.columns[0], p.n, p.width, len(p.norms))
}

// round is one of Lloyd's algorithm. A centroid that is nobody's nearest moves to a sub-vector drawn among those
// farther than most from theirs. It reports whether any centroid moved.
func (p *place) round() bool {
	p.assign()
	clear(p.sums)
	clear(p.count)
	w := p.width
	for i, c := range p.nearest {
		p.count[c]++
		sum := p.sums[int(c)*w:][:w]
		for j, x := range p.value(i) {
			sum[j] += float64(x)
		}
	}
	moved := false
	for c, n := range p.count {
		to := p.centroid(c)
		if n == 0 {
			copy(to, p.value(p.far()))
			moved = true
			continue
		}
		for j := range to {
			v := float32(p.sums[c*w+j] / float64(n))
			moved = moved || v != to[j]
			to[j] = v
		}
	}
	return moved
}

// far draws a few sub-vectors and gives the one that is farthest from its centroid.
func (p *place) far() int {
	const drawn = 16
	best, most := 0, -1.0
	for range drawn {
		i := p.rnd.IntN(p.n)
		if d := squared(p.value(i), p.centroid(int(p.nearest[i]))); d > most {
			best, most = i, d
		}
	}
	return best
}
