package hnsw

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/shale-search/shale/internal/floats"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/quant"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/score"
	"github.com/shale-search/shale/vector"
)

// AddOptions controls Add. The zero value adds or updates.
type AddOptions struct {
	// ReplaceDeleted lets a new label take the place of a deleted element, whose own label is removed.
	ReplaceDeleted bool
}

// Add stores vec, which has Dim values, under label. If the label exists, its vector is updated in place, and a deleted
// label is restored.
func (x *Index) Add(label uint64, vec []float32, o AddOptions) error {
	if x.cfg.external() {
		return fmt.Errorf("label %d: %w: AddAttached adds", label, ErrExternal)
	}
	if o.ReplaceDeleted && !x.replacing {
		return ErrReplaceDisabled
	}
	if err := checkLabel(label); err != nil {
		return err
	}
	if err := x.cfg.checkVector(vec); err != nil {
		return fmt.Errorf("label %d: %w", label, err)
	}
	if err := x.trainOn(vec); err != nil {
		return err
	}
	lock := x.lockLabel(label)
	defer lock.Unlock()
	at, err := x.reserveOrGrow(label, o)
	if err != nil {
		return err
	}
	err = x.put(at, vec)
	x.structure.RUnlock()
	if err == nil {
		err = x.retrain()
	}
	if err != nil {
		return err
	}
	return x.connectAll(false)
}

func (c *Config) checkVector(vec []float32) error {
	if len(vec) != c.Dim {
		return fmt.Errorf("%w: %d values, the index has %d", vector.ErrDim, len(vec), c.Dim)
	}
	return c.checkValues(vec)
}

// checkValues refuses a vector that isn't finite or of which distances are not, also once it is rounded to the type of
// the rows or turned into a code.
func (c *Config) checkValues(vec []float32) error {
	if err := c.checkLength(vec); err != nil || c.Metric == vector.Cosine {
		return err
	}
	if c.Codes.Bits != 0 && !quant.Encodable(vec) {
		return fmt.Errorf("%w for its code, which stands for vectors up to %.3g long", ErrTooLarge, quant.MaxLength)
	}
	if c.Storage != vector.Float16 {
		return nil
	}
	for i, v := range vec {
		if floats.ToHalf(v)&0x7c00 == 0x7c00 {
			return fmt.Errorf("%w for rows of fp16: value %d is %v, and they hold up to 65504: keep fp32", ErrTooLarge, i, v)
		}
	}
	return nil
}

// checkLength refuses a vector or query that isn't finite or of which distances are not.
func (c *Config) checkLength(vec []float32) error {
	if c.Custom == nil {
		return score.Check(c.Metric, vec)
	}
	if !floats.Finite(vec) { // what its distances are is the caller's business
		return ErrNotFinite
	}
	return nil
}

// slot is where a vector goes: a new element, or one that is there and is rewritten.
type slot struct {
	g     *graph
	id    uint32
	label uint64
	fresh bool
	undo  int // the record that was claimed; 0: none
	ef    int // candidates for its links; 0: as many as for all
}

// reserveOrGrow finds or makes label's slot and holds structure for reading, unless it fails. The caller holds the
// label's lock.
func (x *Index) reserveOrGrow(label uint64, o AddOptions) (slot, error) {
	for {
		at, err := x.reserve(label, o)
		switch {
		case errors.Is(err, ErrFull):
			err = x.grow()
		case errors.Is(err, errUndoFull):
			err = x.Sync()
		default:
			return at, err
		}
		if err != nil {
			return slot{}, err
		}
	}
}

func (x *Index) reserve(label uint64, o AddOptions) (slot, error) {
	x.structure.RLock()
	s, err := x.reserveLocked(label, o)
	if err != nil {
		x.structure.RUnlock()
	}
	return s, err
}

func (x *Index) reserveLocked(label uint64, o AddOptions) (at slot, err error) {
	if x.backing != nil {
		defer x.noteFault(&err)
		defer mmap.Catch(mmap.Guard(), &err)
	}
	g := x.graph.Load()
	if g == nil {
		return slot{}, ErrClosed
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.beginChange(); err != nil {
		return slot{}, err
	}
	x.buildLabelMap(g)
	if id, ok := x.ids[label]; ok {
		if x.cfg.external() {
			return slot{}, fmt.Errorf("label %d is there already, and can't be updated: %w", label, ErrExternal)
		}
		if g.deleted.get(id) && x.replacing && !o.ReplaceDeleted {
			return slot{}, fmt.Errorf("label %d: %w", label, ErrUpdateDeleted)
		}
		claimed, err := x.claim(g, id)
		if err != nil {
			return slot{}, err
		}
		x.free.remove(id) // from now on nobody else takes it over
		return slot{g: g, id: id, label: label, undo: claimed}, nil
	}
	if o.ReplaceDeleted {
		if id, ok := x.free.take(); ok {
			claimed, err := x.claim(g, id)
			if err != nil {
				x.free.add(id)
				return slot{}, err
			}
			delete(x.ids, g.label(id))
			x.ids[label] = id
			x.next.Met(label)
			return slot{g: g, id: id, label: label, undo: claimed}, nil
		}
	}
	n := x.Len()
	if n == g.capacity {
		return slot{}, ErrFull
	}
	id := uint32(n)
	level := x.cfg.level(id)
	if level > 0 {
		level = min(level, len(g.upper)/g.m-x.lists) // see upperRoom
	}
	g.levels[id], g.upperAt[id] = uint8(level), uint32(x.lists)
	g.setLabel(id, label)
	x.lists += level
	x.ids[label] = id
	x.next.Met(label)
	x.count.Store(int64(n + 1))
	return slot{g: g, id: id, label: label, fresh: true}, nil
}

// put stores vec in its slot and links it.
func (x *Index) put(at slot, vec []float32) (err error) {
	if x.backing != nil {
		defer x.noteFault(&err)
		defer mmap.Catch(mmap.Guard(), &err)
	}
	s, err := x.takeSearcher(at.g)
	if err != nil {
		return err
	}
	defer x.putSearcher(s)
	s.insert.ef = cmp.Or(at.ef, s.insert.ef)
	own := s.rows.Query()
	copy(own, vec)
	if x.cfg.Metric == vector.Cosine {
		vector.Normalize(own)
	}
	x.changes.Add(1)
	if at.fresh {
		at.g.clearLists(at.id)
		s.encode(at, own)
		at.g.noteSum(at.id)
		x.link(s, at.g, at.id)
		at.g.ready.set(at.id)
		return nil
	}
	if err := x.preserve(at); err != nil {
		return err
	}
	x.update(s, at, own)
	return nil
}

// encode stores vec as the row, and the code if there are codes, of the slot.
func (s *searcher) encode(at slot, vec []float32) {
	if at.g.rowBytes != nil {
		rowtype.Encode(at.g.rows, int(at.id), vec)
	}
	if s.coder != nil {
		s.encoder.Encode(s.coder.row(at.id), vec)
	}
}
