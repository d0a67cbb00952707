package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/vector"
)

// required makes flags needed; their absence is a mistake in the command line.
func required(c *cobra.Command, names ...string) {
	next := c.PreRunE
	c.PreRunE = func(c *cobra.Command, args []string) error {
		var missing []string
		for _, n := range names {
			if !c.Flags().Changed(n) || c.Flags().Lookup(n).Value.String() == "" {
				missing = append(missing, "--"+n)
			}
		}
		if len(missing) > 0 {
			return usagef(c, "%s must be given", strings.Join(missing, " and "))
		}
		if next != nil {
			return next(c, args)
		}
		return nil
	}
}

// atLeast refuses smaller values of a flag.
func atLeast(c *cobra.Command, name string, value, least int) error {
	if value < least {
		return usagef(c, "--%s is %d, not at least %d", name, value, least)
	}
	return nil
}

func parseMetric(c *cobra.Command, s string) (shale.Metric, error) {
	m, err := vector.ParseMetric(s)
	if err != nil {
		return 0, usagef(c, "--metric: %w", err)
	}
	return m, nil
}

func parseStorage(c *cobra.Command, name string) (shale.Storage, error) {
	s, err := shale.ParseStorage(name)
	if err != nil {
		return 0, usagef(c, "--storage: %w", err)
	}
	return s, nil
}

func parseKeep(c *cobra.Command, name string) (shale.Keep, error) {
	k, err := shale.ParseKeep(name)
	if err != nil {
		return 0, usagef(c, "--keep: %w", err)
	}
	return k, nil
}

// rankFlags say how candidates become results.
type rankFlags struct {
	rerank int
	slack  float32
	probes int
	share  float64
}

func (f *rankFlags) add(c *cobra.Command) {
	s := c.Flags()
	s.IntVar(&f.rerank, "rerank", 0, "rank `N` candidates found by codes by their rows (default: as many as the codes' error calls for)")
	s.IntVar(&f.probes, "probes", 0, "look into the `N` shards that a query seems to need most (default: as --share says)")
	s.Float64Var(&f.share, "share", 0, "look into as many shards as a query needs to find the share `X` of its neighbours (default 0.98)")
	s.Float32Var(&f.slack, "slack", 0, "end a search at the first candidate farther than 1 + `S` times the k-th, e.g. 0.15 (default: go on as --ef says)")
}

func (f *rankFlags) check(c *cobra.Command) error {
	if !(f.slack >= 0 && f.slack < 1e6) {
		return usagef(c, "--slack is %v, not at least 0", f.slack)
	}
	if !(f.share >= 0 && f.share <= 1) {
		return usagef(c, "--share is %v, not 0 to 1", f.share)
	}
	if err := atLeast(c, "probes", f.probes, 0); err != nil {
		return err
	}
	return atLeast(c, "rerank", f.rerank, 0)
}
