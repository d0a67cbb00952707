package store

import (
	"errors"
	"fmt"
	"os"

	"github.com/shale-search/shale/hnsw"
	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/mmap"
)

// ResizeLive gives the live file at path room for capacity elements, no fewer than it holds: it writes another file, and
// renames it once that is complete. No index may have the file open. Both need room on the disk meanwhile.
func ResizeLive(path string, capacity int, o Options) error {
	if err := resizeLive(path, capacity, o); err != nil {
		return fmt.Errorf("resize live index: %w", err)
	}
	return nil
}

func resizeLive(path string, capacity int, o Options) (err error) {
	if p, f, err := openLive(path, os.O_RDWR, o); err != nil {
		return err
	} else if p.dirty {
		x, _, err := recoverLive(f, path, p)
		if err == nil {
			err = x.Close()
		}
		if err != nil {
			return err
		}
	} else if err := f.Close(); err != nil {
		return err
	}
	p, f, err := openLive(path, os.O_RDWR, o)
	if err != nil {
		return err
	}
	old, err := newLiveFile(f, path, p.liveLayout, false)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	defer func() { err = errors.Join(err, old.Close()) }()
	if capacity < p.state.Count {
		return fmt.Errorf("%s holds %d elements, there can't be room for %d", path, p.state.Count, capacity)
	}
	c := p.config
	c.Capacity = capacity
	return old.copyTo(path, c, p.state)
}

// copyTo writes the settled index in b to a file for another capacity, which takes the place of path.
func (b *liveFile) copyTo(path string, c hnsw.Config, s hnsw.State) error {
	c, lists, err := hnsw.Backable(c)
	if err != nil {
		return err
	}
	l, err := layoutOf(c, lists)
	if err != nil {
		return err
	}
	f, err := atomicfile.NewTemp(path)
	if err != nil {
		return err
	}
	if err := l.fill(f); err != nil {
		return errors.Join(err, f.Drop())
	}
	to, err := newLiveFile(f, path, l, true)
	if err != nil {
		return errors.Join(err, f.Drop())
	}
	if err := b.copyParts(to, s); err != nil {
		return errors.Join(err, to.r.Close(), f.Drop())
	}
	if err := f.Replace(); err != nil {
		return errors.Join(err, to.r.Close(), f.Drop())
	}
	return to.Close()
}

// copyParts copies what both files have room for: levels and places of lists follow from the elements' numbers, and don't
// change with the capacity.
func (b *liveFile) copyParts(to *liveFile, s hnsw.State) (err error) {
	defer mmap.Catch(mmap.Guard(), &err)
	for p := range hnsw.Parts {
		if p != hnsw.PartJournal && p != hnsw.PartUpdating {
			copy(to.Part(p), b.Part(p))
		}
	}
	if s.Coded {
		if err := to.Trained(s.Center); err != nil {
			return err
		}
	}
	return to.Settle(s)
}
