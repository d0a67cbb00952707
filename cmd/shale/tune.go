package main

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/eval"
	"github.com/shale-search/shale/internal/inside"
	"github.com/shale-search/shale/internal/location"
	"github.com/shale-search/shale/internal/request"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// tuneShares are tried for an index of several shards, from those that look into most of them on.
var tuneShares = []float64{0.995, 0.99, 0.98, 0.96, 0.93, 0.9}

// tunePlannedEf is the largest ef that --memory makes room for, unless --max-ef names another.
const tunePlannedEf = 1000

// tuneTime is how long a setting is timed in each round at least.
const tuneTime = 100 * time.Millisecond

type tuneFlags struct {
	where             indexFlags
	queries, truth    string
	recall            float64
	k, maxEf, threads int
	save, json        bool
	choose            chooseFlags
}

type tuneReport struct {
	Index  string     `json:"index"`
	Wanted float64    `json:"wanted_recall"`
	K      int        `json:"k"`
	Point  eval.Point `json:"chosen"`
	Saved  bool       `json:"saved"`

	// Of an index of several shards: the part of the queries' true neighbours that lies in the shards looked into, with
	// the share chosen, and with the default before shares were measured on these queries.
	ShareHeld   float64 `json:"share_held,omitempty"`
	DefaultHeld float64 `json:"default_share_held,omitempty"`
}

func tuneCommand() *cobra.Command {
	f := &tuneFlags{}
	c := &cobra.Command{
		Use:   "tune INDEX --queries FILE --recall 0.95 | tune --input FILE --metric METRIC --recall 0.95",
		Short: "Find the fastest way to search, or to store vectors, that reaches a recall",
		Long: `Tune finds the fastest settings with which searches reach a recall, the share of the true nearest
neighbours that they find:

    shale tune my.index --queries queries.npy --recall 0.95 --save

It finds the smallest ef that reaches the recall on your queries, then tries larger ones with a slack
that ends easy searches early, and measures which is fastest. For an index of several shards it also
measures how many shards a query must look into. Use a few hundred queries at least, and queries like
those that will come. --save stores the settings in the index, and searches without --ef then use
them.

Tune finds the true neighbours by comparing each query with all vectors of the index, unless
--groundtruth names a file of them. An index built with --rows none holds only codes, and its recall
is measured against these: give --groundtruth to measure it against the original vectors.

With --input in place of an INDEX, Tune chooses codes and rows for vectors that aren't indexed yet:

    shale tune --input vectors.npy --metric cosine --recall 0.95 --memory 2GiB

It builds an index of a sample for each choice of --codes and --rows that may suit, tunes each, and
takes the fastest one that reaches the recall and whose index of all vectors fits into --memory. It
prints what each choice costs, and the "shale build" command for the best one. Without --queries it
sets some vectors of the sample aside and searches for those.`,
		Example: `  shale tune my.index --queries queries.npy --recall 0.95
  shale tune my.index --queries queries.npy --recall 0.99 -k 100 --save
  shale tune my.index --queries queries.npy --recall 0.95 --memory 256MiB --save
  shale tune --input vectors.npy --metric cosine --recall 0.95
  shale tune --input vectors.npy --metric l2 --recall 0.98 --memory 2GiB --queries queries.npy`,
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if len(f.choose.input) == 0 {
			return indexArg(c, args)
		}
		if len(args) > 0 {
			return fmt.Errorf("give an INDEX to tune or --input to choose a storage for, not both")
		}
		return nil
	}
	s := c.Flags()
	s.StringVar(&f.queries, "queries", "", "read the vectors to search for from `FILE`")
	s.StringVar(&f.truth, "groundtruth", "",
		"read their true neighbours from `FILE`: .ivecs, .ibin or .npy (default: computed)")
	s.Float64Var(&f.recall, "recall", 0, "reach `SHARE` of the true neighbours, above 0 and up to 1")
	s.IntVarP(&f.k, "k", "k", 10, "find `N` results a query")
	s.IntVar(&f.maxEf, "max-ef", 0, "try no ef larger than `N` (default: the number of vectors)")
	s.IntVar(&f.threads, "threads", 0, "use `N` threads (default: all processors)")
	s.BoolVar(&f.save, "save", false, "keep ef and slack in the index")
	f.where.add(c)
	jsonFlag(c, &f.json)
	f.choose.add(c)
	required(c, "recall")
	c.RunE = f.run
	return c
}

// check checks the flags that both ways of tuning have.
func (f *tuneFlags) check(c *cobra.Command) error {
	if f.threads == 0 {
		f.threads = runtime.GOMAXPROCS(0)
	}
	if !(f.recall > 0 && f.recall <= 1) {
		return usagef(c, "--recall is %v, not above 0 and up to 1%s", f.recall, shareHint(f.recall))
	}
	return cmp.Or(atLeast(c, "k", f.k, 1), atLeast(c, "max-ef", f.maxEf, 0), atLeast(c, "threads", f.threads, 0))
}

