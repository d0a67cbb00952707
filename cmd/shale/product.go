package main

import (
	"github.com/spf13/cobra"

	"github.com/shale-search/shale"
)

// productFlags say what codes of product quantization are like.
type productFlags struct {
	subvectors, bits int
	rotate           bool
}

func (f *productFlags) add(c *cobra.Command) {
	s := c.Flags()
	s.IntVar(&f.bits, "pq-bits", 8, "with --codes pq: give a sub-vector `N` bits, 8 or 4")
	s.IntVar(&f.subvectors, "pq-subvectors", 0,
		"with --codes pq: cut vectors into `N` parts, a divisor of their dimensions (default: for 4 bits a dimension)")
	s.BoolVar(&f.rotate, "opq", false, "with --codes pq: find a rotation of which codes lose less; takes longer to train")
}

// options checks the flags.
func (f *productFlags) options(c *cobra.Command, storage shale.Codes) (shale.PQOptions, error) {
	if storage != shale.PQ {
		for _, name := range []string{"pq-bits", "pq-subvectors", "opq"} {
			if c.Flags().Changed(name) {
				return shale.PQOptions{}, usagef(c, "--%s goes with --codes pq", name)
			}
		}
		return shale.PQOptions{}, nil
	}
	if f.bits != 4 && f.bits != 8 {
		return shale.PQOptions{}, usagef(c, "--pq-bits is %d, not 4 or 8", f.bits)
	}
	return shale.PQOptions{Bits: f.bits, Subvectors: f.subvectors, Rotate: f.rotate},
		atLeast(c, "pq-subvectors", f.subvectors, 0)
}
