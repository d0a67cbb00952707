package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"github.com/shale-search/shale/hnsw"
	"github.com/shale-search/shale/internal/atomicfile"
	"github.com/shale-search/shale/internal/filelock"
	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/vfs"
)

// A live file is the memory of a growing index: its arrays for a fixed number of elements, mapped and changed in place. What
// an index has added is in the file at once, and outlives a process that is killed; Sync and Close make it outlive a power
// cut. docs/format.md tells the layout.

var (
	// ErrLocked reports a live file that another index has open: one that writes excludes all others.
	ErrLocked = errors.New("the index is open elsewhere")
	// ErrDirty reports a live file that can't be opened for reading only.
	ErrDirty = errors.New("the index wasn't closed: open it for writing once, which repairs it")
)

// CreateLive makes a live file for c.Capacity elements at path, where nothing may lie yet, with an empty index. All the room
// on disk is taken at once, so that a full disk is an error now. Rows lie in the file in any storage but External.
func CreateLive(path string, c hnsw.Config) (*hnsw.Index, error) {
	x, err := createLive(path, c)
	if err != nil {
		return nil, fmt.Errorf("create live index %s: %w", path, err)
	}
	return x, nil
}

func createLive(path string, c hnsw.Config) (x *hnsw.Index, err error) {
	if err := format.CheckMachine(); err != nil {
		return nil, err
	}
	c, lists, err := hnsw.Backable(c)
	if err != nil {
		return nil, err
	}
	l, err := layoutOf(c, lists)
	if err != nil {
		return nil, err
	}
	if _, err := vfs.Lstat(path); err == nil {
		return nil, os.ErrExist
	}
	f, err := atomicfile.NewTemp(path)
	if err != nil {
		return nil, err
	}
	if err := l.fill(f); err != nil {
		return nil, errors.Join(err, f.Drop())
	}
	if x, err = mapLive(f, path, &livePages{liveLayout: l, state: hnsw.State{TopLevel: -1}}, true); err != nil {
		return nil, errors.Join(err, f.Drop())
	}
	if err := f.Publish(); err != nil {
		return nil, errors.Join(err, x.Close(), f.Drop())
	}
	return x, nil
}

// fill takes the file's room and writes its first pages.
func (l *liveLayout) fill(f vfs.File) error {
	if err := mmap.Allocate(f, l.length); err != nil {
		return err
	}
	b, err := l.header()
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(b, 0); err != nil {
		return err
	}
	if err := lock(f, false); err != nil {
		return err
	}
	return f.Sync()
}

func lock(f vfs.File, shared bool) error {
	ok, err := filelock.TryFile(f, shared)
	if err == nil && !ok {
		err = ErrLocked
	}
	return err
}

// OpenLive opens a live file to search and change it. Of one that was closed it reads the first pages only; one that wasn't is
// repaired, which reads its links and labels: what was added is there, what was about to be isn't. Options.Capacity must be 0.
func OpenLive(path string, o Options) (x *hnsw.Index, r hnsw.Recovery, err error) {
	p, f, err := openLive(path, os.O_RDWR, o)
	if err == nil && !p.dirty {
		x, err = mapLive(f, path, p, true)
	} else if err == nil {
		x, r, err = recoverLive(f, path, p)
	}
	if err != nil {
		return nil, r, fmt.Errorf("open live index: %w", err)
	}
	return x, r, nil
}

func openLive(path string, mode int, o Options) (*livePages, vfs.File, error) {
	if err := format.CheckMachine(); err != nil {
		return nil, nil, err
	}
	if o.Capacity != 0 {
		return nil, nil, fmt.Errorf("%s has the capacity that it was made with: ResizeLive changes it", path)
	}
	f, err := vfs.OpenFile(path, mode, 0)
	if err != nil {
		return nil, nil, err
	}
	mmap.NoReadAhead(f)
	if err := lock(f, mode == os.O_RDONLY); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	p, err := readLive(f, path, o)
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return p, f, nil
}

// mapLive makes an index of a file that is in order, and takes f over.
func mapLive(f vfs.File, path string, p *livePages, writable bool) (*hnsw.Index, error) {
	b, err := newLiveFile(f, path, p.liveLayout, writable)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	x, err := hnsw.Backed(p.config, b, p.state)
	if err != nil {
		return nil, errors.Join(located(path, err), b.Close())
	}
	return x, nil
}

func recoverLive(f vfs.File, path string, p *livePages) (*hnsw.Index, hnsw.Recovery, error) {
	b, err := newLiveFile(f, path, p.liveLayout, true)
	if err != nil {
		return nil, hnsw.Recovery{}, errors.Join(err, f.Close())
	}
	x, r, err := hnsw.Recover(p.config, b, p.state)
	if err != nil {
		return nil, r, errors.Join(located(path, err), b.Close())
	}
	return x, r, nil
}

