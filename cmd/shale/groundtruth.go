package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale/internal/datafile"
	"github.com/shale-search/shale/internal/dataname"
	"github.com/shale-search/shale/internal/exact"
	"github.com/shale-search/shale/internal/rowlabels"
	"github.com/shale-search/shale/vector"
)

type truthFlags struct {
	input, labels           []string
	queries, output, metric string
	k, threads              int
	json                    bool
}

type truthReport struct {
	Output  string  `json:"output"`
	Rows    int     `json:"rows"`
	Queries int     `json:"queries"`
	Dim     int     `json:"dim"`
	Metric  string  `json:"metric"`
	K       int     `json:"k"`
	Threads int     `json:"threads"`
	Seconds float64 `json:"seconds"`
}

func groundtruthCommand() *cobra.Command {
	f := &truthFlags{}
	c := &cobra.Command{
		Use:   "groundtruth --input FILE --queries FILE --metric l2|ip|cosine --output FILE",
		Short: "Find the true nearest vectors by comparing all",
		Long: `Groundtruth compares every query with every vector and writes the k nearest rows of each query,
nearest first, ties by smaller label: what "shale eval" and "shale tune" judge by. The vectors
stream through memory, so they may be more than fit.`,
		Example: `  shale groundtruth --input vectors.npy --queries queries.npy --metric cosine --output truth.ivecs
  shale groundtruth --input base.fvecs --queries query.fvecs --metric l2 -k 10 --output truth.npy`,
	}
	s := c.Flags()
	filesFlag(c, &f.input, "input", inputUsage)
	s.StringVar(&f.queries, "queries", "", "read the vectors to search for from `FILE`")
	s.StringVar(&f.metric, "metric", "", "compare by `METRIC`: l2, ip or cosine")
	filesFlag(c, &f.labels, "labels", "read the labels from `FILE`: text, .npy or .parquet:COLUMN (default 0, 1, …)")
	s.IntVarP(&f.k, "k", "k", 100, "find `N` neighbours a query")
	s.IntVar(&f.threads, "threads", 0, "use `N` threads (default: all processors)")
	s.StringVar(&f.output, "output", "",
		"write the labels to `FILE`: .ivecs, .ibin or .npy, or a pipe as in ivecs:/dev/stdout")
	jsonFlag(c, &f.json)
	required(c, "input", "queries", "metric", "output")
	c.RunE = f.run
	return c
}

func (f *truthFlags) run(c *cobra.Command, _ []string) error {
	metric, err := f.check(c)
	if err != nil {
		return err
	}
	r, err := f.find(c.Context(), metric, c.ErrOrStderr())
	if err != nil {
		return err
	}
	return tell(c, f.json, r, "%s: the %d nearest of %s to each of %s, found in %.2f s on %s",
		r.Output, r.K, many(r.Rows, "vector"), many(r.Queries, "query"), r.Seconds, many(r.Threads, "thread"))
}

func (f *truthFlags) check(c *cobra.Command) (vector.Metric, error) {
	if err := atLeast(c, "k", f.k, 1); err != nil {
		return 0, err
	}
	if err := atLeast(c, "threads", f.threads, 0); err != nil {
		return 0, err
	}
	switch dataname.OutputFormat(f.output) {
	case ".ivecs", ".ibin", ".npy":
		if err := checkOutput(c, "output", f.output, append(slices.Concat(f.input, f.labels), f.queries)...); err != nil {
			return 0, err
		}
		return parseMetric(c, f.metric)
	}
	return 0, usagef(c, "--output %s: the labels are written as .ivecs, .ibin or .npy", f.output)
}

func (f *truthFlags) find(ctx context.Context, metric vector.Metric, messages io.Writer) (*truthReport, error) {
	rows, err := openRows(ctx, f.input)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	queries, err := readQueriesOf(ctx, f.queries, rows.Dim())
	if err != nil {
		return nil, err
	}
	labels, err := readRowLabels(ctx, f.labels, rows.Rows())
	if err != nil {
		return nil, err
	}
	threads := f.threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	r := &truthReport{
		Output: f.output, Rows: rows.Rows(), Queries: queries.Rows(), Dim: rows.Dim(),
		Metric: metric.String(), K: f.k, Threads: threads,
	}
	if f.k > rows.Rows() {
		fmt.Fprintf(messages, "%s: %s: all of them are the nearest, not %d\n", rows, many(rows.Rows(), "vector"), f.k)
		f.k, r.K = rows.Rows(), rows.Rows()
	}
	search, err := exact.New(queries, metric, f.k, threads)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.queries, err)
	}
	old, n := rowlabels.Superseded(labels)
	r.Rows -= n
	bar := newProgress(messages, "comparing", rows.Rows())
	defer bar.end()
	r.Seconds, err = timed(func() error {
		return rows.Blocks(ctx, func(first int, block vector.Matrix) error {
			err := search.Add(ctx, block, labelsFrom(first, labels, old))
			bar.set(first + block.Rows())
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", rows, err)
	}
	nearest, _ := search.Nearest()
	return r, datafile.WriteNeighbors(f.output, neighborsOf(nearest, f.k))
}

// labelsFrom gives the labels of a block's rows: those listed, or else their numbers. Rows that later ones with the
// same label take the place of, as in an index, are left out.
func labelsFrom(first int, labels []uint64, old rowlabels.Set) func(i int) (uint64, bool) {
	return func(i int) (uint64, bool) {
		if labels == nil {
			return uint64(first + i), true
		}
		return labels[first+i], !old.Has(first + i)
	}
}

// neighborsOf returns the labels as a file holds them: k for each query, -1 where there are fewer.
func neighborsOf(nearest [][]uint64, k int) [][]int64 {
	rows := make([][]int64, len(nearest))
	for q, labels := range nearest {
		rows[q] = slices.Repeat([]int64{-1}, k)
		for i, label := range labels {
			rows[q][i] = int64(label)
		}
	}
	return rows
}
