package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime/debug"
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
	s.BoolVar(&f.blocks, "blocks", false, "also lay vectors and links side by side on disk, for searches with --memory that holds only the codes")
	s.BoolVar(&f.plan, "plan", false, "only tell the steps, and the memory, disk and time that they take")
}

// options adds what the flags say to o.
func (f *shardFlags) options(c *cobra.Command, o shale.Options) (shale.ShardOptions, error) {
	so := shale.ShardOptions{Options: o, Copies: f.copies, Centroids: f.centroids, Blocks: f.blocks}
	var err error
	if so.Memory, err = parseSize(c, "memory", f.memory); err != nil {
		return so, err
	}
	if f.shards != "auto" {
		if so.Shards, err = strconv.Atoi(f.shards); err != nil || so.Shards < 1 {
			return so, usagef(c, "--shards %s is neither auto nor a number of at least 1", f.shards)
		}
	}
	if !(f.copies >= 1 && f.copies <= 2) {
		return so, usagef(c, "--copies is %v, not 1 to 2", f.copies)
	}
	return so, atLeast(c, "centroids", f.centroids, 1)
}

// heapShare is the part of a build's memory that the Go heap should keep within: blocks of the input and garbage. The
// index lies outside.
const heapShare = 4

// buildShards builds an index of several shards.
func (f *buildFlags) buildShards(ctx context.Context, src *rowFile, o shale.ShardOptions, r *buildReport, messages io.Writer) error {
	if o.Memory > 0 {
		debug.SetMemoryLimit(max(48<<20, o.Memory/heapShare))
	}
	began := time.Now()
	var bar *progress
	step := ""
	o.Step = func(now string, done, total int) {
		if now != step {
			if bar != nil {
				bar.end()
			}
			bar, step = newProgress(messages, now, total), now
		}
		if total > 0 {
			bar.set(done)
		}
	}
	err := shale.BuildShards(ctx, src, f.output, o)
	if bar != nil {
		bar.end()
	}
	if errors.Is(err, context.Canceled) {
		return &begunError{err, shale.BuildDir(f.output)}
	}
	if err != nil {
		return err
	}
	r.BuildSeconds, r.RSSBytes = time.Since(began).Seconds(), residentBytes()
	index, err := shale.Open(ctx, f.output, shale.OpenOptions{Memory: o.Memory})
	if err != nil {
		return err
	}
	defer index.Close()
	return r.complete(index, began)
}

// begunError is a build that was interrupted and can go on.
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
	shale.BuildPlan
	Seconds float64 `json:"seconds"` // estimated
}

const planSample = 4096

// tellPlan prints what a build would do.
func (f *buildFlags) tellPlan(c *cobra.Command, src *rowFile, plan shale.BuildPlan, o shale.ShardOptions) error {
	r := planReport{BuildPlan: plan}
	var err error
	if r.Seconds, err = estimate(c.Context(), src, plan, o.Options); err != nil {
		return err
	}
	if f.json {
		return printJSON(c.OutOrStdout(), r)
	}
	p := &printer{w: c.OutOrStdout()}
	if plan.Shards == 1 {
		p.printf("one graph of %s rows, built in memory\n", count(src.Rows()))
	} else {
		p.printf("1. sample    %s rows, and divide them into %d shards\n", count(plan.SampleRows), plan.Shards)
		p.printf("2. reorder   read all rows and write those of each shard to a file of their own\n")
		p.printf("3. build     shard after shard, %s rows at most, on %s\n", count(plan.ShardRows), many(o.Threads, "thread"))
	}
	p.printf("memory       %s at the peak\n", size(plan.MemoryBytes))
	p.printf("disk         %s at the peak, beside the input; %s of it stay\n", size(plan.DiskBytes), size(plan.IndexBytes))
	p.printf("time         about %s\n", time.Duration(r.Seconds*float64(time.Second)).Round(time.Second))
	return p.err
}

// estimate times a build of a few rows. A graph ten times as large takes about a third longer a row.
func estimate(ctx context.Context, src *rowFile, plan shale.BuildPlan, o shale.Options) (float64, error) {
	rows, err := shale.Sample(ctx, src, min(planSample, src.Rows()))
	if err != nil {
		return 0, err
	}
	o.Labels = nil
	seconds, err := timed(func() error {
		x, err := shale.Build(ctx, rows, o)
		if err != nil {
			return err
		}
		return x.Close()
	})
	each := seconds / float64(rows.Rows()) * (1 + max(0, math.Log10(float64(plan.ShardRows)/float64(rows.Rows())))/3)
	total := each * float64(src.Rows()) * plan.Copies
	if plan.Shards > 1 {
		total += each / 2 * float64(plan.SampleRows+src.Rows()/2)
	}
	return total, err
}
