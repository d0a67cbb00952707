package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/shale-search/shale/internal/filelock"
	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/vfs"
)

// access is the way a live file is opened.
type access int

const (
	toRead  access = iota // several may
	toMend                // likewise; what changes is memory of this process alone
	toWrite               // one may
)

// liveFile is the memory of one index. It is a mapping, and after the index has grown a larger one.
type liveFile struct {
	path   string
	access access

	dropDamaged bool // as in Options
	unsure      bool // as in the state at opening, until the file is settled
	named       bool // whether the file's name is on the disk, as far as this index knows

	mu      sync.Mutex // held while the mapping is replaced, closed or marked
	faulted bool
	*liveMapping
}

var _ hnsw.Backing = (*liveFile)(nil)

// liveMapping is a locked and mapped file.
type liveMapping struct {
	liveLayout
	f      vfs.File // holds the lock
	r      *mmap.Region
	info   fs.FileInfo
	pid    int // of the process that opened it
	closed bool
}

// newLiveFile maps f and, unless it fails, owns it.
func newLiveFile(f vfs.File, path string, l liveLayout, a access) (*liveFile, error) {
	m, err := mapLive(f, l, a)
	if err != nil {
		return nil, err
	}
	return &liveFile{path: path, access: a, liveMapping: m}, nil
}

func mapLive(f vfs.File, l liveLayout, a access) (*liveMapping, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	how := map[access]mmap.Access{toRead: mmap.Read, toMend: mmap.Private, toWrite: mmap.Write}[a]
	r, err := mmap.Shared(f, l.length, how)
	if err != nil {
		return nil, err
	}
	opened.add(info)
	return &liveMapping{liveLayout: l, f: f, r: r, info: info, pid: os.Getpid()}, nil
}

// Part returns the bytes of a part.
func (m *liveMapping) Part(p hnsw.Part) []byte {
	return m.r.Bytes()[m.at[p] : m.at[p]+m.size[p] : m.at[p]+m.size[p]]
}

func (m *liveMapping) word(at int) *uint32 { return (*uint32)(unsafe.Pointer(&m.r.Bytes()[at])) }

// sync writes the first n bytes to the disk.
func (m *liveMapping) sync(n int64) error { return m.f.Msync(m.r.Bytes()[:n]) }

// Changing marks the file as in need of repair, before any change can reach the disk.
func (b *liveFile) Changing() (err error) {
	defer mmap.Catch(mmap.Guard(), &err)
	switch b.access {
	case toRead:
		return fmt.Errorf("%s is open for searching: %w", b.path, hnsw.ErrFrozen)
	case toMend:
		return nil
	}
	if err := b.whole(); err != nil {
		return err
	}
	if !b.named { // a power cut could remove the name, and with it all that is synced
		if err := vfs.SyncDir(filepath.Dir(b.path)); err != nil {
			return err
		}
		b.named = true
	}
	if !b.unsure { // if unsure, an opening before the file is settled must check all of it too
		binary.LittleEndian.PutUint64(b.r.Bytes()[writerAt:], writerOf(b.info))
	}
	atomic.StoreUint32(b.word(dirtyAt), 1)
	return b.sync(centerAt)
}

// Keep writes one of the first parts to the disk.
func (b *liveFile) Keep(p hnsw.Part) (err error) {
	if b.access != toWrite {
		return nil
	}
	defer mmap.Catch(mmap.Guard(), &err)
	return b.sync(b.at[p] + b.size[p])
}

// Trained stores the center of the codes.
func (b *liveFile) Trained(center []float32) error { return b.trained(center) }

// trained stores the center of the codes. The swap keeps the order in which changes become visible.
func (m *liveMapping) trained(center []float32) (err error) {
	defer mmap.Catch(mmap.Guard(), &err)
	atomic.SwapUint32(m.word(codedAt), 0)
	at := m.r.Bytes()[centerAt : centerAt+m.center]
	if _, err := binary.Encode(at, binary.LittleEndian, center); err != nil {
		return err
	}
	binary.LittleEndian.PutUint32(m.r.Bytes()[centerCRCAt:], checksum(at))
	atomic.SwapUint32(m.word(codedAt), 1)
	return nil
}

