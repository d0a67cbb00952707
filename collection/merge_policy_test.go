package collection

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestChooseMerge chooses what to merge.
func TestChooseMerge(t *testing.T) {
	live := func(rows ...int) (all []mergeCandidate) {
		for _, n := range rows {
			all = append(all, mergeCandidate{rows: n})
		}
		return all
	}
	for _, c := range []struct {
		about    string
		all      []mergeCandidate
		from, to int
	}{
		{"nothing", nil, 0, 0},
		{"too few", live(100, 100, 100), 0, 0},
		{"four alike", live(100, 100, 100, 100), 0, 4},
		{"too small for the first", live(3200, 100, 100, 100), 0, 0},
		{"enough for the first", live(3200, 100, 100, 100, 100), 0, 5},
		{"around a large one", live(100, 100, 1600, 100, 100), 0, 5},
		{"tiny ones", live(1, 2, 3, 4), 0, 4},
		{"many that are too small", live(1e6, 1e3, 1, 1, 1, 1, 1, 1, 1, 1), 0, 0},
		{"more of them", live(1e6, 1e3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1), 2, 12},
		{"enough for the second", live(1e6, 10, 1, 1, 1, 1, 1, 1, 1, 1, 1), 1, 11},
		{"a worn one", []mergeCandidate{{10000, 0}, {1000, 251}, {800, 0}}, 1, 2},
		{"a worn one and small neighbours", []mergeCandidate{{1000, 300}, {100, 0}, {500, 0}}, 0, 3},
		{"all are dead", []mergeCandidate{{100, 100}}, 0, 1},
	} {
		if from, to := chooseMerge(c.all); from != c.from || to != c.to {
			t.Errorf("%s: %d to %d, not %d to %d", c.about, from, to, c.from, c.to)
		}
	}
}

// TestMergesEnd seals segments of any size and merges them, with some rows dying: merges come to an end, few segments
// are left, hardly any row is dead, and no row is written or inserted often.
func TestMergesEnd(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var all []mergeCandidate
		sealed, written, inserted := 0, 0, 0
		for range rapid.IntRange(1, 300).Draw(r, "segments") {
			rows := rapid.IntRange(1, 100).Draw(r, "rows")
			all = append(all, mergeCandidate{rows: rows})
			sealed += rows
			if at := rapid.IntRange(0, len(all)-1).Draw(r, "at"); all[at].live() > 0 {
				all[at].dead += rapid.IntRange(0, min(all[at].live(), 10)).Draw(r, "dead")
			}
			for merges := 0; ; merges++ {
				from, to := chooseMerge(all)
				if from == to {
					break
				}
				if merges > 10 {
					r.Fatalf("merges don't end: %v", all)
				}
				merged, most := mergeCandidate{rows: liveRows(all[from:to])}, 0
				for _, m := range all[from:to] {
					most = max(most, m.live())
				}
				written += merged.rows
				inserted += merged.rows - most
				all = slices.Delete(all, from, to)
				if merged.rows > 0 {
					all = slices.Insert(all, from, merged)
				}
			}
			for _, m := range all {
				if m.worn() {
					r.Fatalf("%v is worn", m)
				}
			}
		}
		if most := 20; len(all) > most {
			r.Fatalf("%d segments are left: %v", len(all), all)
		}
		if written > 16*sealed+1000 || inserted > 3*sealed {
			r.Fatalf("of %d rows %d were written and %d inserted", sealed, written, inserted)
		}
	})
}
