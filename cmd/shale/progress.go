package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// quiet is how long work may take before its progress is shown.
const quiet = time.Second

// progress shows how far work is, with rate and time left, if it takes long and a person watches. It isn't safe for
// concurrent use.
type progress struct {
	w     io.Writer
	what  string
	total int
	began time.Time
	bar   *progressbar.ProgressBar
}

func newProgress(w io.Writer, what string, total int) *progress {
	return &progress{w: w, what: what, total: total, began: time.Now()}
}

// set says how much is done.
func (p *progress) set(done int) {
	if p.bar == nil {
		if !isTerminal(p.w) || time.Since(p.began) < quiet {
			return
		}
		p.bar = progressbar.NewOptions(p.total,
			progressbar.OptionSetWriter(p.w), progressbar.OptionSetDescription(p.what), progressbar.OptionShowCount(),
			progressbar.OptionShowIts(), progressbar.OptionSetItsString("rows"), progressbar.OptionSetPredictTime(true),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth())
	}
	_ = p.bar.Set(done) // what can't be shown is no reason to stop
}

// end takes the bar off the screen.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
		p.bar = nil
	}
}

// steps shows the progress of work in several steps.
type steps struct {
	w    io.Writer
	name string
	bar  *progress
}

// set says how much of a step is done; a total of 0 isn't known.
func (s *steps) set(step string, done, total int) {
	if s.bar == nil || step != s.name {
		s.end()
		s.name, s.bar = step, newProgress(s.w, step, total)
	}
	if total > 0 {
		s.bar.set(done)
	}
}

// end takes the bar off the screen.
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
