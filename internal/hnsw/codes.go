package hnsw

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/workers"
	"github.com/shale-search/shale/vector"
)

const (
	// trainRows is the number of elements at which an index that grows one by one is trained. Walks read rows before.
	trainRows = 1024
	// sampleRows bounds the rows that a quantizer is trained on; its center is known well enough from these.
	sampleRows = 20_000
	// driftShare is how far the mean of the rows may move from the quantizer's center, as a share of the rows' mean
	// squared distance from their mean, before all codes are made anew: by then the error of codes has grown by about half
	// of it.
	driftShare = 0.2
)

// coder is the codes of a graph's elements and the quantizer that made them.
type coder struct {
	q     quantizer
	codes []byte // capacity rows

	outside bool     // codes were attached: they are somebody else's, and aren't saved
	squared bool     // distances told are squared Euclidean ones where there are no rows
	mapped  bool     // codes lie in a mapped file
	order   []uint32 // whose code element i's is; nil: the i-th
}

// newCoder makes room in g for the codes of all its elements.
func newCoder(g *graph, q quantizer) (*coder, error) {
	codes, err := g.allocCodes(q.Bytes(g.capacity))
	return &coder{q: q, codes: codes}, err
}

func (g *graph) allocCodes(bytes int) ([]byte, error) {
	r, err := mmap.Anonymous(bytes)
	if err != nil {
		return nil, fmt.Errorf("hnsw: room for the codes of %d elements: %w", g.capacity, err)
	}
	g.regions = append(g.regions, r)
	return r.Bytes(), nil
}

// roomForCodes allocates the codes of the image of a graph that is being filled, if it is to have codes. It returns the
// whole array, which has room for all of the graph's elements.
func (r *Reader) roomForCodes(g *graph, m *Image) ([]byte, error) {
	if r.cfg.Codes.Bits == 0 {
		return nil, nil
	}
	codes, err := g.allocCodes(r.cfg.codeBytes(g.capacity))
	if err != nil {
		return nil, err
	}
	m.Quantizer, m.Codes = make([]float32, r.cfg.QuantizerValues()), codes[:m.Count*r.cfg.CodeStride()]
	return codes, nil
}

// adoptCodes makes the codes that an image was filled with the graph's.
func (r *Reader) adoptCodes(g *graph, m *Image, codes []byte) error {
	if r.cfg.Codes.Bits == 0 {
		return nil
	}
	q, err := r.cfg.newQuantizer(m.Quantizer)
	if err != nil {
		return &ImageError{"Quantizer", 0, err.Error()}
	}
	g.coder.Store(&coder{q: q, codes: codes})
	return nil
}

// row returns the code of element id.
func (c *coder) row(id uint32) []byte {
	at := int(id) * c.q.Stride()
	return c.codes[at : at+c.q.Stride()]
}

// trainFor trains the index that has no codes yet for rows that are about to be added.
func (x *Index) trainFor(ctx context.Context, rows vector.Matrix, progress func(done, total int)) (err error) {
	if x.backing != nil {
		defer x.noteFault(&err)
		defer mmap.Catch(mmap.Guard(), &err)
	}
	switch {
	case x.cfg.Codes.Bits == 0:
		return nil
	case !x.cfg.keepsRows():
		return x.trainOnce(ctx, rows, progress)
	}
	x.structure.Lock()
	defer x.structure.Unlock()
	g := x.graph.Load()
	if g == nil {
		return ErrClosed
	}
	if g.coder.Load() != nil || x.Len()+rows.Rows() < trainRows {
		return nil
	}
	q, err := x.train(ctx, progress, g.rows.Slice(0, x.Len()), rows)
	if err != nil {
		return err
	}
	return x.recode(g, q)
}

// trainRestored trains an index whose image held rows without the codes that its Config asks for.
func (x *Index) trainRestored(g *graph) error {
	if x.cfg.Codes.Bits == 0 || g.coder.Load() != nil || x.Len() < trainRows {
		return nil
	}
	q, err := x.train(context.Background(), nil, g.rows.Slice(0, x.Len()))
	if err != nil {
		return err
	}
	return x.recode(g, q)
}

