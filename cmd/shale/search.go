package main

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/datafile"
	"github.com/shale-search/shale/internal/dataname"
	"github.com/shale-search/shale/internal/inside"
	"github.com/shale-search/shale/internal/shard"
)

type searchFlags struct {
	where           indexFlags
	rank            rankFlags
	within          rangeFlags
	queries, filter string
	output          string
	k, ef, threads  int
	json            bool
}

type searchReport struct {
	K       int            `json:"k,omitempty"`
	Radius  *float32       `json:"radius,omitempty"` // of a range search
	Limit   int            `json:"limit,omitempty"`
	Ef      int            `json:"ef"`
	Slack   float32        `json:"slack"`
	Seconds float64        `json:"seconds"`
	Output  string         `json:"output,omitempty"`
	Queries []searchAnswer `json:"queries,omitempty"` // without an output file
}

type searchAnswer struct {
	Labels    []uint64  `json:"labels"`
	Distances []float32 `json:"distances"`
}

func searchCommand() *cobra.Command {
	f := &searchFlags{}
	c := &cobra.Command{
		Use:   "search INDEX --queries FILE",
		Short: "Find the nearest vectors to each query",
		Long: `Search finds the k vectors nearest to each query and prints them as a table:

    shale search my.index --queries queries.npy -k 5

With --output it writes a file instead. A .csv, .tsv, .jsonl or .parquet has a row for each result, with
the columns query and rank, which count from 0 and 1, label and distance. An .npz has the arrays
labels (uint64) and distances (float32), one row of k values per query. If -k is larger than the
number of vectors, its rows have as many values as there are vectors. If a search finds fewer than k,
the rest of its row is filled with label 2^64-1 and distance +Inf.

With --radius R, Search finds all vectors within distance R of each query; --limit N keeps the N
nearest. The .npz then holds one-dimensional arrays labels, distances and offsets (int64): the
results of query q are those from offsets[q] up to, not including, offsets[q+1].

A larger --ef finds more of the true neighbours and takes longer; "shale tune" finds the right one.
--filter restricts the results to the labels in a file.

If the index has codes (see "shale build --help"), Search finds candidates by codes and ranks the
best of them by their rows, so the distances it prints are exact. It ranks as many candidates as the
error of the codes calls for. --rerank N, at least k, ranks N instead: fewer reads, and more missed
neighbours where the codes err. An index built with --rows none prints estimates.

Distances: l2 is the squared distance, ip is 1 minus the inner product, cosine is 1 minus the cosine.`,
		Example: `  shale search my.index --queries queries.npy -k 5
  shale search my.index --queries queries.fvecs -k 100 --ef 400 --output found.npz
  shale search my.index --queries queries.npy --output found.parquet
  shale search my.index --queries queries.npy --filter allowed.txt
  shale search my.index --queries queries.npy -k 10 --rerank 30
  shale search my.index --queries queries.npy --radius 0.3 --limit 1000 --output near.npz
  shale search big.index --queries queries.npy --memory 256MiB
  shale search index.bin --metric l2 --queries queries.npy --json`,
		Args: indexArg,
	}
	s := c.Flags()
	s.StringVar(&f.queries, "queries", "", "read the vectors to search for from `FILE`")
	s.IntVarP(&f.k, "k", "k", 10, "find `N` results a query")
	s.IntVar(&f.ef, "ef", 0, "look at `N` vectors more closely, at least k (default: what tune saved, or 100)")
	s.StringVar(&f.filter, "filter", "",
		"return only labels in `FILE`: text, .npy of integers or booleans, .parquet:COLUMN or .roaring")
	s.IntVar(&f.threads, "threads", 0, "use `N` threads (default: all processors)")
	s.StringVar(&f.output, "output", "",
		"write the results to `FILE`, .npz, .csv, .tsv, .jsonl or .parquet, or to a pipe as in csv:/dev/stdout")
	f.where.add(c)
	f.where.addMemory(c)
	f.within.add(c)
	f.rank.add(c)
	jsonFlag(c, &f.json)
	required(c, "queries")
	c.RunE = f.run
	return c
}

