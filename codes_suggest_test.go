package shale

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/wordnet"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// groups makes rows around centers, each value off by about spread.
func groups(n, dim, centers int, spread float64) vector.Matrix {
	rnd := rand.New(rand.NewPCG(3, 4))
	at := make([]float64, centers*dim)
	for i := range at {
		at[i] = rnd.NormFloat64()
	}
	data := make([]float32, n*dim)
	for i := range n {
		c := rnd.IntN(centers) * dim
		for j := range dim {
			data[i*dim+j] = float32(at[c+j] + spread*rnd.NormFloat64())
		}
	}
	m, err := vector.Of(data, dim)
	if err != nil {
		panic(err)
	}
	return m
}

func TestSuggestFollowsTheRuleOnRealRows(t *testing.T) {
	rows, err := wordnet.Vectors()
	if err != nil {
		t.Fatal(err)
	}
	s, err := suggest(rows, BuildOptions{Metric: vector.Cosine})
	if err != nil || s.codes != RaBitQ2 {
		t.Fatalf("%+v, %v: not the 2 bits of rows of 384 values", s, err)
	}
}

// The tighter the groups that rows lie in, the more bits it takes to tell neighbours apart; in the end none do.
func TestSuggestTakesMoreBitsForTightGroups(t *testing.T) {
	race.SkipSequential(t)
	last := RaBitQ2
	for _, c := range []struct {
		spread float64
		want   []Codes
	}{
		{1, []Codes{RaBitQ2}},
		{0.5, []Codes{RaBitQ3, RaBitQ4}},
		{0.1, []Codes{RaBitQ8}},
		{0.001, []Codes{Float32}},
	} {
		s, err := suggest(groups(4000, 384, 50, c.spread), BuildOptions{})
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, w := range c.want {
			found = found || w == s.codes
		}
		if !found {
			t.Errorf("spread %v: %v (%s), not one of %v", c.spread, s.codes, s.why, c.want)
		}
		if s.codes != Float32 && s.codes < last {
			t.Errorf("spread %v: %v after %v", c.spread, s.codes, last)
		}
		last = s.codes
	}
}

// Searches of the index that Build makes of tight groups find what exact ones do, which 2 bits would not.
func TestBuildTakesWhatSuggestDoes(t *testing.T) {
	race.SkipSequential(t)
	rows := groups(3000, 200, 20, 0.02)
	auto, err := Build(t.Context(), rows, BuildOptions{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer auto.Close()
	short, err := Build(t.Context(), rows, BuildOptions{Codes: RaBitQ2, Rows: RowsFloat32, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer short.Close()
	exact, err := Build(t.Context(), rows, BuildOptions{Codes: Float32, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer exact.Close()
	found := func(x *Index) int {
		hits := 0
		query := make([]float32, 200)
		for i := 0; i < rows.Rows(); i += 30 {
			rows.Decode(i, query)
			query[i%200] += 0.05
			want, err := exact.Search(query, 10, search.Options{Ef: 1000})
			if err != nil {
				t.Fatal(err)
			}
			got, err := x.Search(query, 10, search.Options{Ef: 20})
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range want {
				for _, g := range got {
					if w.Label == g.Label {
						hits++
					}
				}
			}
		}
		return hits
	}
	if a, s := found(auto), found(short); a < 950 || a <= s {
		t.Errorf("auto finds %d of 1000, 2 bits %d", a, s)
	}
}

func TestSuggestTakesAnything(t *testing.T) {
	nan := groups(500, 100, 5, 1)
	bad := make([]float32, 500*100)
	for i := range bad {
		bad[i] = float32(math.NaN())
	}
	allBad, err := vector.Of(bad, 100)
	if err != nil {
		t.Fatal(err)
	}
	constant, err := vector.Of(make([]float32, 500*100), 100)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		rows vector.Matrix
		o    BuildOptions
		want Codes
		why  string
	}{
		"named":    {nan, BuildOptions{Codes: SQ4}, SQ4, "asked for"},
		"no rows":  {nan.Slice(0, 0), BuildOptions{}, RaBitQ4, "too few"},
		"few rows": {nan.Slice(0, 30), BuildOptions{}, RaBitQ4, "too few"},
		"short":    {groups(500, 48, 5, 1), BuildOptions{}, Float32, "as short as codes"},
		"constant": {constant, BuildOptions{}, RaBitQ4, "off by 0 "},
		"NaN":      {allBad, BuildOptions{}, RaBitQ4, "off by 0 "},
		"bytes":    {groups(500, 384, 5, 0.0001), BuildOptions{Rows: RowsSQ8}, RaBitQ8, "8-bit estimates"},
	} {
		s, err := suggest(c.rows, c.o)
		if err != nil || s.codes != c.want || !strings.Contains(s.why, c.why) {
			t.Errorf("%s: %v, %q, %v; not %v, %q", name, s.codes, s.why, err, c.want, c.why)
		}
	}
	if _, err := suggest(nan, BuildOptions{Codes: "sq99"}); err == nil {
		t.Error("a storage that there is not is suggested")
	}
}
