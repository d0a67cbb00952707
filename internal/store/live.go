package store

import (
	"errors"
	"fmt"

	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/filelock"
	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/mmap"
)

// A live file is the memory of a growing index: its arrays for a number of elements, mapped and changed in place.
// Additions are in the file at once and survive a kill of the process; Sync and Close make them survive a power cut.
// docs/format.md describes the layout.

// ErrLocked means that another index has the live file open. A writer excludes all others.
var ErrLocked = filelock.ErrHeld

// CreateOptions controls CreateLive. The zero value makes an empty index at a path that doesn't exist yet.
type CreateOptions struct {
	// Fill adds elements before the file gets its name, so that the file appears with all of them or not at all.
	// CreateLive returns Fill's error.
	Fill func(*hnsw.Index) error
	// Replace allows another regular file at the path, or at the end of a symbolic link there, unless an index has it
	// open. That file stays until the new one is complete.
	Replace bool
}

// CreateLive creates a live file at path with an index for c.Capacity elements. A full index grows unless
// c.FixedCapacity is set. The room on disk is reserved at once, so a full disk is an error now. Rows are stored in the
// file unless they are External. After an error path is unchanged.
func CreateLive(path string, c hnsw.Config, o CreateOptions) (*hnsw.Index, error) {
	x, err := createLive(path, c, o)
	if err != nil {
		return nil, fmt.Errorf("create live index %s: %w", path, err)
	}
	return x, nil
}

func createLive(path string, c hnsw.Config, o CreateOptions) (*hnsw.Index, error) {
	if err := format.CheckMachine(); err != nil {
		return nil, err
	}
	l, err := newLayout(c, true)
	if err != nil {
		return nil, err
	}
	if path, err = mayCreate(path, o.Replace); err != nil {
		return nil, err
	}
	t, err := l.newFile(path)
	if err != nil {
		return nil, err
	}
	b, err := newLiveFile(t.File, path, l, toWrite)
	if err != nil {
		return nil, errors.Join(err, t.Drop())
	}
	b.named = true // publish makes the name durable
	x, err := hnsw.Backed(l.config, b, hnsw.State{TopLevel: -1, Epoch: 1})
	if err != nil {
		return nil, errors.Join(err, b.Close(), t.Drop())
	}
	if o.Fill != nil {
		if err = o.Fill(x); err == nil {
			err = x.Sync()
		}
	}
	if err == nil {
		err = publish(t, path, o.Replace)
	}
	if err != nil {
		b.abandon()
		_ = x.Close() // the file is removed anyway
		return nil, errors.Join(err, t.Drop())
	}
	return x, nil
}

// OpenLive opens a live file to search and change it. If the file was closed properly, it reads the first pages only.
// Otherwise it reads links and labels and repairs the file: complete additions are kept, incomplete ones are dropped.
// Options.Capacity must be 0.
func OpenLive(path string, o Options) (*hnsw.Index, hnsw.Recovery, error) {
	return openLive(path, toWrite, o)
}

// MapLive opens a live file for searching only; changes return hnsw.ErrFrozen. It needs no right to write, and several
// indexes and processes may have the file open in this way. While a writer has it open, the file is locked: see
// Options.Wait. A file that wasn't closed is repaired in memory, and isn't changed.
func MapLive(path string, o Options) (*hnsw.Index, error) {
	x, _, err := openLive(path, toRead, o)
	return x, err
}

func openLive(path string, a access, o Options) (*hnsw.Index, hnsw.Recovery, error) {
	x, r, err := openLocked(path, a, o)
	if err != nil {
		return nil, r, fmt.Errorf("open live index: %w", err)
	}
	return x, r, nil
}

func openLocked(path string, a access, o Options) (*hnsw.Index, hnsw.Recovery, error) {
	none := hnsw.Recovery{}
	if err := format.CheckMachine(); err != nil {
		return nil, none, err
	}
	if o.Capacity != 0 {
		return nil, none, fmt.Errorf("%s has the capacity that it was made with: ResizeLive changes it", path)
	}
	path, err := atomicfile.Resolve(path) // a link stays one when the index grows into another file
	if err != nil {
		return nil, none, err
	}
	f, err := lockedFile(path, a, o)
	if err != nil {
		return nil, none, err
	}
	mmap.NoReadAhead(f)
	p, err := readLive(f, path, o)
	if err != nil {
		return nil, none, errors.Join(err, unlock(f))
	}
	if p.dirty && a == toRead {
		a = toMend
	}
	b, err := newLiveFile(f, path, p.liveLayout, a)
	if err != nil {
		return nil, none, errors.Join(err, unlock(f))
	}
	b.dropDamaged, b.unsure = o.DropDamaged, p.dirty && p.state.Unsure
	x, r, err := b.index(p)
	if err != nil {
		return nil, r, errors.Join(located(path, err), b.Close())
	}
	return x, r, nil
}

// index returns an index of the file, repaired if the file wasn't closed.
func (b *liveFile) index(p *livePages) (x *hnsw.Index, r hnsw.Recovery, err error) {
	if !p.dirty {
		x, err = hnsw.Backed(p.config, b, p.state)
		return x, r, err
	}
	if p.faulted && b.access == toWrite {
		if err := b.rewrite(); err != nil {
			return nil, r, err
		}
	}
	if x, r, err = hnsw.Recover(p.config, b, p.state, b.dropDamaged); err != nil {
		return nil, r, err
	}
	err = x.Sync() // which writes nothing to a file that is repaired in memory, and ends the changes
	if b.access == toMend {
		b.access = toRead
	}
	return x, r, err
}

// located turns an error about an image into one about a file.
func located(path string, err error) error {
	var image *hnsw.ImageError
	if errors.As(err, &image) {
		return &FormatError{File: path, Offset: -1, Field: image.Field, Reason: "not possible", Err: err}
	}
	return fmt.Errorf("%s: %w", path, err)
}

// CheckLive reads all of a live file and checks its links, labels and rows.
func CheckLive(path string, x *hnsw.Index) error {
	err := x.WithImage(func(m *hnsw.Image) error {
		if err := m.Check(); err != nil {
			return err
		}
		return m.CheckLabels()
	})
	if err == nil {
		err = x.CheckSums()
	}
	if err != nil {
		return located(path, err)
	}
	return nil
}
