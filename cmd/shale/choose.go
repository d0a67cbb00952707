package main

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/choose"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/vector"
)

const (
	chooseRows    = 20_000 // of the sample, unless --sample says otherwise
	chooseQueries = 500    // kept out of the sample
	fewestRows    = 2000   // that make a choice: indexes of fewer than 1,024 have no codes
)

// chooseOnly are the flags that --input brings with it.
var chooseOnly = []string{"sample", "codes", "rows", "storage", "keep", "m", "ef-construction"}

// chooseFlags say what tune chooses a storage for.
type chooseFlags struct {
	input                     []string
	memory                    string
	codes                     codesFlags
	sample, m, efConstruction int
}

type chooseReport struct {
	Input   string         `json:"input"`
	Rows    int            `json:"rows"`
	Dim     int            `json:"dim"`
	Sample  int            `json:"sample"`
	Queries int            `json:"queries"`
	Wanted  float64        `json:"wanted_recall"`
	K       int            `json:"k"`
	Memory  int64          `json:"memory_bytes"` // allowed; 0: any number
	Tried   []chosenReport `json:"tried"`
	Chosen  *chosenReport  `json:"chosen"`
	Command string         `json:"command"`
}

type chosenReport struct {
	Storage string `json:"storage"`
	Keep    string `json:"keep"`
	choose.Candidate
}

func (f *chooseFlags) add(c *cobra.Command) {
	s := c.Flags()
	filesFlag(c, &f.input, "input", "choose how to store the vectors of `FILE`")
	s.StringVar(&f.memory,
		"memory", "", "keep an INDEX within `SIZE`, as in 2GiB, or choose one of at most that size (default: any)")
	s.IntVar(&f.sample, "sample", chooseRows, "build indexes of `N` vectors")
	f.codes.add(c, "try only `CODES`", "try only rows of `TYPE`")
	s.IntVar(&f.m, "m", 16, "as for shale build: `N` links")
	s.IntVar(&f.efConstruction, "ef-construction", 200, "as for shale build: `N` vectors looked at")
}

// chooseOptions checks the flags. The second result is the memory allowed.
func (f *tuneFlags) chooseOptions(c *cobra.Command) (shale.BuildOptions, int64, error) {
	b := buildFlags{
		metric: f.where.metric, codes: f.choose.codes,
		m: f.choose.m, efConstruction: f.choose.efConstruction, threads: f.threads,
	}
	for _, name := range []string{"save", "groundtruth", "dim", "max-ef", "global-labels"} {
		if c.Flags().Changed(name) {
			return shale.BuildOptions{}, 0, usagef(c, "--%s goes with an INDEX, not with --input", name)
		}
	}
	if b.metric == "" {
		return shale.BuildOptions{}, 0, usagef(c, "--input needs --metric l2, ip or cosine")
	}
	if err := atLeast(c, "sample", f.choose.sample, fewestRows); err != nil {
		return shale.BuildOptions{}, 0, err
	}
	o, err := b.options(c)
	if err != nil {
		return o, 0, err
	}
	memory, err := parseSize(c, "memory", f.choose.memory)
	return o, memory, err
}

func (f *tuneFlags) runChoose(c *cobra.Command) error {
	o, memory, err := f.chooseOptions(c)
	if err != nil {
		return err
	}
	rows, err := openRows(c.Context(), f.choose.input)
	if err != nil {
		return err
	}
	defer rows.Close()
	if rows.Rows() < fewestRows {
		return fmt.Errorf("%s: %s are too few to choose by: any storage is fast with fewer than %s", rows,
			many(rows.Rows(), "vector"), count(fewestRows))
	}
	sample, queries, err := f.parts(c, rows)
	if err != nil {
		return err
	}
	bar := newProgress(c.ErrOrStderr(), "trying", 1)
	list, at, err := choose.Codes(c.Context(), sample, queries, choose.Options{
		Index: o, Wanted: f.recall, Rows: rows.Rows(), Memory: memory, K: f.k,
		Progress: bar.setOf,
	})
	bar.end()
	if err != nil {
		return err
	}
	r := &chooseReport{
		Input: rows.String(), Rows: rows.Rows(), Dim: rows.Dim(), Sample: sample.Rows(), Queries: queries.Rows(),
		Wanted: f.recall, K: f.k, Memory: memory,
	}
	for _, x := range list {
		r.Tried = append(r.Tried, chosenReport{string(x.Codes), string(x.Rows), x})
	}
	if at >= 0 {
		r.Chosen = &r.Tried[at]
		r.Command = fmt.Sprintf("shale build --input %s --output NEW --metric %v --codes %s --rows %s",
			strings.Join(f.choose.input, " --input "), o.Metric, r.Chosen.Storage, r.Chosen.Keep)
		for _, n := range []string{"m", "ef-construction"} {
			if c.Flags().Changed(n) {
				r.Command += fmt.Sprintf(" --%s %s", n, c.Flags().Lookup(n).Value)
			}
		}
	}
	return r.print(c, f.json)
}

