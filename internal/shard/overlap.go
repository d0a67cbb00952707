package shard

import "github.com/shale-search/shale/internal/diskread"

// overlappedLanes is the number of queries of a batch that a goroutine has in progress if rows are on disk: while some
// walk, others wait for their rows, and the disk always has requests to serve.
const overlappedLanes = 12

// overlap answers queries of a batch whose rows are read from disk.
type overlap struct {
	b     *batch
	r     *diskread.Reader
	lanes []overlapLane
	query []float32
}

type overlapLane struct {
	*lane     // nil: none yet
	row   int // of the queries
	busy  bool
}

// overlapped answers rows until there are none left.
func (b *batch) overlapped() {
	r, err := b.x.takeReader()
	if err != nil {
		b.Fail(0, err)
		return
	}
	o := &overlap{b: b, r: r, query: make([]float32, b.x.Dim()), lanes: make([]overlapLane, b.x.lanesAThread())}
	err = o.run()
	for o.waiting() && err == nil { // reads in progress must end before the reader serves others
		err = o.wait()
	}
	for i := range o.lanes {
		if l := o.lanes[i].lane; l != nil {
			b.x.putLane(l)
		}
	}
	if err != nil {
		b.Fail(b.Queries.Rows()-1, err)
		_ = r.Close() // the error of its reads is returned
		return
	}
	b.x.putReader(r)
}

// lanesAThread returns the number of queries that a goroutine of a batch has in progress.
func (x *Index) lanesAThread() int {
	if n := x.plan.Lanes; n > 0 {
		return min(n, overlappedLanes)
	}
	return overlappedLanes
}

func (o *overlap) run() error {
	for {
		busy := false
		for i := range o.lanes {
			if err := o.advance(&o.lanes[i], i); err != nil {
				return err
			}
			busy = busy || o.lanes[i].busy
		}
		if !busy {
			return nil
		}
		if o.waiting() {
			if err := o.wait(); err != nil {
				return err
			}
		}
	}
}

// advance does what it can for a lane without waiting. It returns errors of the reader; an error of the query itself
// ends the batch.
func (o *overlap) advance(l *overlapLane, number int) error {
	if l.busy && l.rows.complete() {
		if err := l.rows.rank(l.lane); err != nil {
			o.b.Fail(l.row, err)
			l.busy = false
			return nil
		}
		o.next(l)
	}
	for !l.busy {
		if ok := o.begin(l); !ok {
			return nil
		}
		o.next(l)
	}
	before := l.rows.begun
	if err := l.rows.start(l.lane, o.r, number); err != nil {
		return err
	}
	if l.rows.begun > before {
		return o.r.Submit()
	}
	return nil
}

// begin walks for the next query. It reports whether there is one.
func (o *overlap) begin(l *overlapLane) bool {
	row, ok := o.b.Take(o.query)
	if !ok {
		return false
	}
	var err error
	if l.lane == nil {
		l.lane, err = o.b.x.takeLane()
	}
	if err == nil {
		err = l.lane.begin(o.query, o.b.k, o.b.options(row))
	}
	if err != nil {
		o.b.Fail(row, err)
		return false
	}
	l.row = row
	return true
}

// next plans the reads of the rows that a lane needs next, or stores the lane's results.
func (o *overlap) next(l *overlapLane) {
	if l.busy = l.more(); l.busy {
		l.rows.plan(l.lane)
		return
	}
	o.b.Queries.Decode(l.row, o.query)
	if err := l.complete(o.query, o.b.k, o.b.options(l.row)); err != nil {
		o.b.Fail(l.row, err)
		return
	}
	o.b.put(l.row, l.lane)
}

// waiting reports whether reads are in progress.
func (o *overlap) waiting() bool { return o.r.Free() < readDepth }

func (o *overlap) wait() error {
	return o.r.Wait(func(tag uint64, piece []byte, err error) {
		l := o.lanes[tag>>32].lane
		l.rows.arrived(l, uint32(tag), piece, err)
	})
}
