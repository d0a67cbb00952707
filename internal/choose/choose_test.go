package choose_test

import (
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/choose"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/testrows"
)

// chosen asks Codes for a recall on random rows.
func chosen(t *testing.T, o choose.Options) ([]choose.Candidate, int) {
	t.Helper()
	sample, queries := testrows.WholeNumbers(t, 1500, 64, 100, 1), testrows.WholeNumbers(t, 50, 64, 100, 2)
	list, at, err := choose.Codes(t.Context(), sample, queries, o)
	if err != nil {
		t.Fatal(err)
	}
	return list, at
}

// What is chosen reaches the recall and fits, and nothing that does is much faster.
func TestChooseTakesTheFastestThatFits(t *testing.T) {
	race.SkipSequential(t)
	told := 0
	list, at := chosen(t, choose.Options{Wanted: 0.8, Rows: 3000, Progress: func(done, of int) {
		if done != told || of < 10 {
			t.Errorf("told %d of %d after %d", done, of, told)
		}
		told++
	}})
	if at < 0 || told != len(list) {
		t.Fatalf("chose %d of %d, told of %d", at, len(list), told)
	}
	most := int64(0)
	for i, c := range list {
		if c.Reached != (c.Point.Recall >= 0.8) || !c.Fits {
			t.Errorf("%v with %v: reached %v, fits %v, recall %v", c.Codes, c.Rows, c.Reached, c.Fits, c.Point.Recall)
		}
		if ratio := float64(c.Bytes) / (3000 * c.BytesPerRow); ratio < 0.999 || ratio > 1.001 {
			t.Errorf("%v with %v: %d bytes, of %v a row", c.Codes, c.Rows, c.Bytes, c.BytesPerRow)
		}
		if c.Reached && c.Point.QPS > 1.1*list[at].Point.QPS {
			t.Errorf("%v is faster than %v", list[i], list[at])
		}
		most = max(most, c.Bytes)
	}
	if last := list[len(list)-1]; last.Codes != shale.Float32 || last.Bytes != most {
		t.Errorf("%+v isn't fp32 rows, which take most", last)
	}
}

func TestChooseKeepsToTheMemory(t *testing.T) {
	race.SkipSequential(t)
	all, _ := chosen(t, choose.Options{Wanted: 0.5})
	least := all[0].Bytes
	for _, c := range all {
		if c.Reached {
			least = min(least, c.Bytes)
		}
	}
	list, at := chosen(t, choose.Options{Wanted: 0.5, Memory: least})
	if at < 0 || list[at].Bytes > least {
		t.Errorf("chose %d for %d bytes: %+v", at, least, list)
	}
	if _, at := chosen(t, choose.Options{Wanted: 0.5, Memory: least / 2}); at != -1 {
		t.Errorf("chose %d for half of the least", at)
	}
}

func TestChooseTriesOnlyWhatIsAskedFor(t *testing.T) {
	race.SkipSequential(t)
	for _, c := range []struct {
		storage shale.Codes
		keep    shale.Rows
		want    int
	}{
		{shale.Float32, "", 1},
		{shale.SQ8, "", 2},
		{shale.RaBitQ4, "", 3},
		{"", shale.RowsSQ8, 4},
		{shale.RaBitQ1, shale.RowsNone, 1},
		{shale.RaBitQ2, shale.RowsFloat32, 1},
	} {
		list, _ := chosen(t, choose.Options{Wanted: 0.5, Index: shale.BuildOptions{Codes: c.storage, Rows: c.keep}})
		if len(list) != c.want {
			t.Errorf("%v with %v: %d tried, not %d", c.storage, c.keep, len(list), c.want)
		}
		for _, x := range list {
			if c.storage != "" && x.Codes != c.storage || c.keep != "" && x.Rows != c.keep {
				t.Errorf("%v with %v tried for %v with %v", x.Codes, x.Rows, c.storage, c.keep)
			}
		}
	}
}