// checkIndex checks what an INDEX asks for.
func (f *tuneFlags) checkIndex(c *cobra.Command, path string) error {
	for _, name := range chooseOnly {
		if c.Flags().Changed(name) {
			return usagef(c, "--%s goes with --input, not with an INDEX", name)
		}
	}
	if f.queries == "" {
		return usagef(c, "--queries must be given")
	}
	if kind, err := location.Detect(path); f.save && err == nil && kind != shale.Directory {
		return usagef(c, "--save needs an index directory, and %s is a %s: shale convert %s NEW --to shale", path, kind, path)
	}
	return nil
}

func (f *tuneFlags) run(c *cobra.Command, args []string) error {
	if err := f.check(c); err != nil {
		return err
	}
	if len(args) == 0 {
		return f.runChoose(c)
	}
	if err := f.checkIndex(c, args[0]); err != nil {
		return err
	}
	f.where.memory, f.where.toChange = f.choose.memory, f.save
	if err := f.where.check(c, args[0]); err != nil {
		return err
	}
	queries, err := readQueries(c.Context(), f.queries)
	if err != nil {
		return err
	}
	var truth *truthFile
	if f.truth != "" {
		if truth, err = readTruth(c.Context(), f.truth, queries.Rows()); err != nil {
			return err
		}
	}
	f.where.load = measuringLoad(queries, f.k, cmp.Or(f.maxEf, tunePlannedEf), 1)
	index, err := f.where.open(c, args[0])
	if err != nil {
		return err
	}
	defer index.Close()
	r := &tuneReport{Index: args[0], Wanted: f.recall, K: f.k, Saved: f.save}
	if err = f.tune(c, index, queries, truth, r); err != nil {
		return err
	}
	if f.save {
		index.Tune(search.Effort{Ef: r.Point.Ef, Slack: r.Point.Slack, Share: r.Point.Share}, f.k, r.Point.Recall)
		if err := index.Save(c.Context(), args[0], shale.SaveOptions{TuningOnly: true}); err != nil {
			return err
		}
	}
	if f.json {
		return printJSON(c.OutOrStdout(), r)
	}
	p := &printer{w: c.OutOrStdout()}
	with := ""
	if r.Point.Slack > 0 {
		with = fmt.Sprintf(" with slack %g", r.Point.Slack)
	}
	if r.Point.Share > 0 {
		with += fmt.Sprintf(" in shards for a share of %g", r.Point.Share)
	}
	p.printf("ef %d%s gives recall@%d of %.4f, with %s queries/s on one thread\n", r.Point.Ef, with, f.k,
		r.Point.Recall, count(int(r.Point.QPS)))
	if r.ShareHeld > 0 {
		p.printf("the shards looked into hold %.4f of the true neighbours of these queries, %g asked; "+
			"by the shares as they were, the default of %g held %.4f\n",
			r.ShareHeld, cmp.Or(r.Point.Share, request.DefaultShare), request.DefaultShare, r.DefaultHeld)
	}
	if f.save {
		p.printf("%s: searches use it from now on\n", args[0])
	}
	return p.err
}

func (f *tuneFlags) tune(c *cobra.Command, index *shale.Index, queries vector.Matrix,
	given *truthFile, r *tuneReport) error {
	ctx := c.Context()
	if queries.Dim() != index.Dim() {
		return dimError(f.queries, queries.Dim(), index.Dim())
	}
	var truth *eval.Truth
	var err error
	if given != nil {
		truth, err = given.Truth, given.covers(f.k, index.Len())
	} else {
		truth, err = eval.IndexTruth(ctx, index, queries, f.k, f.threads)
	}
	if err != nil {
		return err
	}
	shares, err := calibrate(ctx, index, queries, truth, f.k)
	if err != nil {
		return err
	}
	if shares != nil {
		r.DefaultHeld = shares.Held(0)
		shares.Apply()
	}
	maxEf := f.maxEf
	if maxEf == 0 {
		maxEf = index.Len()
	}
	o := eval.Options{K: f.k, MinTime: tuneTime}
	if inside.Of(index).Shards() > 1 {
		o.Search.Share, o.Shares = 1, tuneShares
	}
	r.Point, err = eval.Tune(ctx, index, queries, truth, f.recall, maxEf, o)
	if err == nil && shares != nil {
		r.ShareHeld = shares.Held(r.Point.Share)
	}
	return err
}

// calibrate measures what shares are worth for the queries, by the first k true neighbours of each; of an
// index of one shard it returns nil.
func calibrate(ctx context.Context, index *shale.Index, queries vector.Matrix,
	truth *eval.Truth, k int) (*shard.Calibration, error) {
	labels := make([][]uint64, len(truth.Labels))
	for q, all := range truth.Labels {
		labels[q] = all[:min(k, len(all))]
	}
	return inside.Of(index).Calibrate(ctx, queries, labels)
}
