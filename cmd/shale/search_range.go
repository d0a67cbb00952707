package main

import (
	"math"

	"github.com/spf13/cobra"
)

// rangeFlags ask for all vectors within a radius in place of the k nearest.
type rangeFlags struct {
	on     bool // --radius is given
	radius float32
	limit  int // 0: none
}

func (f *rangeFlags) add(c *cobra.Command) {
	c.Flags().Float32Var(&f.radius, "radius", 0, "find all vectors at distance `R` or nearer, in place of the k nearest")
	c.Flags().IntVar(&f.limit, "limit", 0, "with --radius, keep the `N` nearest of a query (default: all)")
}

// check sets on. It refuses flags that have no meaning for a range search, or without one.
func (f *rangeFlags) check(c *cobra.Command) error {
	f.on = c.Flags().Changed("radius")
	if !f.on && c.Flags().Changed("limit") {
		return usagef(c, "--limit goes with --radius: -k is the number of nearest vectors")
	}
	if !f.on {
		return nil
	}
	if r := float64(f.radius); math.IsNaN(r) || math.IsInf(r, 0) {
		return usagef(c, "--radius is %v, not a finite number", r)
	}
	switch {
	case c.Flags().Changed("k"):
		return usagef(c, "-k doesn't go with --radius: --limit bounds the vectors of a range search")
	case c.Flags().Changed("slack"):
		return usagef(c, "--slack doesn't go with --radius, up to which the search goes on")
	case c.Flags().Changed("rerank"):
		return usagef(c, "--rerank doesn't go with --radius: all that is found is ranked by its rows")
	}
	if c.Flags().Changed("limit") {
		return atLeast(c, "limit", f.limit, 1)
	}
	return nil
}

// expectedInRange is the number of results of a query that memory is planned for where there is no limit.
const expectedInRange = 1000

// results is the number of results of a query to plan memory for.
func (f *searchFlags) results() int {
	switch {
	case !f.within.on:
		return f.k
	case f.within.limit > 0:
		return min(f.within.limit, expectedInRange)
	}
	return expectedInRange
}
