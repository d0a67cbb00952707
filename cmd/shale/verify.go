package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/location"
)

// errDamaged makes the exit code after the problems were told.
var errDamaged = errors.New("the index is damaged")

type verifyReport struct {
	Index     string `json:"index"`
	OK        bool   `json:"ok"`
	Rows      int    `json:"rows"`
	Reachable int    `json:"reachable"` // rows that searches can come to
	// Unreachable counts the rows not marked deleted that they can't come to.
	Unreachable int      `json:"unreachable"`
	Problems    []string `json:"problems"`
}

func verifyCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "verify INDEX",
		Short: "Check that an index is not damaged",
		Long: `Verify reads all of an index and checks checksums, links, labels and vectors. It exits with 0 where
all is in order and with 1 where the index is damaged, and then tells the file, the place in it
and what is wrong. It also counts the rows that searches can't come to by links.`,
		Example: "  shale verify my.index\n  shale verify my.index --json",
		Args:    indexArg,
	}
	jsonFlag(c, &asJSON)
	c.RunE = func(c *cobra.Command, args []string) error {
		if _, err := location.Detect(args[0]); errors.Is(err, shale.ErrNotIndex) && isVectors(args[0]) {
			return explain(err, args[0])
		}
		report, err := shale.Verify(c.Context(), args[0])
		if err != nil {
			return explain(err, args[0])
		}
		r := &verifyReport{
			Index: args[0], OK: len(report.Problems) == 0, Rows: report.Rows,
			Reachable: report.Reachable, Unreachable: report.Unreachable, Problems: []string{},
		}
		for _, p := range report.Problems {
			r.Problems = append(r.Problems, p.Error())
		}
		return r.tell(c, asJSON)
	}
	return c
}

func (r *verifyReport) tell(c *cobra.Command, asJSON bool) error {
	p := &printer{w: c.OutOrStdout()}
	switch {
	case asJSON:
		p.err = printJSON(c.OutOrStdout(), r)
	case r.OK:
		p.printf("%s: in order, %s\n", r.Index, many(r.Rows, "row"))
		if r.Unreachable > 0 {
			p.printf("no links lead to %s; searches may miss them: build the index again\n", many(r.Unreachable, "row"))
		}
	default:
		for _, problem := range r.Problems {
			p.printf("%s\n", problem)
		}
	}
	if p.err == nil && !r.OK {
		return errDamaged
	}
	return p.err
}