func (f *searchFlags) run(c *cobra.Command, args []string) error {
	if err := f.check(c); err != nil {
		return err
	}
	if err := checkOutput(c, "output", f.output, f.queries, f.filter,
		f.where.vectors, f.where.codes, f.where.codebooks); err != nil {
		return err
	}
	if err := f.where.check(c, args[0]); err != nil {
		return err
	}
	memory, err := parseSize(c, "memory", f.where.memory)
	if err != nil {
		return err
	}
	queries, err := openQueries(c.Context(), f.queries, f.results(), memory)
	if err != nil {
		return err
	}
	defer queries.Close()
	filter, err := readFilter(c.Context(), f.filter)
	if err != nil {
		return err
	}
	f.where.load = shard.SearchLoad{
		K: f.results(), Ef: f.ef, Threads: f.threads, Queries: queries.rows,
		Bytes: int64(len(queries.block)) + filter.bytes(),
	}
	index, err := f.where.open(c, args[0])
	if err != nil {
		return err
	}
	defer index.Close()
	if err := f.rank.suit(c, index, args[0]); err != nil {
		return err
	}
	if queries.Dim() != index.Dim() {
		return dimError(f.queries, queries.Dim(), index.Dim())
	}
	if err := filter.suit(index); err != nil {
		return err
	}
	return f.search(c, index, queries, filter)
}

// effort settles what flags leave to the index.
func (f *searchFlags) effort(c *cobra.Command, index *shale.Index) *searchReport {
	r := &searchReport{K: f.k, Ef: max(f.ef, f.k), Slack: f.rank.Slack, Output: f.output}
	tuned := inside.Of(index).Effort()
	if f.within.on {
		r.K, r.Radius, r.Limit = 0, &f.within.radius, f.within.limit
		r.Ef = cmp.Or(f.ef, tuned.Ef)
		return r
	}
	if f.ef != 0 {
		return r
	}
	r.Ef = max(tuned.Ef, f.k)
	if !c.Flags().Changed("slack") {
		r.Slack = tuned.Slack
	}
	if f.rank.Probes == 0 && f.rank.Share == 0 {
		f.rank.Share = tuned.Share
	}
	return r
}

// search answers the queries, and writes or prints the results.
func (f *searchFlags) search(c *cobra.Command, index *shale.Index, queries *queryFile, filter *filterFile) error {
	ctx, r := c.Context(), f.effort(c, index)
	a := &answering{index: index, queries: queries, k: f.k, o: f.rank.Options}
	a.o.Ef, a.o.Slack, a.o.Filter, a.o.Threads = r.Ef, r.Slack, filter.filter(), f.threads
	if f.within.on {
		a.inRange = &f.within
	}
	if err := a.next(ctx); err != nil {
		return err
	}
	if !f.within.on {
		r.K = a.found.K
	}
	switch {
	case f.output != "":
		if err := a.write(ctx, f.output); err != nil {
			return err
		}
	case f.json:
		return a.printJSON(ctx, c.OutOrStdout(), r)
	default:
		return a.printTable(ctx, c.OutOrStdout())
	}
	if r.Seconds = a.seconds; f.json {
		return printLine(c.OutOrStdout(), r)
	}
	p := &printer{w: c.OutOrStdout()}
	if f.within.on {
		p.printf("%s: the vectors within %v of each of %s, found in %.3f s\n",
			r.Output, f.within.radius, many(queries.Rows(), "query"), r.Seconds)
		return p.err
	}
	p.printf("%s: %s of each of %s, found in %.3f s\n",
		r.Output, many(r.K, "neighbour"), many(queries.Rows(), "query"), r.Seconds)
	return p.err
}

func (f *searchFlags) check(c *cobra.Command) error {
	if err := atLeast(c, "k", f.k, 1); err != nil {
		return err
	}
	if c.Flags().Changed("ef") {
		if err := atLeast(c, "ef", f.ef, 1); err != nil {
			return err
		}
	}
	if f.output != "" && !slices.Contains(datafile.ResultFormats, dataname.OutputFormat(f.output)) {
		return usagef(c, "--output %s: results are written as %s", f.output, strings.Join(datafile.ResultFormats, ", "))
	}
	if err := cmp.Or(f.rank.check(c), f.within.check(c)); err != nil {
		return err
	}
	return atLeast(c, "threads", f.threads, 0)
}
