package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale"
)

// shardFlags say whether and how to divide an index.
type shardFlags struct {
	shards, memory string
	copies         float64
	centroids      int
	plan, blocks   bool
}

func (f *shardFlags) add(c *cobra.Command) {
	s := c.Flags()
	s.StringVar(&f.shards, "shards", "auto", "make `N` graphs; auto makes one, or as many as --memory asks for")
	s.StringVar(&f.memory, "memory", "", "build within `SIZE`, as in 512MiB (default: in one piece, in memory)")
	s.Float64Var(&f.copies, "copies", 1, "store up to `X` rows for each, 1 to 2: those at the borders of shards in two")
	s.IntVar(&f.centroids, "centroids", 256, "let `N` centroids a shard tell which shards a query needs")
	s.BoolVar(&f.blocks, "blocks", false,

		"also lay vectors and links side by side on disk, for searches with --memory that holds only the codes")
	s.BoolVar(&f.plan, "plan", false, "only tell the steps, and the memory, disk and time that they take")
}

// options adds what the flags say to o.
func (f *shardFlags) options(c *cobra.Command, o *shale.BuildOptions) (err error) {
	o.Copies, o.Centroids, o.Blocks = f.copies, f.centroids, f.blocks
	if o.Memory, err = parseSize(c, "memory", f.memory); err != nil {
		return err
	}
	if f.shards != "auto" {
		if o.Shards, err = strconv.Atoi(f.shards); err != nil || o.Shards < 1 {
			return usagef(c, "--shards %s is neither auto nor a number of at least 1", f.shards)
		}
	}
	if !(f.copies >= 1 && f.copies <= 2) {
		return usagef(c, "--copies is %v, not 1 to 2", f.copies)
	}
	return atLeast(c, "centroids", f.centroids, 1)
}

// begunError is a build or an import that was interrupted and can go on.
type begunError struct {
	err error
	dir string // where what is done lies
}

func (e *begunError) Error() string { return e.err.Error() + "; " + e.hint() }
func (e *begunError) Unwrap() error { return e.err }

func (e *begunError) hint() string {
	return fmt.Sprintf("what is done lies in %s, and the same command goes on with it", e.dir)
}

type planReport struct {
	*shale.Plan
	Seconds float64 `json:"seconds"` // estimated
}

// tellPlan prints what a build would do.
func (f *buildFlags) tellPlan(c *cobra.Command, plan *shale.Plan) error {
	took, err := plan.Estimate(c.Context())
	if err != nil {
		return err
	}
	if f.json {
		return printJSON(c.OutOrStdout(), planReport{plan, took.Seconds()})
	}
	p := &printer{w: c.OutOrStdout()}
	p.printf("%v%-12s about %s\n", plan, "time", took.Round(time.Second))
	return p.err
}
