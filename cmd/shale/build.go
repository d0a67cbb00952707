package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/datafile"
	"github.com/shale-search/shale/internal/dataname"
	"github.com/shale-search/shale/internal/inside"
	"github.com/shale-search/shale/internal/location"
	"github.com/shale-search/shale/internal/machine"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/vector"
)

type buildFlags struct {
	input, labels              []string
	labelColumn                string
	output                     string
	metric                     string
	codes                      codesFlags
	divide                     shardFlags
	product                    productFlags
	m, efConstruction, threads int
	capacity                   int
	seed                       uint64
	external, json             bool
	replace                    bool
	wait                       waitFlag
}

type buildReport struct {
	Output         string  `json:"output"`
	Rows           int     `json:"rows"`
	Dim            int     `json:"dim"`
	Metric         string  `json:"metric"`
	Storage        string  `json:"storage"`
	Why            string  `json:"storage_why"` // that storage
	Keep           string  `json:"keep"`
	Shards         int     `json:"shards"`
	Threads        int     `json:"threads"`
	M              int     `json:"m"`
	EfConstruction int     `json:"ef_construction"`
	Seed           uint64  `json:"seed"`
	BuildSeconds   float64 `json:"build_seconds"` // of the graph, from vectors in memory
	TotalSeconds   float64 `json:"total_seconds"` // with reading and writing
	FileBytes      int64   `json:"file_bytes"`
	MemoryBytes    int64   `json:"memory_bytes"` // of the index
	CodeBytes      int64   `json:"code_bytes"`   // of these
	RSSBytes       int64   `json:"rss_bytes"`    // of the process after building; 0 where the system doesn't tell
}

func buildCommand() *cobra.Command { return new(buildFlags).command() }

