package collection

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shale-search/shale/internal/workers"
)

// background is the work of a collection that no call waits for.
type background struct {
	numbers atomic.Uint64 // of the next segment that is written
	sealer  worker
	merger  worker
	merging merging
	pinning pinning
	cleaning
	syncing syncing
	// longestPause is for how long a segment's first change waits for merging that lags behind.
	longestPause time.Duration
	running      sync.WaitGroup
	stop         context.CancelFunc
}

// startBackground starts the workers. next is the number of the next segment.
func (c *Collection) startBackground(next uint64) {
	c.numbers.Store(next)
	c.longestPause = 10 * time.Second
	base, stop := context.WithCancel(context.Background())
	c.stop = stop
	ctx := workers.InBackground(base, workers.Low)
	c.sealer.init(c.sealOldest)
	c.merger.init(c.mergeSome)
	c.cleaning.worker.init(c.cleanSome)
	c.pinning.worker.init(c.pinSome)
	if c.options.idle {
		return
	}
	if c.options.SyncWindow > 0 {
		c.running.Go(func() { c.syncNowAndThen(ctx) })
	}
	// Until a full segment is sealed, each search scans all of it.
	c.running.Go(func() { c.sealer.run(workers.InBackground(base, workers.BelowNormal)) })
	c.running.Go(func() { c.merger.run(ctx) })
	c.running.Go(func() { c.cleaning.worker.run(ctx) })
	c.running.Go(func() { c.pinning.worker.run(ctx) })
	c.merger.kick()
	c.cleaning.worker.kick()
	c.pinning.worker.kick()
}

// stopBackground ends the workers. No call may be under way.
func (c *Collection) stopBackground() {
	c.stop()
	c.running.Wait()
}

// worker does one kind of work in a goroutine of its own. When it is kicked it works until nothing is left to be done,
// or until that fails. Then it rests, unless somebody waits for it.
type worker struct {
	work  func(context.Context) (more bool, err error)
	kicks chan struct{}

	mu     sync.Mutex
	ended  chan struct{} // closed when a piece of work has ended; then another takes its place
	err    error         // of the last piece
	failed int           // pieces that failed, one after another
	rests  time.Time     // until then
}

// longestRest is for how long a worker ignores kicks after its work has failed many times.
const longestRest = time.Minute

func (w *worker) init(work func(context.Context) (more bool, err error)) {
	w.work, w.kicks, w.ended = work, make(chan struct{}, 1), make(chan struct{})
}

func (w *worker) run(ctx context.Context) {
	workers.Begin(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.kicks:
		}
		for more := true; more && ctx.Err() == nil; {
			var err error
			more, err = w.work(ctx)
			more = more && err == nil
			w.end(err)
		}
	}
}

func (w *worker) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err = err; err == nil {
		w.failed, w.rests = 0, time.Time{}
	} else {
		w.rests = time.Now().Add(min(time.Second<<min(w.failed, 10), longestRest))
		w.failed++
	}
	close(w.ended)
	w.ended = make(chan struct{})
}

// kick makes the worker look for work, unless it rests.
func (w *worker) kick() {
	w.mu.Lock()
	rests := time.Now().Before(w.rests)
	w.mu.Unlock()
	if !rests {
		w.wake()
	}
}

func (w *worker) wake() {
	select {
	case w.kicks <- struct{}{}:
	default: // it is about to look
	}
}

// next returns what is closed when the piece of work under way, or else the next one, ends.
func (w *worker) next() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended
}

// problem returns the error of the last piece of work.
func (w *worker) problem() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// wait wakes the worker and waits for what next has returned. Its error is that of the piece of work.
func (w *worker) wait(ctx context.Context, ended <-chan struct{}) error {
	w.wake()
	select {
	case <-ended:
		return w.problem()
	case <-ctx.Done():
		return ctx.Err()
	}
}
