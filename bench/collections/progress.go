package main

import (
	"context"
	"fmt"
	"os"
	"runtime/pprof"
	"sync"
	"time"
)

// reportEvery is how often the state of a run is reported.
const reportEvery = 10 * time.Second

// window is the times of the searches since the last report.
type window struct {
	mu    sync.Mutex
	times []time.Duration
}

func (w *window) add(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.times = append(w.times, d)
}

func (w *window) take() []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	times := w.times
	w.times = nil
	return times
}

// report writes a line about the run to standard error now and then until ctx ends.
func (x *experiment) report(ctx context.Context) {
	began, wrote := time.Now(), int64(0)
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		l, now := latencyOf(x.latest.take()), x.wrote.Load()
		fmt.Fprintf(os.Stderr, "%4.0f s: %d searches, p50 %.1f ms, p99 %.1f ms, most %.1f ms; %d writes a second",
			time.Since(began).Seconds(), l.Searches, l.P50, l.P99, l.Most, (now-wrote)/int64(reportEvery/time.Second))
		wrote = now
		if i, err := x.c.Info(); err == nil {
			rows, dead := 0, 0
			for _, s := range i.Segments {
				rows, dead = rows+s.Rows[0], dead+s.Dead
			}
			fmt.Fprintf(os.Stderr, "; %d segments of %d rows, %d dead", len(i.Segments), rows, dead)
			if m := i.Merging; m != nil {
				fmt.Fprintf(os.Stderr, "; merging %d: %s %d of %d", len(m.Segments), m.Step, m.Done, m.Total)
			}
		}
		fmt.Fprintln(os.Stderr)
	}
}

// profiled calls fn and writes a CPU profile of it to a file, unless path is empty.
func profiled(path string, fn func() error) error {
	if path == "" {
		return fn()
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return fn()
}
