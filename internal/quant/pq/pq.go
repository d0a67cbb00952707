// Package pq is product quantization (Jégou, Douze & Schmid, TPAMI 2011): rows are cut into sub-vectors, and each of
// these is replaced by the number of the nearest of up to 256 centroids of its place. A query's distances to all
// centroids of all places make a table, by which the distance of a code is a sum of look-ups.
//
// Rows may be rotated first, such that less is lost: optimized product quantization (Ge, He, Ke & Sun, CVPR 2013).
package pq

import (
	"errors"
	"fmt"

	"github.com/shale-search/shale/internal/floats"
	"github.com/shale-search/shale/vector"
)

// MaxDim is the largest number of values a row.
const MaxDim = 1 << 16

// maxRotated is the largest number of values a row that are rotated: the time of it goes with the square.
const maxRotated = 1 << 12

// Config says what codes are like. The zero value of a field means its default.
type Config struct {
	Dim        int           // values a row; required
	Metric     vector.Metric // of the distances that Scorer gives; rows are normalised for cosine, and queries have to be
	Subvectors int           // a row; required, and Dim must be a multiple of it
	Bits       int           // a sub-vector: 8, a byte, which is the default, or 4, two in a byte
	Centroids  int           // a sub-vector, 1 to 2^Bits; default 2^Bits
	Rotated    bool          // whether rows are rotated before they are cut, by what training finds
}

func (c Config) withDefaults() (Config, error) {
	if c.Bits == 0 {
		c.Bits = 8
	}
	if c.Bits != 4 && c.Bits != 8 {
		return c, fmt.Errorf("pq: %d bits a sub-vector, not 4 or 8", c.Bits)
	}
	if c.Centroids == 0 {
		c.Centroids = 1 << c.Bits
	}
	switch {
	case c.Dim < 1 || c.Dim > MaxDim:
		return c, fmt.Errorf("%w: codes of %d values, not 1 … %d", vector.ErrDim, c.Dim, MaxDim)
	case c.Rotated && c.Dim > maxRotated:
		return c, fmt.Errorf("pq: rows of %d values are too long to be rotated, at most %d are possible", c.Dim, maxRotated)
	case c.Subvectors < 1 || c.Dim%c.Subvectors != 0:
		return c, fmt.Errorf("pq: %d values can't be cut into %d sub-vectors of one length", c.Dim, c.Subvectors)
	case c.Centroids < 1 || c.Centroids > 1<<c.Bits:
		return c, fmt.Errorf("pq: %d centroids a sub-vector, not 1 … %d", c.Centroids, 1<<c.Bits)
	case c.Metric > vector.Cosine:
		return c, fmt.Errorf("pq: unknown metric %v", c.Metric)
	}
	return c, nil
}

// WithDefaults fills in what is left to its default.
func (c Config) WithDefaults() Config {
	c, _ = c.withDefaults() // Check tells of mistakes
	return c
}

// Check reports what is wrong with the configuration.
func (c Config) Check() error {
	_, err := c.withDefaults()
	return err
}

// Stride is the number of bytes a code.
func (c Config) Stride() int {
	if c.Bits == 4 {
		return (c.Subvectors + 1) / 2
	}
	return c.Subvectors
}

// Params is the number of values that Quantizer.Params gives.
func (c Config) Params() int {
	c, err := c.withDefaults()
	if err != nil {
		return 0
	}
	n := errorParams + c.Centroids*c.Dim
	if c.Rotated {
		n += c.Dim * c.Dim
	}
	return n
}

// Quantizer makes codes of rows and rows of codes. It doesn't change, so that many goroutines may use it.
type Quantizer struct {
	cfg      Config
	width    int       // values a sub-vector
	row      int       // centroids a sub-vector that columns have room for: 256 or 16
	books    []float32 // Subvectors × Centroids × width
	rotation []float32 // Dim × Dim, orthogonal; nil: none
	columns  []float32 // Subvectors × width × row: the books with the centroids of a sub-vector side by side
	norms    []float32 // Subvectors × row: squared lengths of the centroids
	halves   []float32 // half of these
	zeros    []float32 // Subvectors × row
	errors   Errors
}

// New makes a quantizer of codebooks, Subvectors × Centroids × Dim/Subvectors values, as faiss and hnswlib-mmap have
// them in NumPy arrays of this shape. They are copied. Nothing is known of its errors: see WithErrors.
func New(c Config, books []float32) (*Quantizer, error) {
	if c.Rotated {
		return nil, errors.New("pq: codebooks alone don't tell the rotation")
	}
	return newQuantizer(c, books, nil, Errors{})
}

// Restore makes a quantizer of what Params gave, which is copied.
func Restore(c Config, params []float32) (*Quantizer, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	if len(params) != c.Params() {
		return nil, fmt.Errorf("pq: %d parameters, not %d", len(params), c.Params())
	}
	params = append([]float32(nil), params...)
	books := params[errorParams:][:c.Centroids*c.Dim]
	var rotation []float32
	if c.Rotated {
		rotation = params[errorParams+len(books):]
	}
	return newQuantizer(c, books, rotation, Errors{params[0], params[1]})
}

