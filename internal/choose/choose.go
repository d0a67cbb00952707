// Package choose compares ways to store vectors before an index is built.
package choose

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/eval"
	"github.com/shale-search/shale/vector"
)

const (
	// chooseTime is the least time to time one setting of a candidate, in each round.
	chooseTime = 30 * time.Millisecond
	// alike is the share of the highest speed above which the smaller candidate is better.
	alike = 0.97
)

// Candidate is one way to store vectors, as Codes measured it on an index of a sample.
type Candidate struct {
	Codes       shale.Codes `json:"-"`
	Rows        shale.Rows  `json:"-"`
	BytesPerRow float64     `json:"bytes_per_row"` // of memory
	Bytes       int64       `json:"bytes"`         // of memory, for all rows
	Fits        bool        `json:"fits"`          // Bytes is at most the memory allowed
	Reached     bool        `json:"reached"`       // a search reached the recall wanted
	Point       eval.Point  `json:"point"`         // the fastest search that did, or the one with the best recall
}

// Options controls Codes. Only Wanted has no default.
type Options struct {
	Index  shale.BuildOptions // for the indexes of the sample; Codes and Rows, if not auto, narrow the choice
	Wanted float64            // recall to reach, above 0 and at most 1
	Rows   int                // rows of the index to be built; 0 means as many as the sample has
	Memory int64              // bytes that the index may take; 0 means any number
	K      int                // results of a query; 0 means 10

	Progress func(done, of int) // if not nil, called with the number of candidates measured
}

// Codes compares ways to store vectors. For each it builds an index of sample and finds the fastest search that reaches
// the recall wanted. It returns all candidates and the position of the best: among those that reach the recall and fit
// the memory, the smallest of those about as fast as the fastest. The position is -1 if there is none.
//
// A sample fits the processor's caches better than all rows do, so the larger a candidate, the more its speed is
// overestimated.
func Codes(ctx context.Context, sample, queries vector.Matrix, o Options) ([]Candidate, int, error) {
	if o.Rows == 0 {
		o.Rows = sample.Rows()
	}
	if o.K == 0 {
		o.K = 10
	}
	truth, err := eval.GroundTruth(ctx, sample, queries, o.Index.Metric, o.K, o.Index.Threads)
	if err != nil {
		return nil, -1, err
	}
	plan, err := shale.NewPlan(ctx, sample, shale.BuildOptions{Metric: o.Index.Metric, Codes: shale.RaBitQ8})
	halfIsSafe := err == nil && plan.Rows == string(shale.RowsFloat16)
	list := candidates(o.Index, halfIsSafe)
	for i := range list {
		if o.Progress != nil {
			o.Progress(i, len(list))
		}
		if err := list[i].measure(ctx, sample, queries, truth, o); err != nil {
			return nil, -1, fmt.Errorf("storage %v with %v rows: %w", list[i].Codes, list[i].Rows, err)
		}
	}
	return list, best(list), nil
}

// candidates returns the ways to store rows that o allows: codes with rows for exact distances, and rows alone.
func candidates(o shale.BuildOptions, halfIsSafe bool) []Candidate {
	codes := []shale.Codes{shale.RaBitQ2, shale.RaBitQ3, shale.RaBitQ4, shale.RaBitQ8}
	wide := shale.RowsFloat32
	switch {
	case o.Rows == shale.RowsFloat32 || o.Rows == shale.RowsFloat16:
		wide = o.Rows
	case halfIsSafe:
		wide = shale.RowsFloat16
	}
	var list []Candidate
	add := func(s shale.Codes, k shale.Rows) {
		if (o.Codes == "" || o.Codes == s) && (o.Rows == "" || o.Rows == k) {
			list = append(list, Candidate{Codes: s, Rows: k})
		}
	}
	if o.Codes != "" {
		codes = nil
		if o.Codes != shale.Float32 && o.Codes != shale.Float16 {
			codes = []shale.Codes{o.Codes}
		}
	}
	for _, s := range codes {
		add(s, wide)
		add(s, shale.RowsSQ8)
		if s == shale.RaBitQ4 || s == shale.RaBitQ8 || o.Rows == shale.RowsNone { // fewer bits alone find too little
			add(s, shale.RowsNone)
		}
	}
	add(shale.Float16, shale.RowsFloat16)
	add(shale.Float32, shale.RowsFloat32)
	return list
}

// measure builds an index of the sample and sets the results of c.
func (c *Candidate) measure(ctx context.Context, sample, queries vector.Matrix, truth *eval.Truth, o Options) error {
	o.Index.Codes, o.Index.Rows = c.Codes, c.Rows
	o.Index.Labels, o.Index.Progress = nil, nil
	x, err := shale.Build(ctx, sample, o.Index)
	if err != nil {
		return err
	}
	defer x.Close()
	info, err := x.Info()
	if err != nil {
		return err
	}
	c.BytesPerRow = float64(info.MemoryBytes) / float64(max(info.Rows, 1))
	c.Bytes = int64(c.BytesPerRow * float64(o.Rows))
	c.Fits = o.Memory == 0 || c.Bytes <= o.Memory
	c.Point, err = eval.Tune(ctx, x, queries, truth, o.Wanted, min(x.Len(), maxChooseEf),
		eval.Options{K: o.K, MinTime: chooseTime, Batch: true})
	var short *eval.RecallError
	if errors.As(err, &short) {
		c.Point = eval.Point{Ef: short.Ef, Recall: short.Best}
		return nil
	}
	c.Reached = err == nil
	return err
}

// maxChooseEf bounds ef, since codes alone may never reach the recall.
const maxChooseEf = 4096

// best returns the position of the best candidate, or -1.
func best(list []Candidate) int {
	fastest := 0.0
	for _, c := range list {
		if c.Reached && c.Fits {
			fastest = max(fastest, c.Point.QPS)
		}
	}
	at := -1
	for i, c := range list {
		if c.Reached && c.Fits && c.Point.QPS >= alike*fastest && (at < 0 || c.Bytes < list[at].Bytes) {
			at = i
		}
	}
	return at
}
