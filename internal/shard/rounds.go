package shard

import (
	"sync/atomic"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/request"
	"github.com/shale-search/shale/search"
)

// A batch over mapped shards goes through them one after another, each with all the queries that want it: however many
// these are, a shard's pages are read from disk once, if memory holds that shard. A query's results so far are ranked
// by rows, so that no shard is needed again, and bound its walks in the shards to come.

// leastRounds is the smallest number of queries for which this is done: fewer share few pages.
const leastRounds = 16

// shardByShard reports whether a batch goes through the shards one after another.
func (x *Index) shardByShard(rows int, o *search.Options) bool {
	return x.plan.MappedShards > 0 && !x.plan.RowsOnDisk && len(x.parts) > 1 && rows >= leastRounds && o.Rerank == 0
}

// rounds is a batch that searches the shards one after another.
type rounds struct {
	b       *batch
	workers []*roundWorker
	wanted  [][]uint32 // for each shard, the rows of the queries that want it
	part    int        // the present shard
	next    atomic.Int64
	partial []bool // for each query: rows that it could find weren't searched
}

// roundWorker is what a goroutine works with: two lanes, whose walks wait for memory in turn.
type roundWorker struct {
	*rounds
	lanes  [2]*lane
	rows   [2]int
	taken  int // of lanes, those with a query
	query  []float32
	wanted [][]uint32
	nextOf func() (hnsw.Probe, bool) // nextProbe, made once
}

func newRounds(b *batch, threads int) *rounds {
	r := &rounds{b: b, wanted: make([][]uint32, len(b.x.all())), partial: make([]bool, b.Queries.Rows())}
	b.o.Threads = 1
	for range threads {
		w := &roundWorker{rounds: r, query: make([]float32, b.x.Dim()), wanted: make([][]uint32, len(b.x.all()))}
		w.nextOf = w.nextProbe
		r.workers = append(r.workers, w)
	}
	return r
}

func (r *rounds) run() {
	defer r.end()
	for _, w := range r.workers {
		for i := range w.lanes {
			var err error
			if w.lanes[i], err = r.b.x.takeLane(); err != nil {
				r.b.Fail(0, err)
				return
			}
		}
	}
	together(len(r.workers), func(i int) { r.workers[i].choose() })
	for part := range r.wanted {
		for _, w := range r.workers {
			r.wanted[part] = append(r.wanted[part], w.wanted[part]...)
		}
		r.part = part
		r.next.Store(0)
		together(len(r.workers), func(i int) { r.workers[i].round() })
	}
	r.next.Store(0)
	together(len(r.workers), func(i int) { r.workers[i].complete() })
	if !r.b.Ended() {
		r.b.Count(&search.Stats{}, r.b.Queries.Rows())
	}
}

func (r *rounds) end() {
	for _, w := range r.workers {
		for _, l := range w.lanes {
			if l != nil {
				r.b.x.putLane(l)
			}
		}
	}
}

// choose finds the shards of queries until there are no more.
func (w *roundWorker) choose() {
	l, b := w.lanes[0], w.b
	for {
		row, ok := b.Take(w.query)
		if !ok {
			return
		}
		if err := w.chooseFor(l, row); err != nil {
			b.Fail(row, err)
			return
		}
		request.Set(b.out, row, nil)
		w.partial[row] = !l.exhausted(b.options(row)) // by the number of shards: there are no probes yet
		for _, p := range l.parts {
			w.wanted[p] = append(w.wanted[p], uint32(row))
		}
	}
}

// chooseFor finds the shards of the present query, that of a row.
func (w *roundWorker) chooseFor(l *lane, row int) (err error) {
	defer w.b.x.nameFault(&err)
	defer mmap.Catch(mmap.Guard(), &err)
	o := w.b.options(row)
	if err := l.bind(w.query, w.b.k, o); err != nil {
		return err
	}
	return l.choose(o)
}

// round searches the present shard for queries until there are no more.
func (w *roundWorker) round() {
	for w.take() {
		if err := w.search(); err != nil {
			w.b.Fail(w.rows[0], err)
			return
		}
	}
}

// take gives each lane a query that wants the shard. It reports whether there was one.
func (w *roundWorker) take() bool {
	w.taken = 0
	all := w.rounds.wanted[w.part]
	for w.taken < len(w.lanes) && !w.b.Ended() {
		i := int(w.next.Add(1)) - 1
		if i >= len(all) {
			break
		}
		w.rows[w.taken] = int(all[i])
		w.taken++
	}
	return w.taken > 0
}

// search searches the shard for the queries taken, and adds what it finds to their results.
func (w *roundWorker) search() (err error) {
	x, b := w.b.x, w.b
	defer x.nameFault(&err)
	defer mmap.Catch(mmap.Guard(), &err)
	for i, l := range w.lanes[:w.taken] {
		b.Queries.Decode(w.rows[i], w.query)
		o := b.options(w.rows[i])
		if err := l.bind(w.query, b.k, o); err != nil {
			return err
		}
		l.parts = append(l.parts[:0], uint32(w.part))
		l.readyToWalk(o)
		if n := b.out.Counts[w.rows[i]]; n == b.k && !b.o.Independent {
			l.walks.shared = &l.walks.bound
			l.walks.shared.Lower(b.out.Distances[(w.rows[i]+1)*b.k-1])
		}
	}
	hnsw.WalkProbes(w.nextOf)
	for i, l := range w.lanes[:w.taken] {
		if err := w.rank(l, w.rows[i]); err != nil {
			return err
		}
	}
	return nil
}

// nextProbe returns the probe of a lane that has none yet.
func (w *roundWorker) nextProbe() (hnsw.Probe, bool) {
	for _, l := range w.lanes[:w.taken] {
		if p, ok := l.nextProbe(); ok {
			return p, true
		}
	}
	return hnsw.Probe{}, false
}

// rank merges the lane's candidates into the query's results and keeps the nearest.
func (w *roundWorker) rank(l *lane, row int) error {
	if err := l.walked(); err != nil {
		return err
	}
	b := w.b
	at := row * b.k
	for i := range b.out.Counts[row] {
		l.found = append(l.found, search.Neighbor{Label: b.out.Labels[at+i], Distance: b.out.Distances[at+i]})
	}
	for l.more() {
		if err := l.scoreNow(); err != nil {
			return err
		}
	}
	request.Set(b.out, row, l.found)
	b.Count(&l.stats, 0)
	w.partial[row] = w.partial[row] || !l.probes[0].Stats().Exact
	return nil
}

// complete searches by all rows for each query that has fewer results than it must have.
func (w *roundWorker) complete() {
	b, l := w.b, w.lanes[0]
	for !b.Ended() {
		row := int(w.next.Add(1)) - 1
		if row >= b.Queries.Rows() {
			return
		}
		if b.out.Counts[row] >= min(b.k, b.x.Len()) || !w.partial[row] {
			continue
		}
		b.Queries.Decode(row, w.query)
		if err := l.answer(w.query, b.k, w.exact(row)); err != nil {
			b.Fail(row, err)
			return
		}
		request.Set(b.out, row, l.found)
		b.Count(&l.stats, 0)
	}
}

// exact returns the options of a row's exact search.
func (w *roundWorker) exact(row int) *search.Options {
	o := *w.b.options(row)
	o.Probes, o.Exact = len(w.b.x.parts), true
	return &o
}