// Settle writes the parts, and then the state, to the disk.
func (b *liveFile) Settle(s hnsw.State) error {
	if b.access != toWrite {
		return nil
	}
	if err := b.whole(); err != nil {
		return err
	}
	if err := b.settle(s); err != nil {
		return err
	}
	b.unsure = false
	return nil
}

func (m *liveMapping) settle(s hnsw.State) (err error) {
	defer mmap.Catch(mmap.Guard(), &err)
	if err := m.sync(m.length); err != nil {
		return err
	}
	putState(m.r.Bytes(), s)
	atomic.StoreUint32(m.word(faultedAt), 0)
	if err := m.sync(centerAt); err != nil {
		return err
	}
	atomic.SwapUint32(m.word(dirtyAt), 0)
	return m.sync(centerAt)
}

// whole returns an error if the file was cut off: writes to the rest of its last page
// wouldn't fault, and would be lost.
func (b *liveFile) whole() error {
	info, err := b.f.Stat()
	if err != nil {
		return err
	}
	if info.Size() != b.length {
		return &FormatError{
			File: b.path, Offset: info.Size(), Field: "file length",
			Reason: fmt.Sprintf("%d bytes, the open index needs %d", info.Size(), b.length),
		}
	}
	return nil
}

// Faulted marks the file because page cache and disk may differ. Later openings see the mark, whether or not the disk
// stores it.
func (b *liveFile) Faulted(cause error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.access == toWrite && !b.closed {
		b.faulted = true
		b.markFaulted()
	}
	return fmt.Errorf("live index %s: %w", b.path, cause)
}

func (m *liveMapping) markFaulted() {
	var fault error // is ignored: the disk has failed already
	defer mmap.Catch(mmap.Guard(), &fault)
	atomic.StoreUint32(m.word(faultedAt), 1)
	atomic.StoreUint32(m.word(dirtyAt), 1)
	_ = m.sync(centerAt)
}

// rewrite makes the system write every page of a file that Faulted marked, because the system may consider pages
// written that it failed to write.
func (b *liveFile) rewrite() (err error) {
	defer mmap.Catch(mmap.Guard(), &err)
	for at := 0; at < int(b.length); at += headerSize {
		atomic.AddUint32(b.word(at), 0)
	}
	return b.sync(b.length)
}

// Enlarge moves the index to a larger file that replaces this one.
func (b *liveFile) Enlarge(c hnsw.Config, s hnsw.State) (io.Closer, error) {
	if b.access != toWrite {
		return nil, fmt.Errorf("%s is open for searching: %w", b.path, hnsw.ErrFrozen)
	}
	next, err := b.copyTo(b.path, c, s)
	if next == nil {
		return nil, fmt.Errorf("%s: %w", b.path, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.liveMapping
	b.liveMapping = next
	return before, err
}

// abandon stops all writes to a file that is going to be removed.
func (b *liveFile) abandon() { b.access = toRead }

// Close unmaps and unlocks the file. If the disk has failed, Close tries once more to write the pages that only the
// page cache holds. The file stays marked, because some may still be missing.
func (b *liveFile) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.faulted && !b.closed && os.Getpid() == b.pid {
		_ = b.rewrite()
	}
	return b.liveMapping.Close()
}

// Close unmaps and unlocks the file. Without unlocking, a child of fork would keep the lock.
func (m *liveMapping) Close() error {
	if m.closed {
		return nil
	}
	m.closed = true
	opened.remove(m.info)
	err := m.r.Close()
	if os.Getpid() != m.pid { // the lock belongs to the parent
		return errors.Join(err, m.f.Close())
	}
	return errors.Join(err, unlock(m.f))
}

// unlock unlocks and closes a file.
func unlock(f vfs.File) error { return errors.Join(filelock.Unlock(f), f.Close()) }
