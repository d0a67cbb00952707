// Package quant encodes vectors in a few bits per dimension and estimates distances from these codes. It trains
// quantizers on a sample, encodes and decodes rows, and scores codes.
//
// RaBitQ (Gao & Long, SIGMOD 2024; Gao et al., SIGMOD 2025) subtracts the mean from a vector, rotates the rest by a
// random rotation and rounds it to a grid of 2^b values per dimension. Two factors per row make the estimate of an
// inner product unbiased and bound its error. Scalar codes are the same without the rotation.
package quant

import (
	"fmt"

	"github.com/shale-search/shale/vector"
)

// Kind is a kind of codes.
type Kind uint8

// The kinds.
const (
	RaBitQ  Kind = iota // rotated at random: unbiased on any data
	Scalar              // not rotated: a little faster, for data whose dimensions have similar ranges
	Product             // product quantization, which package pq implements
)

func (k Kind) String() string {
	switch k {
	case Scalar:
		return "sq"
	case Product:
		return "pq"
	}
	return "rabitq"
}

// MaxDim is the largest number of dimensions.
const MaxDim = 1 << 16

// Config describes a kind of codes. Kind, Bits and Dim are required.
type Config struct {
	Dim    int
	Metric vector.Metric
	Kind   Kind
	Bits   int    // per dimension: 1, 2, 3, 4 or 8
	Seed   uint64 // of the rotation
}

func (c *Config) check() error {
	switch {
	case c.Dim < 1 || c.Dim > MaxDim:
		return fmt.Errorf("%w: codes of %d dimensions, not 1 … %d", vector.ErrDim, c.Dim, MaxDim)
	case c.Bits < 1 || c.Bits > 4 && c.Bits != 8:
		return fmt.Errorf("quant: %d bits a dimension, not 1, 2, 3, 4 or 8", c.Bits)
	case c.Kind > Scalar:
		return fmt.Errorf("quant: unknown kind %d", c.Kind)
	case c.Metric > vector.Cosine:
		return fmt.Errorf("quant: unknown metric %v", c.Metric)
	}
	return nil
}

// scale returns the factor of the inner product of residuals in a distance.
func (c *Config) scale() float32 {
	if c.Metric == vector.L2 {
		return 2
	}
	return 1
}
