// Package pq is product quantization (Jégou, Douze & Schmid, TPAMI 2011): rows are cut into sub-vectors, and each of these
// is replaced by the number of the nearest of up to 256 centroids of its place. A query's distances to all centroids of all
// places make a table, by which the distance of a code is a sum of look-ups.
package pq

import (
	"fmt"
	"math"

	"github.com/shale-search/shale/vector"
)

// maxCentroids is how many a byte tells apart.
const maxCentroids = 256

// Config says what codes are like. The zero value of a field means its default.
type Config struct {
	Dim        int           // values a row; required
	Metric     vector.Metric // of the distances that Scorer gives; rows and queries are normalised for cosine
	Subvectors int           // a row, which is as many bytes a code; required, and Dim must be a multiple of it
	Centroids  int           // a sub-vector, 1 to 256; default 256
}

func (c Config) withDefaults() (Config, error) {
	if c.Centroids == 0 {
		c.Centroids = maxCentroids
	}
	switch {
	case c.Dim < 1 || c.Dim > 1<<20:
		return c, fmt.Errorf("%w: codes of %d values, not 1 … %d", vector.ErrDim, c.Dim, 1<<20)
	case c.Subvectors < 1 || c.Dim%c.Subvectors != 0:
		return c, fmt.Errorf("pq: %d values can't be cut into %d sub-vectors of one length", c.Dim, c.Subvectors)
	case c.Centroids < 1 || c.Centroids > maxCentroids:
		return c, fmt.Errorf("pq: %d centroids a sub-vector, not 1 … %d", c.Centroids, maxCentroids)
	case c.Metric > vector.Cosine:
		return c, fmt.Errorf("pq: unknown metric %v", c.Metric)
	}
	return c, nil
}

// Quantizer makes codes of rows and rows of codes. It doesn't change, so that many goroutines may use it.
type Quantizer struct {
	cfg     Config
	width   int       // values a sub-vector
	books   []float32 // Subvectors × Centroids × width
	columns []float32 // Subvectors × width × 256: the books with the centroids of a sub-vector side by side
	norms   []float32 // Subvectors × 256: squared lengths of the centroids, and +Inf
	zeros   []float32 // Subvectors × 256
}

// New makes a quantizer of codebooks, Subvectors × Centroids × Dim/Subvectors values, as faiss and hnswlib-mmap have them
// in NumPy arrays of this shape. They are copied.
func New(c Config, books []float32) (*Quantizer, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	width := c.Dim / c.Subvectors
	if len(books) != c.Centroids*c.Dim {
		return nil, fmt.Errorf("pq: codebooks of %d values, not of %d × %d × %d", len(books), c.Subvectors, c.Centroids, width)
	}
	if !vector.Finite(books) {
		return nil, fmt.Errorf("pq: a codebook holds NaN or infinity")
	}
	q := &Quantizer{
		cfg: c, width: width, books: append([]float32(nil), books...),
		columns: make([]float32, c.Dim*maxCentroids), norms: make([]float32, c.Subvectors*maxCentroids),
		zeros: make([]float32, c.Subvectors*maxCentroids),
	}
	for m := range c.Subvectors {
		transpose(q.columns[m*width*maxCentroids:], q.norms[m*maxCentroids:], q.book(m), width)
	}
	return q, nil
}

// transpose writes a book of centroids side by side, a value after the other, and their squared lengths, +Inf for those
// that there aren't.
func transpose(columns, norms, book []float32, width int) {
	clear(columns[:width*maxCentroids])
	for c := range maxCentroids {
		if c*width == len(book) {
			for ; c < maxCentroids; c++ {
				norms[c] = float32(math.Inf(1))
			}
			return
		}
		norms[c] = 0
		for j, v := range book[c*width : (c+1)*width] {
			columns[j*maxCentroids+c] = v
			norms[c] += v * v
		}
	}
}

// Config is what the quantizer was made with, defaults filled in.
func (q *Quantizer) Config() Config { return q.cfg }

// Books are the codebooks, Subvectors × Centroids × Dim/Subvectors. They must not be changed.
func (q *Quantizer) Books() []float32 { return q.books }

// Stride is the number of bytes a code.
func (q *Quantizer) Stride() int { return q.cfg.Subvectors }

// book is the centroids of sub-vector m.
func (q *Quantizer) book(m int) []float32 {
	size := q.cfg.Centroids * q.width
	return q.books[m*size : (m+1)*size]
}

// CheckCodes tests that codes are whole and name centroids that there are.
func (q *Quantizer) CheckCodes(codes []byte) error {
	if len(codes)%q.Stride() != 0 {
		return fmt.Errorf("pq: %d bytes are not codes of %d", len(codes), q.Stride())
	}
	if q.cfg.Centroids == maxCentroids {
		return nil
	}
	for i, c := range codes {
		if int(c) >= q.cfg.Centroids {
			return fmt.Errorf("pq: byte %d names centroid %d of %d", i, c, q.cfg.Centroids)
		}
	}
	return nil
}

// Decode writes what a code stands for to dst, Dim values. The code must be one of this quantizer.
func (q *Quantizer) Decode(code []byte, dst []float32) {
	for m, c := range code[:q.Stride()] {
		copy(dst[m*q.width:(m+1)*q.width], q.book(m)[int(c)*q.width:])
	}
}