// located makes an error about an image one about a file.
func located(path string, err error) error {
	var image *hnsw.ImageError
	if errors.As(err, &image) {
		return &FormatError{File: path, Offset: -1, Field: image.Field, Reason: "not possible", Err: err}
	}
	return fmt.Errorf("%s: %w", path, err)
}

// MapLive opens a live file that was closed for searching only, as OpenMapped does other files: changes give hnsw.ErrFrozen.
// Several may have it open.
func MapLive(path string, o Options) (*hnsw.Index, error) {
	p, f, err := openLive(path, os.O_RDONLY, o)
	if err != nil {
		return nil, fmt.Errorf("map live index: %w", err)
	}
	if p.dirty {
		return nil, errors.Join(fmt.Errorf("map live index %s: %w", path, ErrDirty), f.Close())
	}
	x, err := mapLive(f, path, p, false)
	if err != nil {
		return nil, fmt.Errorf("map live index: %w", err)
	}
	return x, nil
}

// liveFile is the memory of one index.
type liveFile struct {
	liveLayout
	path string
	f    vfs.File // holds the lock
	r    *mmap.Region

	writable bool
}

var _ hnsw.Backing = (*liveFile)(nil)

func newLiveFile(f vfs.File, path string, l liveLayout, writable bool) (*liveFile, error) {
	r, err := mmap.Shared(f, l.length, writable)
	return &liveFile{liveLayout: l, path: path, f: f, r: r, writable: writable}, err
}

// Part gives a part's bytes.
func (b *liveFile) Part(p hnsw.Part) []byte {
	return b.r.Bytes()[b.at[p] : b.at[p]+b.size[p] : b.at[p]+b.size[p]]
}

func (b *liveFile) word(at int) *uint32 { return (*uint32)(unsafe.Pointer(&b.r.Bytes()[at])) }

// Changing marks the file as one that has to be repaired unless it is settled, before anything else can reach the disk.
func (b *liveFile) Changing() (err error) {
	defer mmap.Catch(mmap.Guard(), &err)
	if !b.writable {
		return fmt.Errorf("%s is open for searching: %w", b.path, hnsw.ErrFrozen)
	}
	if err := b.whole(); err != nil {
		return err
	}
	atomic.StoreUint32(b.word(dirtyAt), 1)
	return b.r.Sync(centerAt)
}

// Trained keeps the center of the codes. Swapping keeps the order of what becomes visible.
func (b *liveFile) Trained(center []float32) (err error) {
	defer mmap.Catch(mmap.Guard(), &err)
	atomic.SwapUint32(b.word(codedAt), 0)
	at := b.r.Bytes()[centerAt : centerAt+b.center]
	if _, err := binary.Encode(at, binary.LittleEndian, center); err != nil {
		return err
	}
	binary.LittleEndian.PutUint32(b.r.Bytes()[centerCRCAt:], checksum(at))
	atomic.SwapUint32(b.word(codedAt), 1)
	return nil
}

// Settle writes the parts and then the state to the disk.
func (b *liveFile) Settle(s hnsw.State) (err error) {
	defer mmap.Catch(mmap.Guard(), &err)
	if err := b.whole(); err != nil {
		return err
	}
	if err := b.r.Sync(int(b.length)); err != nil {
		return err
	}
	putState(b.r.Bytes(), s)
	if err := b.r.Sync(centerAt); err != nil {
		return err
	}
	atomic.SwapUint32(b.word(dirtyAt), 0)
	return b.r.Sync(centerAt)
}

// whole tells of a file that was cut off: writing to the rest of its last page wouldn't fault, and be lost.
func (b *liveFile) whole() error {
	info, err := b.f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != b.length {
		return &FormatError{File: b.path, Offset: info.Size(), Field: "file length", Reason: fmt.Sprintf("%d bytes, the open index needs %d", info.Size(), b.length)}
	}
	return nil
}

// Close unmaps and unlocks the file.
func (b *liveFile) Close() error { return errors.Join(b.r.Close(), b.f.Close()) }

// CheckLive reads the links and labels of the index in a live file and tests that they are as they should be.
func CheckLive(path string, x *hnsw.Index) error {
	err := x.WithImage(func(m *hnsw.Image) error {
		if err := m.Check(); err != nil {
			return err
		}
		return m.CheckLabels()
	})
	if err != nil {
		return located(path, err)
	}
	return nil
}
