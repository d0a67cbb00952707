package main

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/eval"
	"github.com/shale-search/shale/eval/plot"
	"github.com/shale-search/shale/internal/machine"
	"github.com/shale-search/shale/search"
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
	ShareQueries  int             `json:"share_queries,omitempty"` // that tune measured shares on; 0: the build did, on rows
	MemoryBytes   int64           `json:"memory_bytes"`            // of the index
	ResidentBytes int64           `json:"resident_bytes"`          // that the process grew by; 0: not known
}

func evalCommand() *cobra.Command {
	f := &evalFlags{}
	c := &cobra.Command{
		Use:   "eval INDEX --queries FILE --groundtruth FILE",
		Short: "Measure recall and speed over a range of ef",
		Long: `Eval searches for every query with each ef and tells the recall (the share of the k true nearest
that were found), queries a second, the median, 95th and 99th percentile of a search's time,
the distances computed (estimates, where the index has codes), the candidates ranked by their
rows after that, and the nodes visited a query; of an index whose rows stay on disk also the
reads a query takes and what they bring. A first pass, which isn't timed, warms the
caches. Results as near as the k-th true neighbour count as found.

--batch times searches for all queries in one call, where each thread walks several in turn:
more queries a second, but no times of single ones.

--rerank 20, 40 and so on shows what ranking fewer candidates costs and saves; without it the
codes' error decides.`,
		Example: `  shale groundtruth --input vectors.npy --queries queries.npy --metric l2 --output truth.ivecs
  shale eval my.index --queries queries.npy --groundtruth truth.ivecs
  shale eval my.index --queries queries.npy --groundtruth truth.ivecs --ef 20,40,80,160 --plot curve.png
  shale eval my.index --queries queries.npy --groundtruth truth.ivecs --rerank 20
  shale eval my.index --queries queries.npy --groundtruth truth.ivecs --threads 8 --json`,
		Args: indexArg,
	}
	s := c.Flags()
	s.StringVar(&f.queries, "queries", "", "read the vectors to search for from `FILE`")
	s.StringVar(&f.truth, "groundtruth", "", "read their true neighbours from `FILE`: .ivecs, .ibin or .npy")
	s.IntVarP(&f.k, "k", "k", 10, "find `N` results a query")
	s.IntSliceVar(&f.efs, "ef", []int{10, 20, 50, 100}, "measure with each ef of `N,N,...`, raised to k; one saved by tune joins the default")
	s.IntVar(&f.threads, "threads", 1, "search on `N` threads at the same time")
	s.BoolVar(&f.batch, "batch", false, "search for all queries in one call")
	s.StringVar(&f.plot, "plot", "", "draw queries a second over recall to `FILE`, a .png")
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
	if f.plot != "" && !strings.HasSuffix(strings.ToLower(f.plot), ".png") {
		return usagef(c, "--plot %s: plots are written as .png", f.plot)
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
	r, metric, err := f.measure(c, args[0])
	if err != nil {
		return err
	}
	if f.plot != "" {
		title := fmt.Sprintf("%s, %s, %s", args[0], metric, many(f.threads, "thread"))
		if err := plot.Sweep(f.plot, title, f.k, r.Rows); err != nil {
			return err
		}
	}
	if f.json {
		return printJSON(c.OutOrStdout(), r)
	}
	p := &printer{w: c.OutOrStdout()}
	printPoints(p, r.Rows, f.k)
	if r.Share > 0 {
		p.printf("the shards looked into hold %.4f of the true neighbours, %g asked; shares were %s\n",
			r.ShareHeld, r.Share, measuredOn(r.ShareQueries))
	}
	p.printf("%s queries on %s; %s resident; %s\n", count(r.Queries), many(r.Threads, "thread"), size(r.ResidentBytes), r.Machine)
	return p.err
}

func (f *evalFlags) measure(c *cobra.Command, path string) (*evalReport, shale.Metric, error) {
	if err := f.where.check(c, path); err != nil {
		return nil, 0, err
	}
	queries, err := readQueries(c.Context(), f.queries)
	if err != nil {
		return nil, 0, err
	}
	truth, err := readTruth(c.Context(), f.truth, queries.Rows())
	if err != nil {
		return nil, 0, err
	}
	f.where.load = measuringLoad(queries, f.k, slices.Max(f.efs), f.threads)
	if f.batch {
		f.where.load.Queries = queries.Rows()
	}
	debug.FreeOSMemory()
	before := residentBytes()
	index, err := f.where.open(c, path)
	if err != nil {
		return nil, 0, err
	}
	defer index.Close()
	if tuned := index.Effort().Ef; !c.Flags().Changed("ef") && !slices.Contains(f.efs, tuned) {
		f.efs = append(f.efs, tuned)
		slices.Sort(f.efs)
	}
	if err := f.rank.suit(c, index, path); err != nil {
		return nil, 0, err
	}
	if queries.Dim() != index.Dim() {
		return nil, 0, dimError(f.queries, queries.Dim(), index.Dim())
	}
	if err := truth.measure(index, queries, f.k); err != nil {
		return nil, 0, err
	}
	info, err := index.Info()
	if err != nil {
		return nil, 0, err
	}
	r := &evalReport{
		Index: path, Machine: machine.This(), K: f.k, Queries: queries.Rows(), Threads: f.threads, Batch: f.batch,
		MemoryBytes: info.MemoryBytes,
	}
	if f.rank.Probes == 0 {
		shares, err := calibrate(c.Context(), index, queries, truth.Truth, f.k)
		if err != nil {
			return nil, 0, err
		}
		if shares != nil {
			r.Share, r.ShareQueries = cmp.Or(f.rank.Share, search.DefaultShare), info.ShareQueries
			r.ShareHeld = shares.Held(index.Shards(), r.Share)
		}
	}
	bar := newProgress(c.ErrOrStderr(), "measuring", len(f.efs))
	defer bar.end()
	o := eval.Options{
		K: f.k, Threads: f.threads, MinTime: minTime,
		Search: f.rank.Options, Batch: f.batch, Progress: bar.set,
	}
	if r.Rows, err = eval.Sweep(c.Context(), index, queries, truth.Truth, f.efs, o); err != nil {
		return nil, 0, err
	}
	debug.FreeOSMemory()
	r.ResidentBytes = max(residentBytes()-before, 0)
	return r, index.Metric(), nil
}
