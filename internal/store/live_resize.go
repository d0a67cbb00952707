package store

import (
	"errors"
	"fmt"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/mmap"
)

// ResizeLive changes the capacity of the live file at path, to no fewer than the elements it holds. It writes another
// file, which replaces the first once it is complete; both need room on the disk meanwhile. No other index may have the
// file open: see Options.Wait. An index that is open for writing has Resize, which does the same.
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

// copyTo writes the settled index in b to a file of another capacity, which replaces path, and maps it. If it returns
// both a mapping and an error, the file is in place and a power cut may still bring the old one back.
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

// copyParts copies what both files have room for. Levels and places of lists follow from the elements' numbers and
// don't depend on the capacity.
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
