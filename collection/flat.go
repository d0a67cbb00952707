package collection

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/shale-search/shale/internal/heap"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

const (
	// flatBlockBytes is about the size of a block of rows, flatBlockRows the most that it has.
	flatBlockBytes = 2 << 20
	flatBlockRows  = 1024
	// flatRerank is how many more candidates than asked for a search takes by their codes. Codes of a byte a value are
	// off by so little that the k nearest are among the k + 32 nearest by them.
	flatRerank = 32
)

// flat is one vector of the documents of a segment that isn't sealed: rows in memory, by their numbers, and codes of a
// byte a value beside them, which searches scan. One goroutine may append rows while others search.
type flat struct {
	dim       int
	metric    vector.Metric
	blockRows int
	blocks    atomic.Pointer[[]*flatBlock]
	rows      atomic.Int64
}

// flatBlock is some rows of a flat. It doesn't move, and lies outside the Go heap.
type flatBlock struct {
	region  *mmap.Region
	numbers []uint64 // of documents
	rows    vector.Matrix
	codes   vector.Matrix
}

func newFlat(v Vector) *flat {
	bytes := 8 + 4*v.Dim + rowtype.Size(rowtype.ScaledInt8, v.Dim)
	f := &flat{dim: v.Dim, metric: v.Metric, blockRows: min(max(flatBlockBytes/bytes, 1), flatBlockRows)}
	f.blocks.Store(new([]*flatBlock))
	return f
}

// flatBytes returns the memory that a row of a flat takes.
func flatBytes(dim int) int64 { return int64(8 + 4*dim + rowtype.Size(rowtype.ScaledInt8, dim)) }

func (f *flat) newBlock() (*flatBlock, error) {
	n, coded := f.blockRows, rowtype.Size(rowtype.ScaledInt8, f.dim)
	region, err := mmap.Anonymous(n * int(flatBytes(f.dim)))
	if err != nil {
		return nil, err
	}
	b := &flatBlock{region: region, numbers: mmap.Slice[uint64](region, 0, n)}
	values := mmap.Slice[float32](region, 8*n, n*f.dim)
	codes := mmap.Slice[byte](region, 8*n+4*n*f.dim, n*coded)
	b.rows, err = vector.Of(values, f.dim)
	if err == nil {
		b.codes, err = vector.FromBytes(codes, rowtype.ScaledInt8, n, f.dim, coded)
	}
	if err != nil {
		return nil, errors.Join(err, region.Close())
	}
	return b, nil
}

// append adds the row of a document, whose number is larger than those that are there.
func (f *flat) append(number uint64, row []float32) error {
	n, blocks := int(f.rows.Load()), *f.blocks.Load()
	if n == len(blocks)*f.blockRows {
		b, err := f.newBlock()
		if err != nil {
			return err
		}
		blocks = append(blocks[:len(blocks):len(blocks)], b)
		f.blocks.Store(&blocks)
	}
	b, at := blocks[n/f.blockRows], n%f.blockRows
	b.numbers[at] = number
	rowtype.Encode(b.rows, at, row)
	rowtype.Encode(b.codes, at, row)
	f.rows.Store(int64(n + 1))
	return nil
}

// at returns the block of row i and its place there.
func (f *flat) at(i int) (*flatBlock, int) {
	return (*f.blocks.Load())[i/f.blockRows], i % f.blockRows
}

// below returns the number of rows of documents below a number.
func (f *flat) below(number uint64) int {
	return sort.Search(int(f.rows.Load()), func(i int) bool {
		b, at := f.at(i)
		return b.numbers[at] >= number
	})
}

func (f *flat) close() error {
	var errs []error
	for _, b := range *f.blocks.Load() {
		errs = append(errs, b.region.Close())
	}
	return errors.Join(errs...)
}

// flatScan is one search of a flat.
type flatScan struct {
	scorer  score.Rows
	ids     []uint32 // 0, 1, …
	dist    []float32
	nearest heap.Heap[uint64]
	keys    []uint64 // see distanceKey
}

var flatScans = sync.Pool{New: func() any { return new(flatScan) }}

// distanceKey orders rows by distance and then by their place.
func distanceKey(distance float32, row int) uint64 {
	b := math.Float32bits(distance)
	if b>>31 == 1 {
		b = ^b
	} else {
		b |= 1 << 31
	}
	return uint64(b)<<32 | uint64(row)
}

