package store

import (
	"errors"
	"fmt"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/mmap"
)

// ResizeLive gives the live file at path room for capacity elements, no fewer than it holds: it writes another file,
// which takes the place of the first once it is complete. No other index may have the file open: see Options.Wait. Both
// need room on the disk meanwhile. An index that is open for writing has Resize, which does the same.
func ResizeLive(path string, capacity int, o Options) error {
	x, _, err := OpenLive(path, o)
	if err == nil {
		err = errors.Join(x.Resize(capacity), x.Close())
	}
	if err != nil {
		return fmt.Errorf("resize live index: %w", err)
	}
	return nil
}

// copyTo writes the settled index in b to a file for another capacity, which takes the place of path, and maps it. It
// gives the mapping and an error where the file has taken that place and a power cut may yet bring back the one before.
func (b *liveFile) copyTo(path string, c hnsw.Config, s hnsw.State) (*liveMapping, error) {
	l, err := newLayout(c, b.sums)
	if err != nil {
		return nil, err
	}
	t, err := l.newFile(path)
	if err != nil {
		return nil, err
	}
	to, err := mapLive(t.File, l, toWrite)
	if err != nil {
		return nil, errors.Join(err, t.Drop())
	}
	if err = b.copyParts(to, s); err == nil {
		err = t.Replace()
	}
	if err != nil && !errors.Is(err, atomicfile.ErrUnsynced) {
		return nil, errors.Join(err, to.Close(), t.Drop())
	}
	return to, err
}

// copyParts copies what both files have room for: levels and places of lists follow from the elements' numbers, and don't
// change with the capacity.
func (m *liveMapping) copyParts(to *liveMapping, s hnsw.State) (err error) {
	defer mmap.Catch(mmap.Guard(), &err)
	for p := range hnsw.Parts {
		if p != hnsw.PartJournal && p != hnsw.PartUpdating && p != hnsw.PartUndo {
			copy(to.Part(p), m.Part(p))
		}
	}
	if s.Coded {
		if err := to.trained(s.Center); err != nil {
			return err
		}
	}
	return to.settle(s)
}
