package collection

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// merging is what the merger keeps beside the worker.
type merging struct {
	mu sync.Mutex
	// interrupted is the merge that was under way when the collection was closed; nil: none, or it goes on.
	interrupted *mergeRecord

	wanted atomic.Int64 // calls of Merge under way
	asked  int          // calls of Compact that began
	done   int          // of those, how many there were when the last merge of everything began that has ended
	begun  time.Time
	merged MergeInfo // the merge under way, if begun isn't zero
}

// MergeInfo describes a merge that is under way.
type MergeInfo struct {
	Segments []uint64 `json:"segments"` // that are merged
	Rows     int      `json:"rows"`     // that are written
	Step     string   `json:"step"`     // of building the new segment
	Done     int      `json:"done"`     // rows of the step
	Total    int      `json:"total"`    // 0: not known
	Seconds  float64  `json:"seconds"`  // since it began
	Left     float64  `json:"left"`     // seconds until the step ends, about; 0: not known
}

// Compact merges all segments into one, drops what is dead, and gives the disk back what the store no longer needs.
// What is written meanwhile may stay beside it.
func (c *Collection) Compact(ctx context.Context) error {
	if err := c.Seal(ctx); err != nil {
		return err
	}
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	c.merging.mu.Lock()
	c.merging.asked++
	ticket := c.merging.asked
	c.merging.mu.Unlock()
	for {
		ended := c.merger.next()
		c.merging.mu.Lock()
		done := c.merging.done >= ticket
		c.merging.mu.Unlock()
		if done {
			break
		}
		if err := c.merger.wait(ctx, ended); err != nil {
			return err
		}
	}
	if err := c.cleanAll(ctx); err != nil {
		return err
	}
	if err := c.db.Flush(); err != nil {
		return err
	}
	return c.db.Compact(ctx, []byte{0}, []byte{0xff}, false)
}

// Merge merges segments until none are left that should be merged, as is done in the background too, and waits for
// that. The documents written last stay in the segment in memory.
func (c *Collection) Merge(ctx context.Context) error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.leave()
	c.writing.Lock()
	growing := c.state.views[c.state.growing()].First
	c.writing.Unlock()
	if err := c.waitSealed(ctx, growing); err != nil {
		return err
	}
	c.merging.wanted.Add(1)
	defer c.merging.wanted.Add(-1)
	for {
		ended := c.merger.next()
		s := c.pin()
		from, to := chooseMerge(s.candidates())
		if err := s.release(); err != nil || from == to {
			return err
		}
		if err := c.merger.wait(ctx, ended); err != nil {
			return err
		}
	}
}

// all reports whether everything is to be merged, and returns what done becomes then.
func (m *merging) all() (ticket int, all bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked, m.asked > m.done
}

func (m *merging) finished(ticket int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done = ticket
}

// mergeSome does one merge, if there is one to do.
func (c *Collection) mergeSome(ctx context.Context) (more bool, err error) {
	ticket, all := c.merging.all()
	s := c.pin()
	defer func() { err = errors.Join(err, s.release()) }()
	if !all && c.options.DeferMerges && c.merging.wanted.Load() == 0 {
		return false, nil
	}
	from, number, err := c.resumed(s)
	if err != nil {
		return false, err
	}
	goesOn := len(from) > 0
	if !goesOn {
		if from = s.toMerge(all); len(from) > 0 {
			number = c.numbers.Add(1) - 1
			err = c.recordMerge(from, number)
		}
	}
	if err == nil && len(from) > 0 {
		err = c.mergeAs(ctx, from, number)
	}
	if err != nil {
		return false, fmt.Errorf("merge %d segments into segment %d: %w", len(from), number, err)
	}
	if all && !goesOn {
		c.merging.finished(ticket)
	}
	return all || len(from) > 0, nil
}

// toMerge returns the segments that should be merged, or are to be: all of them.
func (s *state) toMerge(all bool) []view {
	sealed := s.views[:s.unsealed()]
	if all {
		if len(sealed) == 1 && sealed[0].dead.IsEmpty() {
			return nil
		}
		return sealed
	}
	first, end := chooseMerge(s.candidates())
	return sealed[first:end]
}

// candidates returns the sealed segments.
func (s *state) candidates() (all []mergeCandidate) {
	for _, v := range s.views[:s.unsealed()] {
		all = append(all, v.candidate())
	}
	return all
}

// size returns about how many rows the segment has.
func (v view) size() int {
	if v.sealed {
		return v.candidate().live()
	}
	most := int64(0)
	for _, f := range v.flats {
		most = max(most, int64(f.rows.Load()))
	}
	return int(most)
}

func (v view) candidate() mergeCandidate {
	return mergeCandidate{slices.Max(v.rows), int(v.dead.GetCardinality())}
}

// mergeAs puts one segment in the place of some that follow each other. The files of those go when nobody reads them
// any more.
func (c *Collection) mergeAs(ctx context.Context, from []view, number uint64) error {
	defer c.merging.end()
	record, err := c.writeMerged(ctx, from, number)
	if err == nil {
		err = c.install(ctx, replacement{from: from, number: number, record: record})
	} else if ctx.Err() == nil {
		err = errors.Join(err, c.giveUpMerge(number))
	}
	if err != nil {
		return err
	}
	for _, v := range from {
		c.running.Go(func() {
			<-v.gone
			c.pinning.worker.kick()       // there is room again
			_ = c.removeSegment(v.number) // what is left Open removes
		})
	}
	return nil
}

func (m *merging) begin(from []view, rows int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.begun, m.merged = time.Now(), MergeInfo{Rows: rows}
	for _, v := range from {
		m.merged.Segments = append(m.merged.Segments, v.number)
	}
}

func (m *merging) progress(step string, done, total int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.merged.Step, m.merged.Done, m.merged.Total = step, done, total
}

func (m *merging) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.begun = time.Time{}
}

// info returns the merge under way, or nil.
func (m *merging) info() *MergeInfo {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.begun.IsZero() {
		return nil
	}
	i := m.merged
	i.Seconds = time.Since(m.begun).Seconds()
	if i.Done > 0 && i.Total > i.Done {
		i.Left = i.Seconds * float64(i.Total-i.Done) / float64(i.Done)
	}
	return &i
}
