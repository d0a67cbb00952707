//go:build cgo

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/shard"
	"github.com/shale-search/shale/vector"
)

// Tests can't import "C": types of C come by inference, statuses by the errors that they stand for.

var (
	closed   = statusOf(errNoObject)
	wrong    = statusOf(errOtherKind)
	ok       = answer(nil)
	readOnly = statusOf(shale.ErrReadOnly)
)

// into calls a function that writes to its second argument.
func into[A, B any](fn func(A, *B) status, a A) (B, status) {
	var b B
	got := fn(a, &b)
	return b, got
}

const dim = 4

func makeEngine(t *testing.T, kind string) engine {
	t.Helper()
	e, err := newEngine(&newOptions{
		layoutOptions: layoutOptions{Metric: "l2", M: 8, EfConstruction: 50, Capacity: 100, Seed: 1}, Kind: kind, Dim: dim,
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func someRows(n int) []float32 {
	rows := make([]float32, n*dim)
	for i := range rows {
		rows[i] = float32(i/dim) + float32(i%dim)/10
	}
	return rows
}

// fill adds n rows under default labels.
func fill(t *testing.T, e engine, n int) []uint64 {
	t.Helper()
	rows, err := vector.Of(someRows(n), dim)
	if err != nil {
		t.Fatal(err)
	}
	x := &index{engine: e}
	a := &addition{rows: rows, n: n, assign: true}
	if err := x.add(context.Background(), a); err != nil {
		t.Fatal(err)
	}
	return a.labels
}

var kinds = []string{kindRoot, kindGraph, kindFlat}

func TestEveryKindOfIndexAnswersToOneHandle(t *testing.T) {
	for _, kind := range kinds {
		t.Run("kind "+kind, func(t *testing.T) {
			e := makeEngine(t, kind)
			h := addIndex(e)
			if labels := fill(t, e, 20); labels[0] != 0 || labels[19] != 19 {
				t.Fatalf("labels %v", labels)
			}
			stat, got := into(goStat, h)
			if got != ok || stat.count != 20 || stat.dim != dim || stat.changeable != 1 {
				t.Fatalf("status %d, %+v", got, stat)
			}
			q := makeQuery(int64(h), 3)
			if got := q.search(); got != ok || q.labels[0] != 3 || q.distances[0] != 0 {
				t.Fatalf("status %d, labels %v, distances %v", got, q.labels, q.distances)
			}
			if got := goMark(h, nil, 0, 1, 0); got != ok {
				t.Errorf("deleting nothing: status %d", got)
			}
			var found [2]bool
			if err := e.contains([]uint64{3, 99}, found[:]); err != nil || found != [2]bool{true, false} {
				t.Errorf("contains 3 and 99: %v, %v", found, err)
			}
			if got := goClose(h); got != ok {
				t.Fatalf("closing: status %d", got)
			}
			if _, got := into(goStat, h); got != closed {
				t.Errorf("status of a closed index is %d, not %d", got, closed)
			}
			if got := q.search(); got != closed {
				t.Errorf("a search of a closed index gives %d, not %d", got, closed)
			}
			if got := goClose(h); got != closed {
				t.Errorf("closing again: status %d, not %d", got, closed)
			}
		})
	}
}

// call is struct shale_query.
type call struct {
	index                          int64
	rows                           unsafe.Pointer
	typ, count, dim                int64
	k, ef, rerank, probes, threads int64
	slack, share                   float64
	filters                        unsafe.Pointer
	filterCount, partial           int64
	labelsAt, distancesAt          unsafe.Pointer
	head                           int64
	parts                          unsafe.Pointer
	partCount                      int64
	values, distances              []float32
	labels                         []uint64
}

// makeQuery is a query for the row given, and its two nearest.
func makeQuery(h int64, row int) *call {
	const k = 2
	q := &call{index: h, count: 1, dim: dim, k: k, ef: 20, threads: 1, partCount: -1}
	q.values, q.labels, q.distances = someRows(row + 1)[row*dim:], make([]uint64, k), make([]float32, k)
	q.rows, q.labelsAt, q.distancesAt = unsafe.Pointer(&q.values[0]), unsafe.Pointer(&q.labels[0]),
		unsafe.Pointer(&q.distances[0])
	return q
}

func (q *call) search() status { return goSearch(unsafe.Pointer(q), nil) }

func TestMisuseIsRefused(t *testing.T) {
	e := makeEngine(t, kindGraph)
	h := addIndex(e)
	fill(t, e, 20)
	filterHandle := table.add(&filter{mask: -1})
	for name, c := range map[string]struct {
		change func(*call)
		want   status
	}{
		"k of 0":           {func(q *call) { q.k = 0 }, wrong},
		"k too large":      {func(q *call) { q.k = math.MaxInt32 + 1 }, wrong},
		"negative count":   {func(q *call) { q.count = -1 }, wrong},
		"huge count":       {func(q *call) { q.count = math.MaxInt64 }, wrong},
		"no dimension":     {func(q *call) { q.dim = 0 }, wrong},
		"other dimension":  {func(q *call) { q.dim = 3 }, statusOf(vector.ErrDim)},
		"unknown type":     {func(q *call) { q.typ = 7 }, wrong},
		"handle of filter": {func(q *call) { q.index = int64(filterHandle) }, wrong},
		"handle 0":         {func(q *call) { q.index = 0 }, closed},
		"negative handle":  {func(q *call) { q.index = -5 }, closed},
		"never given":      {func(q *call) { q.index = math.MaxInt64 }, closed},
	} {
		q := makeQuery(int64(h), 1)
		if c.change(q); q.search() != c.want {
			t.Errorf("%s: status %d, not %d", name, q.search(), c.want)
		}
	}
	if _, got := into(goStat, filterHandle); got != wrong {
		t.Errorf("the numbers of a filter: status %d, not %d", got, wrong)
	}
	if got := goCompact(h, 1, nil); got != readOnly {
		t.Errorf("compacting hnswlib's index: status %d, not %d", got, readOnly)
	}
	if got := goAdd(h, nil, 0, 2, dim, nil, 0, 1, 0, 0, nil); got == ok {
		t.Error("rows without labels were added")
	}
	if got := goAdd(h, nil, 2, 1, 0, nil, 1, 1, 0, 0, nil); got == ok {
		t.Error("rows were added that nobody has attached")
	}
}

func TestFewResultsAreAnErrorUnlessAllowed(t *testing.T) {
	e := makeEngine(t, kindFlat)
	h := addIndex(e)
	fill(t, e, 1)
	q := makeQuery(int64(h), 0)
	if got := q.search(); got != statusOf(errFew) {
		t.Errorf("status %d, not %d", got, statusOf(errFew))
	}
	q.partial = 1
	if got := q.search(); got != ok || q.labels[0] != 0 || q.labels[1] != math.MaxUint64 ||
		!math.IsInf(float64(q.distances[1]), 1) {
		t.Errorf("status %d, labels %v, distances %v", got, q.labels, q.distances)
	}
}

func TestHandlesAreNeverUsedTwice(t *testing.T) {
	seen := map[int64]bool{}
	for range 100 {
		h := table.add(new(progress))
		if seen[int64(h)] {
			t.Fatalf("handle %d came twice", h)
		}
		seen[int64(h)] = true
		if got := goClose(h); got != ok {
			t.Fatal(got)
		}
	}
	if got := goHandlesAfter(table.add(new(progress)) + 1000); got != ok {
		t.Fatal(got)
	}
	if h := table.add(new(progress)); seen[int64(h)] || int64(h) < 1000 {
		t.Errorf("handle %d follows", h)
	}
}

func TestOneOfManyClosesAnObject(t *testing.T) {
	e := makeEngine(t, kindGraph)
	h := addIndex(e)
	fill(t, e, 50)
	var wg sync.WaitGroup
	statuses := make([]status, 8)
	for i := range statuses {
		wg.Go(func() {
			q := makeQuery(int64(h), i)
			for {
				if got := q.search(); got == closed {
					break
				} else if got != ok {
					t.Errorf("a search gave %d", got)
					break
				}
				if i == 0 {
					break
				}
			}
			statuses[i] = goClose(h)
		})
	}
	wg.Wait()
	n := 0
	for _, got := range statuses {
		if got == ok {
			n++
		} else if got != closed {
			t.Errorf("status %d", got)
		}
	}
	if n != 1 {
		t.Errorf("%d of %d closed it", n, len(statuses))
	}
}

// begin begins fn as a job.
func begin[H any](perform func(*H, func(context.Context) error) status, fn func(context.Context) error) (H, status) {
	var h H
	got := perform(&h, fn)
	return h, got
}

func TestJobsEndOnceAndCanBeCancelled(t *testing.T) {
	started := make(chan struct{})
	h, got := begin(perform, func(ctx context.Context) error {
		close(started)
		<-ctx.Done()
		return ctx.Err()
	})
	if got != ok {
		t.Fatal(got)
	}
	<-started
	if got := goWait(h, 1); got == ok || got == statusOf(context.Canceled) {
		t.Fatalf("a job that goes on: status %d", got)
	}
	if got := goCancel(h); got != ok {
		t.Fatal(got)
	}
	if got := goWait(h, 60_000); got != statusOf(context.Canceled) {
		t.Errorf("a cancelled job: status %d", got)
	}
	if got := goWait(h, 1); got != closed {
		t.Errorf("a job that has ended: status %d", got)
	}
	if got := goCancel(h); got != closed {
		t.Errorf("cancelling a job that has ended: status %d", got)
	}
}

func TestPanicsAreErrors(t *testing.T) {
	h, _ := begin(perform, func(context.Context) error { panic("oh") })
	if got, want := goWait(h, 60_000), statusOf(errors.New("")); got != want {
		t.Errorf("status %d, not %d", got, want)
	}
	if got := do(func() error { panic("oh") }); got != statusOf(errors.New("")) {
		t.Errorf("status %d", got)
	}
}

func TestStatusesTellErrorsApart(t *testing.T) {
	alone := []error{
		context.Canceled, errNoObject, errFew, vector.ErrDim, hnsw.ErrLabel, hnsw.ErrDeleted,
		hnsw.ErrNotDeleted, hnsw.ErrFull,
		hnsw.ErrReplaceDisabled, hnsw.ErrUpdateDeleted, shale.ErrReadOnly, shale.ErrNotIndex, shard.ErrMemory, fs.ErrNotExist,
		fs.ErrExist, fs.ErrPermission, errOtherKind, errors.New("something else"),
	}
	seen := map[status]error{}
	for _, err := range alone {
		wrapped := fmt.Errorf("wrapped: %w", err)
		got := statusOf(wrapped)
		if before, ok := seen[got]; ok {
			t.Errorf("%v and %v have the status %d", before, err, got)
		}
		if seen[got] = err; got != statusOf(err) || got == ok {
			t.Errorf("%v: status %d, wrapped %d", err, statusOf(err), got)
		}
	}
	if got := statusOf(&format.Error{}); got != statusOf(shale.ErrNotIndex) {
		t.Errorf("a damaged file: status %d", got)
	}
	for _, err := range []error{hnsw.ErrNotFinite, hnsw.ErrTooLarge} {
		if got := statusOf(err); got != wrong {
			t.Errorf("%v: status %d", err, got)
		}
	}
}

func TestOptionsMustBeKnown(t *testing.T) {
	for _, text := range []string{`{"metrik": "l2"}`, `{"dim": "4"}`, `[]`, ``, `{"capacity": 1e30}`} {
		if _, err := decode[newOptions](text); statusOf(err) != wrong {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, o := range []newOptions{
		{Kind: "tree", Dim: dim}, {Kind: kindShards, Dim: dim},
		{Kind: kindGraph, Dim: dim, layoutOptions: layoutOptions{Metric: "l3"}},
		{Dim: dim, layoutOptions: layoutOptions{Metric: "l2", Storage: "gzip"}},
	} {
		if _, err := newEngine(&o); statusOf(err) != wrong {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestOpeningSaysWhatIsWrong(t *testing.T) {
	folder := t.TempDir()
	damaged := filepath.Join(folder, "damaged")
	if err := os.WriteFile(damaged, make([]byte, 200), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{kindRoot, kindGraph, kindFlat, kindLinks, kindMapped, kindShards} {
		o := &openOptions{Kind: kind, Metric: "l2", Dim: dim, Shards: 1}
		missing := statusOf(fs.ErrNotExist)
		if kind == kindShards { // the directory is there without its files
			missing = statusOf(shale.ErrNotIndex)
		}
		if _, err := openEngine(context.Background(), filepath.Join(folder, "missing"), o); statusOf(err) != missing {
			t.Errorf("kind %q, a file that is missing: %v", kind, err)
		}
		if kind == kindShards {
			continue
		}
		if _, err := openEngine(context.Background(), damaged, o); statusOf(err) != statusOf(shale.ErrNotIndex) {
			t.Errorf("kind %q, a file that is none: %v", kind, err)
		}
	}
}

func TestMissingLabelsMayBeIgnored(t *testing.T) {
	for _, kind := range kinds {
		e := makeEngine(t, kind)
		fill(t, e, 5)
		m := e.(marker)
		if err := m.mark([]uint64{1, 99}, true, false); !errors.Is(err, hnsw.ErrLabel) {
			t.Errorf("kind %q: %v", kind, err)
		}
		if err := m.mark([]uint64{1, 2, 2, 99}, true, true); err != nil {
			t.Errorf("kind %q: %v", kind, err)
		}
		if labels, err := e.findable(); err != nil || len(labels) != 3 {
			t.Errorf("kind %q: left are %v, %v", kind, labels, err)
		}
	}
}

func TestChangesFindTheIndexThatACompactionPutInPlace(t *testing.T) {
	e := makeEngine(t, kindRoot)
	h := addIndex(e)
	fill(t, e, 60)
	if err := e.(marker).mark([]uint64{0, 1, 2}, true, false); err != nil {
		t.Fatal(err)
	}
	done := make(chan status)
	go func() { done <- goCompact(h, 1, nil) }()
	for range 20 {
		if err := change(h, func(x *index) error { return x.engine.(marker).mark([]uint64{10}, true, true) }); err != nil {
			t.Error(err)
		}
	}
	select {
	case got := <-done:
		if got != ok {
			t.Fatalf("status %d", got)
		}
	case <-time.After(time.Minute):
		t.Fatal("compacting doesn't end")
	}
	if got := goCompact(h, 1, nil); got != ok {
		t.Fatal(got)
	}
	if stat, _ := into(goStat, h); stat.count != 56 || stat.deleted != 0 {
		t.Errorf("%+v", stat)
	}
}
