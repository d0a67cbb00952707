package eval

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shale-search/shale"
)

const (
	// chooseTime is how long a setting of a candidate is timed in each round at least.
	chooseTime = 30 * time.Millisecond
	// alike is the share of the fastest's speed from which fewer bytes count for more.
	alike = 0.97
)

// Candidate is a way to store rows, as measured on an index of a sample.
type Candidate struct {
	Storage     shale.Storage `json:"-"`
	Keep        shale.Keep    `json:"-"`
	BytesPerRow float64       `json:"bytes_per_row"`
	Bytes       int64         `json:"bytes"`   // that all rows need in memory
	Fits        bool          `json:"fits"`    // into the memory allowed
	Reached     bool          `json:"reached"` // the recall wanted
	Point       Point         `json:"point"`   // the fastest search that reaches the recall, or the best recall
}

// ChooseOptions says what to choose by. The zero value of a field means its default.
type ChooseOptions struct {
	Index  shale.Options // of the indexes built; Storage and Keep, unless auto, narrow the choice
	Wanted float64       // recall
	Rows   int           // of the index to come; default those of the sample
	Memory int64         // bytes that it may take; 0: any number
	K      int           // results a query; default 10

	Progress func(done, of int) // told how many candidates have been measured
}

// Choose builds an index of sample for every way to store rows that may suit, finds the fastest search of each that
// reaches the recall wanted, and gives all of them and the place of the one to take: the fastest of those that reach it and
// fit, or of those nearly as fast the smallest. It is -1 where none does. Speeds are those on the sample, which caches flatter:
// more so the more a way reads.
func Choose(ctx context.Context, sample, queries shale.Matrix, o ChooseOptions) ([]Candidate, int, error) {
	if o.Rows == 0 {
		o.Rows = sample.Rows()
	}
	if o.K == 0 {
		o.K = 10
	}
	truth, err := exactTruth(ctx, sample, queries, o)
	if err != nil {
		return nil, -1, err
	}
	list := candidates(o.Index, shale.HalfIsSafe(sample, o.Index.Metric))
	for i := range list {
		if o.Progress != nil {
			o.Progress(i, len(list))
		}
		if err := list[i].measure(ctx, sample, queries, truth, o); err != nil {
			return nil, -1, fmt.Errorf("storage %v with %v rows: %w", list[i].Storage, list[i].Keep, err)
		}
	}
	return list, best(list), nil
}

func exactTruth(ctx context.Context, sample, queries shale.Matrix, o ChooseOptions) (*Truth, error) {
	e, err := NewExact(queries, o.Index.Metric, o.K, o.Index.Threads)
	if err != nil {
		return nil, err
	}
	if err := e.Add(ctx, sample, func(i int) (uint64, bool) { return uint64(i), true }); err != nil {
		return nil, err
	}
	return e.Truth(), nil
}

// candidates lists what may suit: codes with the rows that may stand beside them, and rows alone.
func candidates(o shale.Options, halfIsSafe bool) []Candidate {
	codes := []shale.Storage{shale.RaBitQ2, shale.RaBitQ3, shale.RaBitQ4, shale.RaBitQ8}
	wide := shale.KeepFloat32
	switch {
	case o.Keep == shale.KeepFloat32 || o.Keep == shale.KeepFloat16:
		wide = o.Keep
	case halfIsSafe:
		wide = shale.KeepFloat16
	}
	var list []Candidate
	add := func(s shale.Storage, k shale.Keep) {
		if (o.Storage == shale.AutoStorage || o.Storage == s) && (o.Keep == shale.AutoKeep || o.Keep == k) {
			list = append(list, Candidate{Storage: s, Keep: k})
		}
	}
	if o.Storage != shale.AutoStorage {
		codes = nil
		if o.Storage != shale.Float32 && o.Storage != shale.Float16 {
			codes = []shale.Storage{o.Storage}
		}
	}
	for _, s := range codes {
		add(s, wide)
		add(s, shale.KeepSQ8)
		if s == shale.RaBitQ4 || s == shale.RaBitQ8 || o.Keep == shale.KeepNone { // fewer bits alone find too little
			add(s, shale.KeepNone)
		}
	}
	add(shale.Float16, shale.KeepFloat16)
	add(shale.Float32, shale.KeepFloat32)
	return list
}

// measure fills in what an index of the sample tells.
func (c *Candidate) measure(ctx context.Context, sample, queries shale.Matrix, truth *Truth, o ChooseOptions) error {
	o.Index.Storage, o.Index.Keep = c.Storage, c.Keep
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
	c.Point, err = TuneEffort(ctx, x, queries, truth, o.Wanted, min(x.Len(), maxChooseEf), Options{K: o.K, MinTime: chooseTime, Batch: true})
	var short *RecallError
	if errors.As(err, &short) {
		c.Point = Point{Ef: short.Ef, Recall: short.Best}
		return nil
	}
	c.Reached = err == nil
	return err
}

// maxChooseEf bounds the search for a recall that codes alone may never reach.
const maxChooseEf = 4096

// best is the place of the candidate to take, or -1.
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
