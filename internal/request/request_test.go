package request

import (
	"math"
	"strings"
	"testing"

	"github.com/shale-search/shale/search"
)

func TestOptionsAreChecked(t *testing.T) {
	nan := math.NaN()
	for says, c := range map[string]struct {
		k int
		o search.Options
	}{
		"k is 0, not at least 1": {0, search.Options{}},
		"k is -3":                {-3, search.Options{}},
		"at most 2147483647":     {math.MaxInt32 + 1, search.Options{}},
		"ef is -1":               {1, search.Options{Ef: -1}},
		"rerank is -1":           {1, search.Options{Rerank: -1}},
		"slack is NaN":           {1, search.Options{Slack: float32(nan)}},
		"slack is +Inf":          {1, search.Options{Slack: float32(math.Inf(1))}},
		"probes are -1":          {1, search.Options{Probes: -1}},
		"a share of 1.5":         {1, search.Options{Share: 1.5}},
		"a share of NaN":         {1, search.Options{Share: nan}},
		"-2 threads":             {1, search.Options{Threads: -2}},
	} {
		one, batch := Check(&c.o, c.k), CheckBatch(&c.o, 3, c.k)
		for _, err := range []error{one, batch} {
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("got %v, want %q", err, says)
			}
		}
	}
	filters, stop := search.Options{Filters: make([]*search.Filter, 3)}, search.Options{Stop: search.Radius(1, 0, 1)}
	for name, c := range map[string]struct {
		err error
		ok  bool
	}{
		"filters of one query": {Check(&filters, 1), false},
		"filters of a batch":   {CheckBatch(&filters, 3, 1), true},
		"too few filters":      {CheckBatch(&filters, 4, 1), false},
		"a stop in place of k": {Check(&stop, 0), true},
		"a stop of a batch":    {CheckBatch(&stop, 1, 1), false},
		"an empty stop":        {Check(&search.Options{Stop: &search.Stop{}}, 1), false},
		"numbers above all rows": {Check(&search.Options{Ef: math.MaxInt, Rerank: math.MaxInt, Probes: math.MaxInt},
			math.MaxInt32), true},
		"the zero value, one row": {Check(&search.Options{}, 1), true},
	} {
		if (c.err == nil) != c.ok {
			t.Errorf("%s: %v", name, c.err)
		}
	}
}

// TestDefaults: what an index was tuned to holds for searches that name no ef, as far as they leave it open.
func TestDefaults(t *testing.T) {
	tuned := search.Effort{Ef: 40, Slack: 0.1, Share: 0.9}
	all := search.FilterFunc(func(uint64) bool { return true })
	for name, c := range map[string]struct{ o, want search.Options }{
		"none":      {search.Options{}, search.Options{Ef: 40, Slack: 0.1, Share: 0.9}},
		"ef":        {search.Options{Ef: 7}, search.Options{Ef: 7}},
		"slack":     {search.Options{Slack: 0.2}, search.Options{Ef: 40, Slack: 0.2, Share: 0.9}},
		"probes":    {search.Options{Probes: 2}, search.Options{Ef: 40, Slack: 0.1, Probes: 2}},
		"share":     {search.Options{Share: 0.5}, search.Options{Ef: 40, Slack: 0.1, Share: 0.5}},
		"a filter":  {search.Options{Filter: all}, search.Options{Ef: 40, Slack: 0.1}},
		"no shards": {search.Options{Shards: []uint32{}}, search.Options{Ef: 40, Slack: 0.1}},
	} {
		got := c.o
		SetDefaults(&got, tuned)
		if got.Ef != c.want.Ef || got.Slack != c.want.Slack || got.Share != c.want.Share || got.Probes != c.want.Probes {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
