package shard

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/search"
)

// walks holds the walks of a query through its shards.
type walks struct {
	bound   hnsw.Bound
	shared  *hnsw.Bound // bound, or nil if there is one walk
	within  float32     // see SearchWithin; +Inf: no bound
	options search.Options
	depth   int          // candidates of a shard
	upTo    int          // walks to begin
	begun   atomic.Int64 // probes
	helpers helpers

	next func() (hnsw.Probe, bool) // lane.nextProbe and lane.helpWalking, made once
	help func()

	mu  sync.Mutex // guards err
	err error      // the first
}

// walkWork is the work of each goroutine, in candidates kept. It takes about 300 µs, and waking the goroutine 10 to 50.
const walkWork = 2000

// walk finds candidates in the shards chosen.
func (l *lane) walk(o *search.Options) error {
	l.readyToWalk(o)
	w := &l.walks
	if last := len(l.parts) - 1; last > 0 && int(l.parts[last]) == len(l.x.parts) {
		w.upTo = last // the growing segment follows: where rows of shards have died meanwhile, it has those that replace them
	}
	if wanted := min(o.Threads, len(l.parts), len(l.parts)*w.depth/walkWork) - 1; wanted > 0 {
		w.helpers.open()
		for range wanted {
			go w.help()
		}
	}
	l.walkSome()
	w.helpers.close()
	if w.upTo < len(l.parts) {
		w.begun.Store(int64(w.upTo))
		w.upTo = len(l.parts)
		l.walkSome()
	}
	return l.walked()
}

// readyToWalk prepares the walks of the chosen shards.
func (l *lane) readyToWalk(o *search.Options) {
	w := &l.walks
	w.depth = min(max(o.Ef, l.k), l.x.most())
	w.options, w.err = *o, nil
	w.options.Stats = nil
	w.bound.Reset()
	known := !math.IsInf(float64(w.within), 1)
	if known {
		w.bound.Lower(w.within)
	}
	if w.shared = &w.bound; o.Independent || len(l.parts) == 1 && !known {
		w.shared = nil
	}
	w.begun.Store(0)
	w.upTo = len(l.parts)
	l.probes = slices.Grow(l.probes[:0], len(l.parts))[:len(l.parts)]
	clear(l.probes)
}

// walked collects what the walks have found as candidates.
func (l *lane) walked() error {
	rerank := l.walks.options.Rerank
	l.walks.options = search.Options{}
	if l.walks.err != nil {
		return l.walks.err
	}
	l.collect(rerank)
	return nil
}

func (l *lane) helpWalking() {
	if h := &l.walks.helpers; h.enter() {
		defer h.leave()
		l.walkSome()
	}
}

// walkSome walks until every probe has been begun by some goroutine, and finishes those that it began.
func (l *lane) walkSome() {
	if err := l.guarded(); err != nil {
		l.fail(err)
	}
}

func (l *lane) guarded() (err error) {
	if l.x.faulty() {
		defer mmap.Catch(mmap.Guard(), &err)
	}
	hnsw.WalkProbes(l.walks.next)
	return nil
}

func (l *lane) fail(err error) {
	l.walks.mu.Lock()
	defer l.walks.mu.Unlock()
	if l.walks.err == nil {
		l.walks.err = err
	}
}

// nextProbe begins the next probe, and those before it whose walks the lane leads.
func (l *lane) nextProbe() (hnsw.Probe, bool) {
	for i := int(l.walks.begun.Add(1)) - 1; i < l.walks.upTo; i = int(l.walks.begun.Add(1)) - 1 {
		p, err := l.x.part(l.parts[i]).Probe(l.query, l.k, l.walks.options, l.walks.shared)
		if err != nil {
			l.fail(err)
			return hnsw.Probe{}, false
		}
		if l.probes[i] = p; !l.led(i) {
			return p, true
		}
	}
	return hnsw.Probe{}, false
}

// collect takes the candidates of each probe.
func (l *lane) collect(rerank int) {
	l.candidates.reset(l.k, rerank, l.x.copies(), l.walks.within)
	if l.rows != nil || l.x.faulty() {
		l.candidates.step = firstRows // fewer reads, because each step rules out further rows
	}
	for i, p := range l.probes {
		if part := l.x.part(l.parts[i]); !l.led(i) {
			l.candidates.add(p, uint32(i), p.Final() && part.rows == nil && part.blocks == nil)
			count(&l.stats, p)
		}
	}
	if l.disk != nil {
		l.disk.begin(l.walks.depth)
	}
	l.stats.Probes = len(l.probes)
}
