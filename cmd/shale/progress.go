package main

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/term"
)

const (
	quiet        = time.Second            // how long a step may take before its progress is shown
	redrawing    = 200 * time.Millisecond // on a terminal
	reporting    = 30 * time.Second       // elsewhere, where each report stays, and none is made of work that took less
	leastForRate = time.Second            // of work that tells a rate
)

// progress shows how far work is, with rate and time left, if it takes long: on a terminal in a line that is drawn
// again and again, elsewhere in a line now and then. Its methods may be called from any goroutine.
type progress struct {
	w        io.Writer
	what     string
	began    time.Time
	terminal bool
	shown    bool

	done, total atomic.Int64
	first       atomic.Pointer[mark]

	stop, stopped chan struct{}
}

// mark is how much was done at a time.
type mark struct {
	at   time.Time
	done int64
}

// newProgress begins to show the progress of work, until end is called. A total of 0 isn't known.
func newProgress(w io.Writer, what string, total int) *progress {
	return newStep(w, what, total, time.Now())
}

// newStep is newProgress for a step of work that began at workBegan.
func newStep(w io.Writer, what string, total int, workBegan time.Time) *progress {
	p := &progress{
		w: w, what: what, began: time.Now(), terminal: isTerminal(w),
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	p.total.Store(int64(total))
	first := quiet
	if !p.terminal {
		first = max(quiet, reporting-time.Since(workBegan))
	}
	go p.show(first)
	return p
}

// set says how much is done.
func (p *progress) set(done int) {
	if p.first.Load() == nil {
		p.first.CompareAndSwap(nil, &mark{time.Now(), int64(done)})
	}
	p.done.Store(int64(done))
}

// setOf says how much is done, of a total that has changed.
func (p *progress) setOf(done, total int) {
	p.total.Store(int64(total))
	p.set(done)
}

// end takes the line off the terminal, or says how long the work took where its progress was shown.
func (p *progress) end() {
	close(p.stop)
	<-p.stopped
}

// show prints lines until p ends, the first one after a time. What can't be printed is no reason to stop the work.
func (p *progress) show(first time.Duration) {
	defer close(p.stopped)
	every := reporting
	if p.terminal {
		every = redrawing
	}
	timer := time.NewTimer(first)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			p.shown = true
			p.print(p.line())
			timer.Reset(every)
		case <-p.stop:
			if p.shown {
				p.print(p.lastLine())
			}
			return
		}
	}
}

func (p *progress) print(line string) {
	switch {
	case p.terminal:
		fmt.Fprintf(p.w, "\r%s\x1b[K", clip(line, terminalColumns(p.w, mostColumns)-1))
	case line != "":
		fmt.Fprintln(p.w, line)
	}
}

// line describes the work so far, as in "building: 12,000 of 100,000 (12%), 3,000/s, 29s left".
func (p *progress) line() string {
	done, total, took := p.done.Load(), p.total.Load(), time.Since(p.began)
	if total == 0 {
		return fmt.Sprintf("%s: %v", p.what, took.Round(time.Second))
	}
	s := fmt.Sprintf("%s: %s of %s (%d%%)", p.what, count(done), count(total), 100*done/total)
	first := p.first.Load()
	if first == nil {
		return s
	}
	// What was done before, by a build that goes on, says nothing of the rate.
	since, more := time.Since(first.at), done-first.done
	if since < leastForRate || more <= 0 {
		return s
	}
	rate := float64(more) / since.Seconds()
	left := time.Duration(float64(total-done) / rate * float64(time.Second)).Round(time.Second)
	if rate >= 1 {
		s += fmt.Sprintf(", %s/s", count(int64(rate)))
	}
	return s + fmt.Sprintf(", %v left", left)
}

// lastLine takes the place of line when the work has ended. Of work that was broken off, whose error follows, it says
// nothing.
func (p *progress) lastLine() string {
	if p.terminal || p.done.Load() < p.total.Load() {
		return ""
	}
	return fmt.Sprintf("%s: done in %v", p.what, time.Since(p.began).Round(time.Second))
}

// steps shows the progress of work in several steps.
type steps struct {
	w     io.Writer
	began time.Time
	name  string
	bar   *progress
}

// set says how much of a step is done; a total of 0 isn't known.
func (s *steps) set(step string, done, total int) {
	if s.began.IsZero() {
		s.began = time.Now()
	}
	if s.bar == nil || step != s.name {
		s.end()
		s.name, s.bar = step, newStep(s.w, step, total, s.began)
	}
	if total > 0 {
		s.bar.setOf(done, total)
	}
}

// end ends the last step.
func (s *steps) end() {
	if s.bar != nil {
		s.bar.end()
		s.bar = nil
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// terminalColumns is the width of the terminal that w is, or otherwise that given.
func terminalColumns(w io.Writer, otherwise int) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return otherwise
}