// retrain trains the index, or trains it again if its rows have drifted from what it was trained on, whenever it has
// changed as much as it had before.
func (x *Index) retrain() (err error) {
	if x.backing != nil {
		defer x.noteFault(&err)
		defer mmap.Catch(mmap.Guard(), &err)
	}
	if x.cfg.Codes.Bits == 0 || !x.cfg.keepsRows() || x.changes.Load() < x.nextRetrain.Load() {
		return nil
	}
	x.structure.Lock()
	defer x.structure.Unlock()
	g := x.graph.Load()
	if g == nil || x.changes.Load() < x.nextRetrain.Load() {
		return nil // closed, or another goroutine was faster
	}
	x.nextRetrain.Store(2 * max(x.changes.Load(), trainRows))
	if x.backing != nil && g.coder.Load() != nil {
		return nil // searches read the one array of codes that there is
	}
	rows := g.rows.Slice(0, x.Len())
	if c := g.coder.Load(); c != nil {
		if stale, err := c.q.stale(x, rows); err != nil || !stale {
			return err
		}
	}
	q, err := x.train(context.Background(), nil, rows)
	if err != nil {
		return err
	}
	return x.recode(g, q)
}

// recode encodes all elements by another quantizer. Nothing changes the graph meanwhile; searches that have begun go on
// with the codes they have.
func (x *Index) recode(g *graph, q quantizer) error {
	c, err := x.roomForCoder(g, q)
	if err != nil {
		return err
	}
	if err := c.encode(g.rows.Slice(0, x.Len())); err != nil {
		return err
	}
	if err := x.keepCenter(q.values()); err != nil {
		return err
	}
	g.coder.Store(c)
	x.nextRetrain.Store(2 * max(x.changes.Load(), trainRows))
	return nil
}

// encode makes the codes of the first rows.
func (c *coder) encode(rows vector.Matrix) error {
	const step = 256
	var next atomic.Int64
	errs := make([]error, min(runtime.GOMAXPROCS(0), rows.Rows()/step+1))
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			errs[i] = c.encodeSteps(rows, &next, step)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// encodeSteps encodes a step of rows at a time, from next on, until there are none left. Rows and codes may be mapped.
func (c *coder) encodeSteps(rows vector.Matrix, next *atomic.Int64, step int) (err error) {
	defer mmap.Catch(mmap.Guard(), &err)
	e, row := c.q.encoder(), make([]float32, rows.Dim())
	var yield workers.Yield
	for {
		from := int(next.Add(int64(step))) - step
		if from >= rows.Rows() {
			return nil
		}
		yield.Now()
		for i := from; i < min(from+step, rows.Rows()); i++ {
			rows.Decode(i, row)
			e.Encode(c.row(uint32(i)), row)
		}
	}
}

// sampler finds the mean of rows as the index stores them, from a part of them spread evenly.
type sampler struct {
	cfg *Config
	row []float32
	sum []float64
	sq  float64
	n   int
}

func (s *sampler) add(rows vector.Matrix) {
	if s.sum == nil {
		s.sum = make([]float64, s.cfg.Dim)
	}
	step := rows.Rows()/sampleRows + 1
	for i := 0; i < rows.Rows(); i += step {
		rows.Decode(i, s.row)
		if s.cfg.Metric == vector.Cosine {
			vector.Normalize(s.row)
		}
		for j, v := range s.row {
			s.sum[j] += float64(v)
			s.sq += float64(v) * float64(v)
		}
		s.n++
	}
}

func (s *sampler) mean() []float32 {
	mean := make([]float32, s.cfg.Dim)
	for j, v := range s.sum {
		mean[j] = float32(v / float64(max(s.n, 1)))
	}
	return mean
}

// drift returns the squared distance of center from mean, over the sample's mean squared distance from its mean.
func (s *sampler) drift(center, mean []float32) float64 {
	var moved, length float64
	for j, v := range mean {
		d := float64(v) - float64(center[j])
		moved += d * d
		length += float64(v) * float64(v)
	}
	return moved / max(s.sq/float64(max(s.n, 1))-length, 1e-30)
}
