package shard

import (
	"cmp"
	"errors"
	"fmt"
	"math"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/request"
	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// count adds the work of a probe's walk.
func count(s *search.Stats, p hnsw.Probe) {
	walk := p.Stats()
	s.Distances += walk.Distances
	s.Hops += walk.Hops
}

// settle fills in options that are unset. An exact search looks into all shards, and so does a filtered one, because
// the rows that the filter allows may be far from the query.
func (x *Index) settle(o *search.Options) {
	o.Ef = cmp.Or(o.Ef, request.DefaultEf)
	if o.Probes != 0 || o.Share != 0 {
		return
	}
	if o.Share = request.DefaultShare; o.Exact || o.Filter != nil || o.Filters != nil {
		o.Probes = len(x.parts)
	}
}

// check returns an error if searches can't have the options.
func check(o *search.Options) error {
	if o.Stop != nil {
		return errors.New("search: a stop condition can't serve several shards, or rows on disk")
	}
	return nil
}

// SearchInto appends the k rows nearest to query (Dim values) to dst, nearest first, ties by smaller label; fewer where
// fewer are to be had. Copies of a row in several shards are one result.
func (x *Index) SearchInto(dst []search.Neighbor, query []float32, k int, o search.Options) ([]search.Neighbor, error) {
	return x.SearchWithin(dst, query, k, o, float32(math.Inf(1)))
}

// SearchWithin is SearchInto for a caller that already has k rows at distance within or nearer. Walks end as soon as
// they can only find farther rows.
func (x *Index) SearchWithin(dst []search.Neighbor, query []float32, k int, o search.Options, within float32,
) ([]search.Neighbor, error) {
	x.using.RLock()
	defer x.using.RUnlock()
	if o.Stop != nil && len(x.parts) == 1 && !x.plan.RowsOnDisk && !x.plan.LinksOnDisk {
		return x.searchAlone(dst, query, k, o)
	}
	l, err := x.takeLane()
	if err != nil {
		return dst, err
	}
	defer x.putLane(l)
	l.walks.within = within
	x.settle(&o)
	if err := l.answer(query, k, &o); err != nil {
		return dst, err
	}
	if o.Stats != nil {
		*o.Stats = l.stats
	}
	return append(dst, l.found...), nil
}

// searchAlone leaves a search to the graph of the only shard, for a stop condition. The caller holds using.
func (x *Index) searchAlone(dst []search.Neighbor, query []float32, k int,
	o search.Options) (found []search.Neighbor, err error) {
	if x.closed.Load() {
		return dst, hnsw.ErrClosed
	}
	defer x.nameFault(&err)
	return x.parts[0].SearchInto(dst, query, k, o)
}

// answer returns the results of a search.
func (l *lane) answer(query []float32, k int, o *search.Options) (err error) {
	if l.x.faulty() {
		defer l.x.nameFault(&err)
		defer mmap.Catch(mmap.Guard(), &err)
	}
	if o.Exact && l.x.rowsApart() {
		return l.answerExactly(query, k, o)
	}
	if err := l.find(query, k, o); err != nil {
		return err
	}
	return l.complete(query, k, o)
}

// find walks the chosen shards and returns what the walks find.
func (l *lane) find(query []float32, k int, o *search.Options) error {
	if err := l.begin(query, k, o); err != nil {
		return err
	}
	for l.more() {
		if err := l.scoreNow(); err != nil {
			return err
		}
	}
	return nil
}

// faulty reports whether searches read files that are mapped.
func (x *Index) faulty() bool { return x.plan.MappedShards > 0 || x.faults.Load() }

// nameFault adds the name of the index to the error of a failed mapping.
func (x *Index) nameFault(err *error) {
	if fault := (*mmap.FaultError)(nil); errors.As(*err, &fault) {
		*err = fmt.Errorf("%s: %w: verify the index", x.dir, *err)
	}
}

// copies reports whether a row may lie in several shards, under one label.
func (x *Index) copies() bool { return x.counts.repeats.Load() || x.global.Load() }

// takeLane gives the memory of a search. The caller holds using.
func (x *Index) takeLane() (*lane, error) {
	if x.closed.Load() {
		return nil, hnsw.ErrClosed
	}
	if l, ok := x.lanes.Get().(*lane); ok {
		l.walks.within = float32(math.Inf(1))
		return l, nil
	}
	return newLane(x)
}

func (x *Index) putLane(l *lane) {
	l.end()
	x.lanes.Put(l)
}

// lane is one search under way: its candidates are found by begin; then more says which rows are to be scored next,
// until there are none.
type lane struct {
	x      *Index
	k      int
	finder finder
	query  []float32    // normalised where the metric asks for it
	parts  []uint32     // to search, most likely first
	probes []hnsw.Probe // of each part
	walks  walks
	candidates
	batch []candidate // whose rows are to be scored
	ids   []uint32
	dist  []float32
	rows  *fetched   // of rows on disk; nil: all rows are in memory
	disk  *blockWalk // the layout of rows, if links are on disk too; else nil
	stats search.Stats
}

func newLane(x *Index) (*lane, error) {
	l := &lane{x: x, query: make([]float32, x.Dim()), ids: make([]uint32, 0, batchRows), dist: make([]float32, batchRows)}
	l.walks.within = float32(math.Inf(1))
	l.walks.next, l.walks.help, l.walks.helpers.last = l.nextProbe, l.helpWalking, make(chan struct{}, 1)
	var err error
	switch {
	case x.plan.LinksOnDisk:
		l.disk = newBlockWalk(x)
		l.rows, err = newFetched(x, l.disk)
	case x.plan.RowsOnDisk:
		l.rows, err = newFetched(x, rowLayout{})
	}
	return l, err
}

// rowType returns the type of the rows on disk.
func (x *Index) rowType() vector.Type {
	for _, p := range x.parts {
		switch {
		case p.rows != nil:
			return p.rows.place.Type
		case p.blocks != nil:
			return p.blocks.Type
		}
	}
	return vector.Float32
}

// begin walks the shards that the query needs and collects their candidates.
func (l *lane) begin(query []float32, k int, o *search.Options) error {
	if err := l.bind(query, k, o); err != nil {
		return err
	}
	if err := l.choose(o); err != nil {
		return err
	}
	if err := l.walk(o); err != nil {
		return err
	}
	if l.rows != nil {
		l.rows.bind(l.query)
	}
	return nil
}

// bind makes query the query of the lane.
func (l *lane) bind(query []float32, k int, o *search.Options) error {
	x := l.x
	l.end()
	l.stats = search.Stats{}
	if err := errors.Join(check(o), request.Check(o, k)); err != nil {
		return err
	}
	if len(query) != x.Dim() {
		return fmt.Errorf("%w: the query has %d values, the index has %d", vector.ErrDim, len(query), x.Dim())
	}
	if err := score.Check(x.metric, query); err != nil {
		return fmt.Errorf("query: %w", err)
	}
	copy(l.query, query)
	if x.metric == vector.Cosine {
		vector.Normalize(l.query)
	}
	l.k = min(k, x.most())
	return nil
}

// choose fills parts with the shards to search, and the growing segment, which comes last.
func (l *lane) choose(o *search.Options) error {
	if err := l.chooseShards(o); err != nil {
		return err
	}
	if l.x.growing != nil {
		l.parts = append(l.parts, uint32(len(l.x.parts)))
	}
	return nil
}

func (l *lane) chooseShards(o *search.Options) error {
	x := l.x
	l.parts = l.parts[:0]
	if o.Shards != nil {
		for _, p := range o.Shards {
			if int64(p) < int64(len(x.parts)) {
				l.parts = append(l.parts, p)
			}
		}
		return nil
	}
	if x.router == nil || o.Probes >= len(x.parts) {
		for p := range x.parts {
			l.parts = append(l.parts, uint32(p))
		}
		return nil
	}
	routes, err := x.router.find(&l.finder, l.query, o.Probes)
	if err != nil {
		return err
	}
	probes := o.Probes
	if probes <= 0 {
		probes = l.finder.together(routes, holding(routes, x.router.massFor(o.Share)))
	}
	for _, r := range routes[:min(probes, len(routes))] {
		l.parts = append(l.parts, r.part)
	}
	return nil
}

// more fills batch with the candidates whose rows must be scored next. It reports false at the end of the search.
func (l *lane) more() bool {
	if l.disk != nil && l.disk.frontier(l) {
		l.stats.Reranked += len(l.batch)
		return true
	}
	if l.disk != nil {
		l.disk.ranks = true
	}
	l.batch = l.candidates.next(l.batch[:0])
	l.stats.Reranked += len(l.batch)
	if len(l.batch) > 0 {
		return true
	}
	for i, p := range l.probes {
		if l.led(i) {
			count(&l.stats, p)
		}
	}
	l.clamp()
	return false
}

// clamp puts distances right that rounding has taken below the least that there is.
func (l *lane) clamp() {
	if l.x.metric != vector.Cosine {
		return
	}
	for i := range l.found {
		l.found[i].Distance = max(l.found[i].Distance, 0)
	}
}

// scoreNow scores the batch, waiting for rows on disk.
func (l *lane) scoreNow() error {
	if l.rows != nil {
		return l.read()
	}
	if l.x.plan.MappedShards > 0 {
		l.readAhead()
	}
	for i, p := range l.probes {
		if l.ids = l.batchOf(i, l.ids[:0]); len(l.ids) == 0 {
			continue
		}
		p.Score(l.ids, l.dist)
		at := 0
		for _, c := range l.batch {
			if c.probe == uint32(i) {
				l.offer(c.Label, l.dist[at])
				at++
			}
		}
	}
	return nil
}

// end closes the probes.
func (l *lane) end() {
	for _, p := range l.probes {
		if p != (hnsw.Probe{}) { // else it wasn't begun
			p.Close()
		}
	}
	l.probes = l.probes[:0]
}
