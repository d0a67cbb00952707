package shard

import (
	"path/filepath"

	"github.com/shale-search/shale/internal/store/marks"
)

// openDead marks the dead rows of shards that the index's file of them names. Other rows are alive, whatever the
// shards' own files say.
func (x *Index) openDead(dir string) error {
	if x.m.Dead == nil {
		return nil
	}
	path := filepath.Join(dir, x.m.Dead.File)
	var rows []int
	for _, p := range x.parts {
		rows = append(rows, p.Len())
	}
	shards, err := marks.Read(path, rows)
	if err != nil {
		return err
	}
	n := 0
	for i, p := range x.parts {
		if err := p.setDead(shards[i].Dead); err != nil {
			return x.ofPart(i, err)
		}
		n += len(shards[i].Dead)
	}
	if n != x.m.Dead.Rows {
		return corrupt(path, "bitmaps", "%d rows are dead, the manifest says %d", n, x.m.Dead.Rows)
	}
	return nil
}

// setDead makes the given rows the dead ones. No search uses the part yet.
func (p *part) setDead(dead []uint32) error {
	if err := p.OwnMarks(); err != nil {
		return err
	}
	p.ownMarks = true
	before, err := p.DeletedElements()
	if err != nil {
		return err
	}
	for _, id := range before {
		if err := p.SetDeleted(id, false); err != nil {
			return err
		}
	}
	for _, id := range dead {
		if err := p.SetDeleted(id, true); err != nil {
			return err
		}
	}
	return nil
}

// dead returns the dead rows of all shards, and their number.
func (x *Index) dead() (shards []marks.Shard, n int, err error) {
	for i, p := range x.parts {
		ids, err := p.DeletedElements()
		if err != nil {
			return nil, 0, x.ofPart(i, err)
		}
		shards = append(shards, marks.Shard{Rows: p.Len(), Dead: ids})
		n += len(ids)
	}
	return shards, n, nil
}