// keyDistance returns the distance in a key.
func keyDistance(key uint64) float32 {
	b := uint32(key >> 32)
	if b>>31 == 1 {
		return math.Float32frombits(b &^ (1 << 31))
	}
	return math.Float32frombits(^b)
}

// search appends the k nearest rows of documents below next to found, which are exact. allowed, if not nil, decides
// about a row. With exact set it compares all rows, otherwise codes first.
func (f *flat) search(found []search.Neighbor, query []float32, k int, exact bool, next uint64,
	allowed func(number uint64) bool) ([]search.Neighbor, error) {
	if err := score.Check(f.metric, query); err != nil {
		return found, err
	}
	n := f.below(next)
	if n == 0 || k <= 0 {
		return found, nil
	}
	s := flatScans.Get().(*flatScan)
	defer flatScans.Put(s)
	if err := s.bind(f, query); err != nil {
		return found, err
	}
	most := k + flatRerank
	if exact {
		most = k
	}
	if err := s.scan(f, n, most, exact, allowed); err != nil {
		return found, err
	}
	if !exact {
		if err := s.rerank(f); err != nil {
			return found, err
		}
	}
	slices.Sort(s.keys)
	for _, key := range s.keys[:min(k, len(s.keys))] {
		found = append(found, s.neighbor(f, key))
	}
	return found, nil
}

// bind makes query that of the scan.
func (s *flatScan) bind(f *flat, query []float32) error {
	b, _ := f.at(0)
	if err := s.scorer.Reset(b.rows, f.metric, nil); err != nil {
		return err
	}
	copy(s.scorer.Query(), query)
	if f.metric == vector.Cosine {
		vector.Normalize(s.scorer.Query())
	}
	for len(s.ids) < f.blockRows {
		s.ids = append(s.ids, uint32(len(s.ids)))
	}
	if len(s.dist) < f.blockRows {
		s.dist = make([]float32, f.blockRows)
	}
	return nil
}

// reset binds the scorer to the rows of a block, or to its codes.
func (s *flatScan) reset(f *flat, m vector.Matrix) error {
	err := s.scorer.Reset(m, f.metric, nil)
	s.scorer.BindOwn()
	return err
}

// scan fills keys with those of the nearest of the first n rows, in no order.
func (s *flatScan) scan(f *flat, n, most int, exact bool, allowed func(number uint64) bool) error {
	nearest := s.nearest[:0] // complements of keys, so that the farthest is first
	worst := float32(math.Inf(1))
	for first := 0; first < n; first += f.blockRows {
		b, _ := f.at(first)
		m := b.codes
		if exact {
			m = b.rows
		}
		if err := s.reset(f, m); err != nil {
			return err
		}
		rows := min(f.blockRows, n-first)
		s.scorer.Score(s.ids[:rows], s.dist[:rows])
		for i, d := range s.dist[:rows] {
			if d > worst || allowed != nil && !allowed(b.numbers[i]) {
				continue
			}
			if nearest.Push(^distanceKey(d, first+i)); len(nearest) > most {
				nearest.Pop()
			}
			if len(nearest) == most {
				worst = keyDistance(^nearest[0])
			}
		}
	}
	s.nearest, s.keys = nearest, s.keys[:0]
	for _, key := range nearest {
		s.keys = append(s.keys, ^key)
	}
	return nil
}

// rerank puts exact distances in the place of estimates.
func (s *flatScan) rerank(f *flat) error {
	slices.SortFunc(s.keys, func(a, b uint64) int { return cmp.Compare(uint32(a), uint32(b)) })
	var last *flatBlock
	for i, key := range s.keys {
		row := int(uint32(key))
		b, at := f.at(row)
		if b != last {
			if err := s.reset(f, b.rows); err != nil {
				return err
			}
			last = b
		}
		s.scorer.Score(s.ids[at:at+1], s.dist[:1])
		s.keys[i] = distanceKey(s.dist[0], row)
	}
	return nil
}

func (s *flatScan) neighbor(f *flat, key uint64) search.Neighbor {
	b, at := f.at(int(uint32(key)))
	d := keyDistance(key)
	if f.metric == vector.Cosine {
		d = max(d, 0) // rounding may take it below
	}
	return search.Neighbor{Label: b.numbers[at], Distance: d}
}
