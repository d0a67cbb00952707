package hnsw

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// handedOver is what Hold tells of x, as another process would get it.
func handedOver(t *testing.T, hold func(time.Duration) (*Memory, func(), error)) *Memory {
	t.Helper()
	m, release, err := hold(time.Second)
	must(t, err)
	defer release()
	text, err := json.Marshal(m)
	must(t, err)
	got := &Memory{}
	must(t, json.Unmarshal(text, got))
	return got
}

// TestInherit: an index made of another's memory answers as that does, and can be changed.
func TestInherit(t *testing.T) {
	race.SkipSequential(t)
	t.Parallel()
	const first, all, room = 1100, 1500, 1200
	rows, err := wordnet()
	must(t, err)
	queries := rows.Slice(0, 20)
	for name, c := range map[string]Config{
		"rows":     {Metric: vector.Cosine},
		"codes":    {Metric: vector.Cosine, Codes: Codes{Bits: 2}},
		"halves":   {Metric: vector.L2, Storage: vector.Float16},
		"external": {Metric: vector.L2, Storage: rowtype.External},
	} {
		t.Run(name, func(t *testing.T) {
			c.Dim, c.Capacity = rows.Dim(), room
			x, err := New(c)
			must(t, err)
			defer x.Close()
			if c.Storage == rowtype.External {
				must(t, x.Attach(rows, AttachOptions{}))
				must(t, x.AddAttached(context.Background(), first, nil, BatchOptions{}))
			} else {
				must(t, x.AddBatch(context.Background(), rows.Slice(0, first), nil, BatchOptions{}))
			}
			must(t, x.Delete(7))
			successor, err := IndexFromMemory(handedOver(t, x.Hold))
			must(t, err)
			want, err := x.SearchBatch(context.Background(), queries, 10, search.Options{})
			must(t, err)
			got, err := successor.SearchBatch(context.Background(), queries, 10, search.Options{})
			must(t, err)
			for i := range want.Labels {
				if got.Labels[i] != want.Labels[i] || got.Distances[i] != want.Distances[i] {
					t.Fatalf("result %d is %d at %v, not %d at %v", i, got.Labels[i], got.Distances[i],
						want.Labels[i], want.Distances[i])
				}
			}
			if successor.Len() != first || successor.Deleted() != 1 || successor.Capacity() != room {
				t.Errorf("%d elements, %d deleted, room for %d", successor.Len(), successor.Deleted(), successor.Capacity())
			}
			must(t, successor.Undelete(7))
			if c.Storage == rowtype.External {
				return
			}
			must(t, successor.AddBatch(context.Background(), rows.Slice(first, all), nil, BatchOptions{}))
			if found, err := successor.Search(decoded(rows, 1300), 1, search.Options{}); err != nil ||
				len(found) != 1 || found[0].Label != 1300 {
				t.Errorf("found %v, %v", found, err)
			}
			must(t, successor.Close())
		})
	}
}

func TestInheritFlat(t *testing.T) {
	rows, err := wordnet()
	must(t, err)
	f, err := NewFlat(Config{Dim: rows.Dim(), Metric: vector.Cosine, Capacity: 1000})
	must(t, err)
	defer f.Close()
	must(t, f.AddBatch(context.Background(), rows.Slice(0, 900), nil, BatchOptions{}))
	successor, err := FlatFromMemory(handedOver(t, f.Hold))
	must(t, err)
	must(t, successor.Delete(3))
	must(t, successor.Add(5000, decoded(rows, 950), AddOptions{}))
	if found, err := successor.Search(decoded(rows, 950), 1, search.Options{}); err != nil ||
		len(found) != 1 || found[0].Label != 5000 {
		t.Errorf("found %v, %v", found, err)
	}
}

// TestHoldGivesUp: an index that is being changed for long isn't held, and is free afterwards.
func TestHoldGivesUp(t *testing.T) {
	x, err := New(Config{Dim: 4})
	must(t, err)
	defer x.Close()
	must(t, x.Add(1, []float32{1, 2, 3, 4}, AddOptions{}))
	must(t, x.WithImage(func(*Image) error {
		if _, _, err := x.Hold(time.Millisecond); !errors.Is(err, ErrChanging) {
			t.Errorf("got %v", err)
		}
		return nil
	}))
	_, release, err := x.Hold(time.Second)
	must(t, err)
	release()
	must(t, x.Add(2, []float32{1, 2, 3, 5}, AddOptions{}))
	must(t, x.Close())
	if _, _, err := x.Hold(time.Second); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}
