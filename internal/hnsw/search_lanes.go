package hnsw

import "github.com/shale-search/shale/search"

// lanes is how many queries of a batch a goroutine answers in turn. A walk waits for memory most of its time: for links, then
// for the rows or codes of what they lead to. Meanwhile another goes on. Two are 20 to 30 % faster than one; three gain
// nothing more.
const lanes = 2

// longEf is the ef from which a query takes several times as long as another goroutine takes to come, so that one should
// rather be left to it than answered in turn.
const longEf = 400

// lane is a query under way.
type lane struct {
	s     *searcher // nil: no query is under way
	row   int
	stats search.Stats
}

// inTurn answers rows, several at a time.
func (b *batchSearch) inTurn(w *batchScratch, sum *batchSum) {
	for busy := true; busy; {
		busy = false
		for i := range w.lanes[:b.lanes] {
			l := &w.lanes[i]
			if l.s == nil && !b.start(l, w, sum) {
				continue
			}
			busy = true
			if !l.s.step(l.s.task.collector) {
				b.finish(l, sum)
			}
		}
	}
}

// start begins the search for the next row that needs a walk; those before it are answered. It reports false if none is
// left.
func (b *batchSearch) start(l *lane, w *batchScratch, sum *batchSum) bool {
	for {
		row, query, ok := b.take(w)
		if !ok {
			return false
		}
		t := b.task(row, &l.stats)
		s, err := b.r.prepared(query, b.k, &t)
		if err != nil {
			b.fail(row, err)
			return false
		}
		l.s, l.row = s, row
		if s.task.collector != nil {
			return true
		}
		b.finish(l, sum)
	}
}

// finish makes results of a lane's search and frees the lane.
func (b *batchSearch) finish(l *lane, sum *batchSum) {
	b.put(l.row, b.r.conclude(l.s), &l.stats, sum)
	b.r.end(l.s)
	l.s = nil
}