// command declares the flags.
func (f *buildFlags) command() *cobra.Command {
	c := &cobra.Command{
		Use:   "build --input FILE --output INDEX --metric l2|ip|cosine",
		Short: "Build an index from a file of vectors",
		Long: `Build reads a file of vectors and writes an index:

    shale build --input vectors.npy --output my.index --metric cosine

The index is a directory, or one file if its name ends in .shale. If an index is there already, the
build is refused unless --replace is given; the old index then stays until the new one is complete.
Build never replaces anything but an index. It follows symbolic links. Repeat --input to read several
files as if they were one, and --labels likewise.

Quality. A larger --m finds more neighbours and takes more memory, about 8·m bytes per vector. A
larger --ef-construction builds a better graph and takes longer. With --metric cosine, Build
normalises the vectors.

Codes. A search finds candidates by codes, which hold a few bits per dimension, and ranks the best
candidates by their rows. This finds as much as reading rows throughout, is faster, and with
--rows fp16 takes less memory. --codes says what searches read to find candidates:

    auto          codes that fill one or two cache lines; longer codes, or rows, if a sample shows that
                  short codes can't tell neighbours apart; rows if these have at most 192 bytes
    rabitq1 … 8   RaBitQ codes of 1, 2, 3, 4 or 8 bits per dimension
    sq4, sq8      simpler codes of 4 or 8 bits, for vectors whose dimensions have similar ranges
    pq            product quantization, trained on the vectors; see the flags that begin with --pq
    fp32, fp16    no codes: the rows themselves

"shale inspect" shows what auto chose, and "shale tune --input" compares the choices on your
vectors. An index of fewer than 1,024 vectors has no codes yet.

Rows. --rows fp16 is the default if half precision keeps the vectors apart. --rows sq8 takes one
byte per value, which is off by at most 1/254 of the vector's largest value. --rows none keeps only
codes and takes the least memory: distances are then estimates, and the first vectors read should be
like the rest, since the codes are trained on them. sq8 and none need codes, so they exclude
--codes fp32 and fp16.

External indexes. --external writes only links and labels, about 7·m bytes per vector. The build and
all searches map the vectors from the input, which must be an .npy or .fbin file of float32 or
float16, normalised if the metric is cosine. The index remembers the path of the input; searches
take another one by --vectors. An external index has codes only if --codes names some.

Live files. --live N writes one file with room for N vectors, which "shale add" and "shale delete"
change in place. The file takes its disk space at once and grows when it is full. An interrupted
build leaves no file.

Larger than memory. --memory SIZE keeps the build within SIZE, page cache included. If one graph
doesn't fit, Build divides the vectors into shards so that neighbours stay together, and builds one
shard after another. If it is interrupted, give the same command again: it continues from
INDEX.building. --plan shows the steps, their memory, disk space and time, and why codes, rows and
shards were chosen, and builds nothing. Live files, external indexes and .shale files can't have
shards: they are refused if they don't fit. --copies stores vectors at the borders of shards twice,
so that searches have to look into fewer shards.`,
		Example: `  shale build --input vectors.npy --output my.index --metric cosine
  shale build --input base.fvecs --output my.index --metric l2 --m 32 --ef-construction 400
  shale build --input big.npz:embeddings --labels ids.npy --output my.index --metric ip --codes fp16
  shale build --input vectors.parquet:vec --output my.shale --metric cosine --json
  shale build --input 'parts/*.parquet' --label-column id --output my.index --metric cosine
  shale build --input vectors.npy --output my.index --metric cosine --replace

  # less memory, and the least
  shale build --input vectors.npy --output my.index --metric cosine --codes rabitq2 --rows sq8
  shale build --input vectors.npy --output my.index --metric cosine --codes rabitq8 --rows none
  shale build --input vectors.npy --output my.index --metric cosine --codes pq --pq-subvectors 96 --opq

  # larger than memory: first see what it takes
  shale build --input big.npy --output my.index --metric cosine --memory 2GiB --plan
  shale build --input big.npy --output my.index --metric cosine --memory 2GiB
  shale build --input big.npy --output my.index --metric cosine --shards 64 --copies 2

  # vectors stay in their file; an index that changes in place
  shale build --input unit.npy --output links.index --metric cosine --m 8 --external
  shale build --input vectors.npy --output my.live --metric cosine --live 1000000`,
	}
	s := c.Flags()
	filesFlag(c, &f.input, "input", inputUsage)
	s.StringVar(&f.output, "output", "", "write the index to `INDEX`")
	s.StringVar(&f.metric, "metric", "", "compare by `METRIC`: l2, ip or cosine")
	filesFlag(c, &f.labels, "labels", "read the labels from `FILE`: text, .npy or .parquet:COLUMN (default 0, 1, …)")
	s.StringVar(&f.labelColumn, "label-column", "", "take the labels from the column `NAME` of the inputs, all .parquet")
	s.IntVar(&f.m, "m", 16, "give a new vector up to `N` links on a level, 2 to 10000")
	s.IntVar(&f.efConstruction, "ef-construction", 200, "look at `N` vectors for a new one's links")
	s.IntVar(&f.threads, "threads", 0, "use `N` threads (default: all processors)")
	s.Uint64Var(&f.seed,
		"seed", 100, "draw the random levels from seed `N`; with --threads 1, the same seed gives the same index")
	f.codes.add(c, "let searches walk over `CODES`: auto, rabitq1, rabitq2, rabitq3, rabitq4, rabitq8, sq4, sq8 or pq; "+
		"or the rows: fp32, fp16",
		"rank by rows of `TYPE`: auto, fp32, fp16, sq8, or none to keep codes alone")
	f.product.add(c)
	s.IntVar(&f.capacity,
		"live", 0, "build in a live file with room for `N` vectors, which changes in place (default: none)")
	f.divide.add(c)
	s.BoolVar(&f.replace, "replace", false, "replace an index that is there already")
	f.wait.add(c)
	jsonFlag(c, &f.json)
	required(c, "input", "output", "metric")
	s.BoolVar(&f.external, "external", false, "write links and labels alone; searches map the vectors from the input")
	c.RunE = f.run
	return c
}

func (f *buildFlags) run(c *cobra.Command, _ []string) error {
	o, err := f.options(c)
	if err != nil {
		return err
	}
	if err := f.divide.options(c, &o); err != nil {
		return err
	}
	if err := f.checkOnce(c, &o); err != nil {
		return err
	}
	if !f.divide.plan {
		lock, err := f.reserve(c)
		if err != nil {
			return err
		}
		defer lock.Close()
		inside.Hold(&o, lock)
	}
	src, file, err := f.open(c, &o)
	if err != nil {
		return err
	}
	defer file.Close()
	return f.build(c, src, o)
}

