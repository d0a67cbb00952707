package collection

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/cockroachdb/pebble/v2"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/vfs"
)

// mergeRecord is what the store holds about the merge under way, so that one that was interrupted goes on: with the
// same rows, since an index that is being built is known by them. Rows that have died since are dead in the new
// segment.
type mergeRecord struct {
	Number uint64   `json:"number"` // of the new segment
	From   []uint64 `json:"from"`   // segments that are merged
	Dead   [][]byte `json:"dead"`   // of each of them, a Roaring bitmap: the rows that are left out
}

// readMerge reads the record of a merge that was interrupted; nil: none was.
func readMerge(dir string, r pebble.Reader) (*mergeRecord, error) {
	value, err := get(r, []byte{mergeKey})
	if err != nil || value == nil {
		return nil, err
	}
	m := new(mergeRecord)
	if err := json.Unmarshal(value, m); err != nil || len(m.From) == 0 || len(m.From) != len(m.Dead) {
		return nil, damaged(dir, []byte{mergeKey}, "the record of a merge is damaged")
	}
	return m, nil
}

// recordMerge notes a merge that begins.
func (c *Collection) recordMerge(from []view, number uint64) error {
	m := mergeRecord{Number: number}
	for _, v := range from {
		dead, err := v.dead.ToBytes()
		if err != nil {
			return err
		}
		m.From, m.Dead = append(m.From, v.number), append(m.Dead, dead)
	}
	value, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return c.db.Set([]byte{mergeKey}, value, pebble.Sync)
}

// giveUpMerge forgets a merge and removes what it has written.
func (c *Collection) giveUpMerge(number uint64) error {
	return errors.Join(c.db.Delete([]byte{mergeKey}, pebble.Sync), c.removeSegment(number))
}

// views returns the segments of a merge that was interrupted, with the rows dead that were dead when it began. It
// reports false if they are no longer there.
func (m *mergeRecord) views(s *state) (from []view, ok bool) {
	first := slices.IndexFunc(s.views, func(v view) bool { return v.sealed && v.number == m.From[0] })
	if first < 0 || first+len(m.From) > s.unsealed() {
		return nil, false
	}
	from = slices.Clone(s.views[first : first+len(m.From)])
	for i := range from {
		dead := noneDead()
		if err := dead.UnmarshalBinary(m.Dead[i]); err != nil || from[i].number != m.From[i] ||
			!roaring64.AndNot(dead, from[i].dead).IsEmpty() {
			return nil, false
		}
		from[i].dead = dead
	}
	return from, true
}

// resumed returns the segments of the merge that was interrupted before the collection was opened, and the number of
// the new one, if there was one and it can go on.
func (c *Collection) resumed(s *state) (from []view, number uint64, err error) {
	m := c.merging.interrupted
	if m == nil {
		return nil, 0, nil
	}
	from, ok := m.views(s)
	if !ok {
		err = c.giveUpMerge(m.Number)
	}
	if err == nil {
		c.merging.interrupted = nil
	}
	return from, m.Number, err
}

// written returns the number of rows of a vector's index in a segment that is being merged, if an earlier attempt has
// completed it.
func (c *Collection) written(ctx context.Context, number uint64, vector int) (rows int, ok bool, err error) {
	path := segmentPath(c.dir, number, vector)
	if _, err := vfs.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	x, err := shale.Open(ctx, path, shale.OpenOptions{Mapped: true})
	if err != nil {
		return 0, false, err
	}
	return x.Len(), true, x.Close()
}
