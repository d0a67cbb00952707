package search

import (
	"math"
	"strings"
	"testing"
)

func TestOptionsAreChecked(t *testing.T) {
	nan := math.NaN()
	for says, c := range map[string]struct {
		k int
		o Options
	}{
		"k is 0, not at least 1": {0, Options{}},
		"k is -3":                {-3, Options{}},
		"at most 2147483647":     {math.MaxInt32 + 1, Options{}},
		"ef is -1":               {1, Options{Ef: -1}},
		"rerank is -1":           {1, Options{Rerank: -1}},
		"slack is NaN":           {1, Options{Slack: float32(nan)}},
		"slack is +Inf":          {1, Options{Slack: float32(math.Inf(1))}},
		"probes are -1":          {1, Options{Probes: -1}},
		"a share of 1.5":         {1, Options{Share: 1.5}},
		"a share of NaN":         {1, Options{Share: nan}},
		"-2 threads":             {1, Options{Threads: -2}},
	} {
		one, batch := c.o.Check(c.k), c.o.CheckBatch(3, c.k)
		for _, err := range []error{one, batch} {
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("got %v, want %q", err, says)
			}
		}
	}
	filters, stop := Options{Filters: make([]*Filter, 3)}, Options{Stop: Radius(1, 0, 1)}
	for name, c := range map[string]struct {
		err error
		ok  bool
	}{
		"filters of one query":    {filters.Check(1), false},
		"filters of a batch":      {filters.CheckBatch(3, 1), true},
		"too few filters":         {filters.CheckBatch(4, 1), false},
		"a stop in place of k":    {stop.Check(0), true},
		"a stop of a batch":       {stop.CheckBatch(1, 1), false},
		"numbers above all rows":  {(&Options{Ef: math.MaxInt, Rerank: math.MaxInt, Probes: math.MaxInt}).Check(math.MaxInt32), true},
		"the zero value, one row": {(&Options{}).Check(1), true},
	} {
		if (c.err == nil) != c.ok {
			t.Errorf("%s: %v", name, c.err)
		}
	}
}

// TestDefaults: what an index was tuned to holds for searches that name no ef, as far as they leave it open.
func TestDefaults(t *testing.T) {
	tuned := Effort{Ef: 40, Slack: 0.1, Share: 0.9}
	all := FilterFunc(func(uint64) bool { return true })
	for name, c := range map[string]struct{ o, want Options }{
		"none":      {Options{}, Options{Ef: 40, Slack: 0.1, Share: 0.9}},
		"ef":        {Options{Ef: 7}, Options{Ef: 7}},
		"slack":     {Options{Slack: 0.2}, Options{Ef: 40, Slack: 0.2, Share: 0.9}},
		"probes":    {Options{Probes: 2}, Options{Ef: 40, Slack: 0.1, Probes: 2}},
		"share":     {Options{Share: 0.5}, Options{Ef: 40, Slack: 0.1, Share: 0.5}},
		"a filter":  {Options{Filter: all}, Options{Ef: 40, Slack: 0.1}},
		"no shards": {Options{Shards: []uint32{}}, Options{Ef: 40, Slack: 0.1}},
	} {
		got := c.o
		got.SetDefaults(tuned)
		if got.Ef != c.want.Ef || got.Slack != c.want.Slack || got.Share != c.want.Share || got.Probes != c.want.Probes {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// TestRadiusHoldsTheNearest: of the results added, in any order, those within the radius remain, and at most so many.
func TestRadiusHoldsTheNearest(t *testing.T) {
	stop := Radius(5, 0, 3)
	if least := stop.Begin(2); least != 0 {
		t.Errorf("least %d", least)
	}
	for i, d := range []float32{9, 1, 4} {
		if !stop.Consider(d, float32(math.Inf(1))) {
			t.Errorf("%v isn't considered", d)
		}
		if stop.Add(uint64(i), d); stop.Overfull() {
			t.Errorf("overfull with %d", i+1)
		}
	}
	if stop.Stop(3, 9) {
		t.Error("it stops before candidates within the radius")
	}
	if stop.Add(3, 2); !stop.Overfull() {
		t.Error("four of three aren't too many")
	}
	stop.Remove(0, 9)
	if stop.Overfull() || !stop.Stop(6, 4) {
		t.Error("it goes on beyond the radius")
	}
	found := stop.Finish([]Neighbor{{1, 1}, {3, 2}, {2, 4}, {0, 9}})
	if len(found) != 3 || found[2].Label != 2 {
		t.Errorf("found %v", found)
	}
	if found := stop.Finish([]Neighbor{{1, 1}, {2, 5.1}}); len(found) != 1 {
		t.Errorf("found %v, of which one is within the radius", found)
	}
}