// options checks the flags.
func (f *buildFlags) options(c *cobra.Command) (shale.BuildOptions, error) {
	var o shale.BuildOptions
	var err error
	if o.Metric, err = parseMetric(c, f.metric); err != nil {
		return o, err
	}
	if err := f.codes.options(c, &o); err != nil {
		return o, err
	}
	if f.external && (o.Rows != "" || f.divide.shards != "auto" || f.divide.blocks) {
		return o, usagef(c, "--external keeps no rows and makes one graph: leave out --rows, --shards and --blocks")
	}
	if f.labelColumn != "" && (len(f.labels) > 0 || f.external) {
		return o, usagef(c, "--label-column goes with inputs that hold the labels: leave out --labels and --external")
	}
	if f.external && len(f.input) > 1 {
		return o, usagef(c, "--external maps the vectors of one file, and %d are given: write them to one first",
			len(f.input))
	}
	if s := o.Codes; (s == shale.Float32 || s == shale.Float16) && o.Rows != "" && string(o.Rows) != string(s) {
		return o, usagef(c, "--%s %s with --%s %s: searches that walk over rows have just these: give --%s auto or %s",
			f.codes.rowsName(c), o.Rows, f.codes.codesName(c), s, f.codes.rowsName(c), s)
	}
	if o.PQ, err = f.product.options(c, o.Codes); err != nil {
		return o, err
	}
	if err := atLeast(c, "live", f.capacity, 0); err != nil {
		return o, err
	}
	if (f.external || f.capacity > 0) && (c.Flags().Changed("copies") || c.Flags().Changed("centroids")) {
		return o, usagef(c, "--copies and --centroids go with several shards, and --external and --live make one graph")
	}
	if f.capacity > 0 && (f.external || f.divide.shards != "auto" || f.divide.blocks) {
		return o, usagef(c, "--live makes one graph with its rows: leave out --external, --shards and --blocks")
	}
	if f.m < 2 || f.m > 10000 {
		return o, usagef(c, "--m is %d, not 2 to 10000", f.m)
	}
	if f.efConstruction < 1 || f.efConstruction > 1<<24 {
		return o, usagef(c, "--ef-construction is %d, not 1 to %d", f.efConstruction, 1<<24)
	}
	if err := atLeast(c, "threads", f.threads, 0); err != nil {
		return o, err
	}
	o.M, o.EfConstruction, o.Seed, o.Threads = f.m, f.efConstruction, f.seed, f.threads
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	o.Path, o.Replace, o.External, o.Live, o.Capacity = f.output, f.replace, f.external, f.capacity > 0, f.capacity
	if f.external {
		o.Vectors = f.input[0]
	}
	return o, nil
}

// open opens the files of vectors and reads their labels. The caller closes file.
func (f *buildFlags) open(c *cobra.Command, o *shale.BuildOptions) (src shale.Source, file io.Closer, err error) {
	if f.external {
		src, file, err = datafile.Map(f.input[0])
	} else {
		var rows *rowFile
		rows, err = openRows(c.Context(), f.input)
		src, file = rows, rows
	}
	if err != nil {
		return nil, nil, err
	}
	labels := f.labels
	if rows, ok := src.(*rowFile); ok && f.labelColumn != "" {
		labels, err = rows.labelFiles(f.labelColumn)
	}
	if err == nil {
		o.Labels, err = readRowLabels(c.Context(), labels, src.Rows())
	}
	if err == nil && o.Shards > src.Rows() {
		err = usagef(c, "--shards is %d, and %s holds %d vectors", o.Shards, strings.Join(f.input, ", "), src.Rows())
	}
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return src, file, nil
}

// build plans and builds the index, and prints what came of it; with --plan it prints the plan.
func (f *buildFlags) build(c *cobra.Command, src shale.Source, o shale.BuildOptions) error {
	bars := &steps{w: c.ErrOrStderr()}
	o.Progress = bars.set
	began := time.Now()
	plan, err := shale.NewPlan(c.Context(), src, o)
	if err != nil {
		return err
	}
	if err := f.checkPlan(c, src, plan); err != nil {
		return err
	}
	if f.divide.plan {
		return f.tellPlan(c, plan)
	}
	index, err := plan.Run(c.Context())
	bars.end()
	if errors.Is(err, context.Canceled) && plan.SampleRows > 0 {
		return &begunError{err, shard.BuildDir(f.output)}
	}
	if err != nil {
		return err
	}
	defer index.Close()
	r := &buildReport{
		Output: f.output, Threads: o.Threads, Why: plan.CodesWhy, BuildSeconds: inside.BuildTime(plan).Seconds(),
	}
	if err := r.complete(index, began); err != nil {
		return err
	}
	return f.print(c, r, o.Codes == "")
}