// parts gives the rows to build of and those to search for.
func (f *tuneFlags) parts(c *cobra.Command, rows *rowFile) (sample, queries vector.Matrix, err error) {
	if f.queries != "" {
		if queries, err = readQueriesOf(c.Context(), f.queries, rows.Dim()); err == nil {
			sample, err = shard.Sample(c.Context(), rows, f.choose.sample)
		}
		return sample, queries, err
	}
	held := min(chooseQueries, rows.Rows()/10)
	all, err := shard.Sample(c.Context(), rows, f.choose.sample+held)
	if err != nil {
		return sample, queries, err
	}
	return split(all, held)
}

// split takes held rows, spread evenly, out of all of them.
func split(all vector.Matrix, held int) (rest, out vector.Matrix, err error) {
	n, dim := all.Rows(), all.Dim()
	kept, taken := make([]float32, 0, (n-held)*dim), make([]float32, 0, held*dim)
	row := make([]float32, dim)
	for i := range n {
		all.Decode(i, row)
		if (i+1)*held/n > i*held/n {
			taken = append(taken, row...)
		} else {
			kept = append(kept, row...)
		}
	}
	if out, err = vector.Of(taken, dim); err == nil {
		rest, err = vector.Of(kept, dim)
	}
	return rest, out, err
}

func (r *chooseReport) print(c *cobra.Command, asJSON bool) error {
	if asJSON {
		return cmp.Or(printJSON(c.OutOrStdout(), r), r.failure())
	}
	p := &printer{w: c.OutOrStdout()}
	p.printf("%s: an index of %s of %s vectors; %s\n\n", r.Input, count(r.Sample), count(r.Rows), many(r.Queries, "query"))
	p.printf("%-8s  %-4s  %9s  %10s  %6s  %5s  %8s  %9s\n", "codes", "rows", "B/vector", "in all", "ef",
		"slack", "recall", "queries/s")
	for i := range r.Tried {
		x := &r.Tried[i]
		p.printf("%-8s  %-4s  %9.0f  %10s  %6d  %5g  %8.4f  %9s  %s\n", x.Storage, x.Keep, x.BytesPerRow, size(x.Bytes),
			x.Point.Ef, x.Point.Slack, x.Point.Recall, count(int(x.Point.QPS)), r.remark(x))
	}
	if r.Chosen == nil {
		return cmp.Or(p.err, r.failure())
	}
	within := ""
	if r.Memory > 0 {
		within = " within " + size(r.Memory)
	}
	p.printf("\n%s with %s: the fastest that reaches a recall@%d of %g%s, or as fast as that and smaller.\n",
		r.Chosen.Storage,
		rowsKept(r.Chosen.Keep), r.K, r.Wanted, within)
	p.printf("%s\n", r.Command)
	return p.err
}

func (r *chooseReport) remark(x *chosenReport) string {
	switch {
	case x == r.Chosen:
		return "chosen"
	case !x.Reached:
		return "recall not reached"
	case !x.Fits:
		return "too large"
	}
	return ""
}

// failure is the error of having nothing to choose, with what would help.
func (r *chooseReport) failure() error {
	if r.Chosen != nil {
		return nil
	}
	least := int64(math.MaxInt64)
	for _, x := range r.Tried {
		if x.Reached {
			least = min(least, x.Bytes)
		}
	}
	if least == math.MaxInt64 {
		return fmt.Errorf("no storage reaches recall %v: try a larger --m or --ef-construction", r.Wanted)
	}
	return fmt.Errorf("no storage reaches recall %v within %s: the smallest that does takes %s",
		r.Wanted, size(r.Memory), size(least))
}
