package main

import (
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale/eval"
	"github.com/shale-search/shale/internal/machine"
	"github.com/shale-search/shale/internal/plot"
)

// minTime is how long searches are timed for each ef at least.
const minTime = 500 * time.Millisecond

type evalFlags struct {
	where                indexFlags
	rank                 rankFlags
	queries, truth, plot string
	k, threads           int
	efs                  []int
	batch, json          bool
}

// evalReport is what was measured of an index.
type evalReport struct {
	Index         string          `json:"index"`
	Machine       machine.Machine `json:"machine"`
	K             int             `json:"k"`
	Queries       int             `json:"queries"`
	Threads       int             `json:"threads"`
	Batch         bool            `json:"batch"`
	Rows          []eval.Point    `json:"rows"`
	Share         float64         `json:"share,omitempty"`         // asked for, of an index of several shards
	ShareHeld     float64         `json:"share_held,omitempty"`    // of the true neighbours, in the shards looked into
	ShareQueries  int             `json:"share_queries,omitempty"` // on which tune measured shares; 0: by the build
	Vectors       int             `json:"vectors"`                 // of the index
	Dim           int             `json:"dim"`
	Metric        string          `json:"metric"`
	Storage       string          `json:"storage"`
	MemoryBytes   int64           `json:"memory_bytes"`   // of the index
	ResidentBytes int64           `json:"resident_bytes"` // that the process grew by; 0: not known
}

func evalCommand() *cobra.Command {
	f := &evalFlags{}
	c := &cobra.Command{
		Use:   "eval INDEX... --queries FILE --groundtruth FILE",
		Short: "Measure recall and speed over a range of ef",
		Long: `Eval measures how good and how fast the searches of an index are. It needs the true neighbours of the
queries, which "shale groundtruth" computes:

    shale groundtruth --input vectors.npy --queries queries.npy --metric l2 --output truth.ivecs
    shale eval my.index --queries queries.npy --groundtruth truth.ivecs

For each ef it prints the recall (the share of the k true neighbours that were found), queries per
second, and the median, 95th and 99th percentile of the time of a search. It also prints, per query,
the distances computed (estimates, if the index has codes), the candidates ranked by their rows, and
the nodes visited; if rows stay on disk, the reads and the bytes read too. Results as near as the
k-th true neighbour count as found. Eval first searches for all queries once, untimed, to warm the
caches.

--batch passes all queries in one call, in which each thread walks several at a time: more queries
per second, but no times of single searches. --rerank shows what ranking fewer candidates gains and
costs.

Several indexes are measured one after another, with the same queries. --plot draws queries per
second over recall, one curve per index.`,
		Example: `  shale eval my.index --queries queries.npy --groundtruth truth.ivecs
  shale eval my.index --queries queries.npy --groundtruth truth.ivecs --ef 20,40,80,160 --plot curve.png
  shale eval fp32.index codes.index --queries queries.npy --groundtruth truth.ivecs --plot both.svg
  shale eval my.index --queries queries.npy --groundtruth truth.ivecs --rerank 20
  shale eval my.index --queries queries.npy --groundtruth truth.ivecs --threads 8 --batch --json`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef(c, "name an INDEX, or several")
			}
			return nil
		},
	}
	s := c.Flags()
	s.StringVar(&f.queries, "queries", "", "read the vectors to search for from `FILE`")
	s.StringVar(&f.truth, "groundtruth", "", "read their true neighbours from `FILE`: .ivecs, .ibin or .npy")
	s.IntVarP(&f.k, "k", "k", 10, "find `N` results a query")
	s.IntSliceVar(&f.efs, "ef", []int{10, 20, 50, 100},
		"measure with each ef of `N,N,...`, raised to k; one saved by tune joins the default")
	s.IntVar(&f.threads, "threads", 1, "search on `N` threads at the same time")
	s.BoolVar(&f.batch, "batch", false, "search for all queries in one call")
	s.StringVar(&f.plot, "plot", "", "draw queries a second over recall to `FILE`: .png, .svg or .pdf")
	f.where.add(c)
	f.where.addMemory(c)
	f.rank.add(c)
	jsonFlag(c, &f.json)
	required(c, "queries", "groundtruth")
	c.RunE = f.run
	return c
}

func (f *evalFlags) check(c *cobra.Command) error {
	if err := atLeast(c, "k", f.k, 1); err != nil {
		return err
	}
	if len(f.efs) == 0 || slices.Min(f.efs) < 1 {
		return usagef(c, "--ef must be one or more numbers of at least 1, as in 10,20,50")
	}
	if f.plot != "" {
		if err := plot.Check(f.plot); err != nil {
			return usagef(c, "--plot %w", err)
		}
	}
	if err := f.rank.check(c); err != nil {
		return err
	}
	return atLeast(c, "threads", f.threads, 1)
}

func (f *evalFlags) run(c *cobra.Command, args []string) error {
	if err := f.check(c); err != nil {
		return err
	}
	if err := checkOutput(c, "plot", f.plot, f.queries, f.truth,
		f.where.vectors, f.where.codes, f.where.codebooks); err != nil {
		return err
	}
	all, err := f.measureAll(c, args)
	if err != nil {
		return err
	}
	if f.plot != "" {
		if err := plot.Draw(f.plot, all.title(), f.k, all.curves()); err != nil {
			return err
		}
	}
	if f.json {
		return all.printJSON(c.OutOrStdout())
	}
	return all.print(&printer{w: c.OutOrStdout()})
}