// checkPlan refuses flags that have no meaning for the plan.
func (f *buildFlags) checkPlan(c *cobra.Command, src shale.Source, plan *shale.Plan) error {
	if file, ok := src.(*rowFile); ok && file.Once() && plan.SampleRows > 0 {
		return f.onceError(c)
	}
	if plan.Shards == 1 && (c.Flags().Changed("copies") || c.Flags().Changed("centroids")) {
		return usagef(c,
			"--copies and --centroids go with several shards, and this build makes one graph: give --shards, or leave them out")
	}
	return nil
}

// print prints what was built, and why by such codes if auto chose them.
func (f *buildFlags) print(c *cobra.Command, r *buildReport, auto bool) error {
	if f.json {
		return printJSON(c.OutOrStdout(), r)
	}
	p := &printer{w: c.OutOrStdout()}
	p.printf("%s: %s of %s, %s, %s with %s\n", r.Output, many(r.Rows, "vector"), many(r.Dim, "value"),
		r.Metric, r.Storage, rowsKept(r.Keep))
	if auto && !f.external {
		p.printf("%s: %s\n", r.Storage, r.Why)
	}
	if r.Shards > 1 {
		p.printf("%d shards\n", r.Shards)
	}
	p.printf("built in %.2f s on %s, %s vectors/s; %s on disk, %s in memory\n",
		r.BuildSeconds, many(r.Threads, "thread"), count(int(float64(r.Rows)/max(r.BuildSeconds, 1e-9))),
		size(r.FileBytes), size(r.MemoryBytes))
	return p.err
}

// reserve locks the place of the index, if it can be written there.
func (f *buildFlags) reserve(c *cobra.Command) (*location.Lock, error) {
	if err := f.wait.check(c); err != nil {
		return nil, err
	}
	o := location.ReserveOptions{Replace: f.replace, Lock: f.wait.options(c, f.output)}
	if f.capacity > 0 {
		o.Format = location.Live
	}
	lock, err := location.Reserve(c.Context(), f.output, o)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%s already exists: give --replace to build over it, or another --output", f.output)
	}
	return lock, err
}

// checkOnce refuses a pipe where the build reads its input more than once, before it is opened.
func (f *buildFlags) checkOnce(c *cobra.Command, o *shale.BuildOptions) error {
	if !slices.ContainsFunc(f.input, dataname.IsPipe) {
		return nil
	}
	codes := o.Codes != shale.Float32 && o.Codes != shale.Float16
	looks := codes && o.Rows == "" && o.Metric != vector.Cosine // at all rows, whether halves hold them
	if f.external || f.divide.plan || o.Codes == "" || o.Codes == shale.PQ || looks {
		return f.onceError(c)
	}
	return nil
}

func (f *buildFlags) onceError(c *cobra.Command) error {
	return usagef(c, "--input %s: a pipe can be read once, and this build reads its input more than once: "+
		"write it to a file first, "+
		"or build one graph with --codes such as fp32 or rabitq4, and --rows such as fp32 beside codes",
		strings.Join(f.input, ", "))
}

// complete tells what came of it.
func (r *buildReport) complete(index *shale.Index, began time.Time) error {
	info, err := index.Info()
	if err != nil {
		return err
	}
	r.Rows, r.Dim, r.Metric = info.Rows, info.Dim, info.Metric
	r.Storage, r.Keep, r.CodeBytes, r.Shards = info.Storage, info.Keep, info.CodeBytes, info.Shards
	r.M, r.EfConstruction, r.Seed, r.MemoryBytes = info.M, info.EfConstruction, info.Seed, info.MemoryBytes
	if r.FileBytes, err = store.SizeOnDisk(r.Output); err != nil {
		return err
	}
	r.RSSBytes = machine.Resident()
	r.TotalSeconds = time.Since(began).Seconds()
	return nil
}
