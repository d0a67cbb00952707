package diskread

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel's interface, include/uapi/linux/io_uring.h.
const (
	opRead         = 22
	offSQRing      = 0
	offCQRing      = 0x8000000
	offSQEs        = 0x10000000
	enterGetEvents = 1
	sqeSize        = 64
	cqeSize        = 16
)

type ringParams struct {
	sqEntries, cqEntries, flags, sqThreadCPU, sqThreadIdle, features, wqFD uint32
	reserved                                                               [3]uint32
	sq                                                                     struct {
		head, tail, mask, entries, flags, dropped, array, reserved uint32
		userAddr                                                   uint64
	}
	cq struct {
		head, tail, mask, entries, overflow, cqes, flags, reserved uint32
		userAddr                                                   uint64
	}
}

type sqe struct {
	opcode, flags uint8
	ioprio        uint16
	fd            int32
	offset        uint64
	addr          uint64
	length        uint32
	rwFlags       uint32
	userData      uint64
	rest          [3]uint64
}

type cqe struct {
	userData uint64
	res      int32
	flags    uint32
}

// ring is a backend that passes all queued reads to the kernel in one call, by io_uring.
type ring struct {
	fd             int
	sqMem, cqMem   []byte
	sqeMem         []byte
	sqTail, cqHead *uint32
	cqTail         *uint32
	sqMask, cqMask uint32
	array          unsafe.Pointer
	cqes           unsafe.Pointer
	queued         uint32 // entries not yet submitted to the kernel
}

func newRing(depth int) (*ring, error) {
	var p ringParams
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, uintptr(depth), uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return nil, fmt.Errorf("set up a ring: %w", errno)
	}
	r := &ring{fd: int(fd)}
	unix.CloseOnExec(r.fd)
	if err := r.mapRings(&p); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

func (r *ring) mapRings(p *ringParams) error {
	var err error
	mmap := func(offset int64, size uint32) []byte {
		var b []byte
		if err == nil {
			b, err = unix.Mmap(r.fd, offset, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
		}
		return b
	}
	r.sqMem = mmap(offSQRing, p.sq.array+4*p.sqEntries)
	r.cqMem = mmap(offCQRing, p.cq.cqes+cqeSize*p.cqEntries)
	r.sqeMem = mmap(offSQEs, sqeSize*p.sqEntries)
	if err != nil {
		return fmt.Errorf("map a ring: %w", err)
	}
	word := func(b []byte, at uint32) *uint32 { return (*uint32)(unsafe.Pointer(&b[at])) }
	r.sqTail, r.sqMask, r.array = word(r.sqMem, p.sq.tail), *word(r.sqMem, p.sq.mask), unsafe.Pointer(&r.sqMem[p.sq.array])
	r.cqHead, r.cqTail, r.cqMask = word(r.cqMem, p.cq.head), word(r.cqMem, p.cq.tail), *word(r.cqMem, p.cq.mask)
	r.cqes = unsafe.Pointer(&r.cqMem[p.cq.cqes])
	return nil
}

func (r *ring) start(slot uint32, f *os.File, b []byte, offset int64) error {
	tail := *r.sqTail // only this side writes it
	at := tail & r.sqMask
	e := (*sqe)(unsafe.Pointer(&r.sqeMem[at*sqeSize]))
	*e = sqe{
		opcode: opRead, fd: int32(f.Fd()), offset: uint64(offset), addr: uint64(uintptr(unsafe.Pointer(&b[0]))),
		length: uint32(len(b)), userData: uint64(slot),
	}
	*(*uint32)(unsafe.Add(r.array, 4*at)) = at
	atomic.StoreUint32(r.sqTail, tail+1)
	r.queued++
	return nil
}

// wait submits queued reads, and waits if none has finished yet.
func (r *ring) wait(dst []result) ([]result, error) {
	for before := len(dst); ; {
		dst = r.ended(dst)
		least := uintptr(0)
		if len(dst) == before {
			least = 1
		} else if r.queued == 0 {
			return dst, nil
		}
		if err := r.enter(least); err != nil {
			return dst, err
		}
	}
}

func (r *ring) submit() error {
	if r.queued == 0 {
		return nil
	}
	return r.enter(0)
}

// enter submits queued reads and waits until at least the given number has finished.
func (r *ring) enter(least uintptr) error {
	n, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), uintptr(r.queued), least, enterGetEvents, 0, 0)
	switch errno {
	case 0:
		r.queued -= uint32(n)
	case unix.EINTR:
	case unix.EAGAIN, unix.EBUSY:
		runtime.Gosched() // the kernel is short of memory for requests: those under way will end
	default:
		return fmt.Errorf("enter a ring: %w", errno)
	}
	return nil
}

// ended appends the finished reads to dst.
func (r *ring) ended(dst []result) []result {
	head, tail := *r.cqHead, atomic.LoadUint32(r.cqTail)
	for ; head != tail; head++ {
		c := (*cqe)(unsafe.Add(r.cqes, cqeSize*(head&r.cqMask)))
		d := result{slot: uint32(c.userData), n: int(c.res)}
		if c.res < 0 {
			d.n, d.err = 0, unix.Errno(-c.res)
		}
		dst = append(dst, d)
	}
	atomic.StoreUint32(r.cqHead, head)
	return dst
}

func (r *ring) close() error {
	var errs []error
	for _, b := range [][]byte{r.sqMem, r.cqMem, r.sqeMem} {
		if b != nil {
			errs = append(errs, unix.Munmap(b))
		}
	}
	return errors.Join(append(errs, unix.Close(r.fd))...)
}