func newQuantizer(c Config, books, rotation []float32, e Errors) (*Quantizer, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	width := c.Dim / c.Subvectors
	if len(books) != c.Centroids*c.Dim {
		return nil, fmt.Errorf("pq: codebooks of %d values, not of %d × %d × %d", len(books),
			c.Subvectors, c.Centroids, width)
	}
	if !floats.Finite(books) || !floats.Finite(rotation) {
		return nil, errors.New("pq: a codebook or the rotation holds NaN or infinity")
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	q := &Quantizer{cfg: c, width: width, row: 1 << c.Bits, books: append([]float32(nil), books...),
		rotation: rotation, errors: e}
	q.columns, q.norms = make([]float32, c.Dim*q.row), make([]float32, c.Subvectors*q.row)
	q.zeros = make([]float32, c.Subvectors*q.row)
	for m := range c.Subvectors {
		transpose(q.columns[m*width*q.row:], q.norms[m*q.row:][:q.row], q.book(m), width)
	}
	q.halves = make([]float32, len(q.norms))
	for i, n := range q.norms {
		q.halves[i] = n / 2
	}
	return q, nil
}

// transpose writes a book of centroids side by side, a value after the other, and their squared lengths. The first one
// stands for those that there aren't: of centroids equally near the first is taken.
func transpose(columns, norms, book []float32, width int) {
	for c := range norms {
		from := book[:width]
		if c*width < len(book) {
			from = book[c*width : (c+1)*width]
		}
		norms[c] = 0
		for j, v := range from {
			columns[j*len(norms)+c] = v
			norms[c] += v * v
		}
	}
}

// Config is what the quantizer was made with, defaults filled in.
func (q *Quantizer) Config() Config { return q.cfg }

// Books are the codebooks, Subvectors × Centroids × Dim/Subvectors. They must not be changed.
func (q *Quantizer) Books() []float32 { return q.books }

// Params is all that the quantizer was trained to, for Restore.
func (q *Quantizer) Params() []float32 {
	p := make([]float32, 0, q.cfg.Params())
	p = append(p, q.errors.Length, q.errors.Distortion)
	return append(append(p, q.books...), q.rotation...)
}

// Stride is the number of bytes a code.
func (q *Quantizer) Stride() int { return q.cfg.Stride() }

// Bytes returns the size of an array of a number of codes.
func (q *Quantizer) Bytes(rows int) int { return rows * q.Stride() }

// book is the centroids of sub-vector m.
func (q *Quantizer) book(m int) []float32 {
	size := q.cfg.Centroids * q.width
	return q.books[m*size : (m+1)*size]
}

// CheckCodes tests that codes are whole and name centroids that there are. The *CodeError tells where they don't.
func (q *Quantizer) CheckCodes(codes []byte) error { return q.cfg.CheckCodes(codes) }

// CodeError says which byte of codes is wrong.
type CodeError struct {
	Byte   int
	Reason string
}

func (e *CodeError) Error() string {
	return fmt.Sprintf("pq: byte %d of the codes: %s", e.Byte, e.Reason)
}

// CheckCodes is Quantizer.CheckCodes for those who have no quantizer.
func (c Config) CheckCodes(codes []byte) error {
	c, err := c.withDefaults()
	if err != nil {
		return err
	}
	stride := c.Stride()
	if len(codes)%stride != 0 {
		return &CodeError{len(codes), fmt.Sprintf("%d bytes are not codes of %d", len(codes), stride)}
	}
	if c.Bits == 4 {
		return c.checkHalves(codes)
	}
	if c.Centroids == 256 {
		return nil
	}
	for i, b := range codes {
		if int(b) >= c.Centroids {
			return &CodeError{i, fmt.Sprintf("centroid %d of %d", b, c.Centroids)}
		}
	}
	return nil
}

func (c Config) checkHalves(codes []byte) error {
	stride, odd := c.Stride(), c.Subvectors%2 != 0
	if c.Centroids == 16 && !odd {
		return nil
	}
	for i, b := range codes {
		if int(b&15) >= c.Centroids || int(b>>4) >= c.Centroids {
			return &CodeError{i, fmt.Sprintf("centroids %d and %d of %d", b&15, b>>4, c.Centroids)}
		}
		if odd && i%stride == stride-1 && b>>4 != 0 {
			return &CodeError{i, "bits past the last sub-vector"}
		}
	}
	return nil
}

// Decode writes what a code stands for to dst, Dim values. The code must be one of this quantizer.
func (q *Quantizer) Decode(code []byte, dst []float32) {
	if q.rotation == nil {
		q.decodeRotated(code, dst)
		return
	}
	rotated := make([]float32, q.cfg.Dim)
	q.decodeRotated(code, rotated)
	rotateBack(dst, q.rotation, rotated)
}

// decodeRotated writes the centroids that a code names.
func (q *Quantizer) decodeRotated(code []byte, dst []float32) {
	for m := range q.cfg.Subvectors {
		copy(dst[m*q.width:(m+1)*q.width], q.book(m)[q.centroid(code, m)*q.width:])
	}
}

// centroid is the one that a code names for sub-vector m.
func (q *Quantizer) centroid(code []byte, m int) int {
	if q.cfg.Bits == 8 {
		return int(code[m])
	}
	return int(code[m/2] >> (4 * (m % 2)) & 15)
}
