package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
	"unsafe"

	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/simd"
)

// pages is the kind of pages under the working set.
type pages string

const (
	hugePages  pages = "huge"
	smallPages pages = "4k"
)

const (
	longest = 256     // ids that one kernel call gets at most: it can't be preempted
	maxIDs  = 8 << 20 // ids drawn at most
	trials  = 3
)

// measure times every block size in a fresh working set of size bytes.
func measure(kind pages, size int, sizes []int, trial time.Duration) ([]figure, error) {
	region, err := mmap.Anonymous(size)
	if err != nil {
		return nil, err
	}
	defer region.Close()
	if kind == smallPages {
		if err := adviseSmall(region.Bytes()); err != nil {
			return nil, err
		}
	}
	floats := mmap.Slice[float32](region, 0, size/4)
	for i := range floats {
		floats[i] = float32(i & 7)
	}
	figures := make([]figure, 0, len(sizes))
	for _, block := range sizes {
		f := newReader(floats, block).best(trial)
		f.Pages = string(kind)
		figures = append(figures, f)
	}
	return figures, nil
}

// reader reads blocks of one size in a random order.
type reader struct {
	base   unsafe.Pointer
	block  int
	dim    int
	query  []float32
	ids    []uint32
	out    []float32
	kernel simd.Batch
}

func newReader(data []float32, block int) *reader {
	r := &reader{base: unsafe.Pointer(unsafe.SliceData(data)), block: block, dim: block / 4,
		kernel: simd.Active.BatchL2F32}
	r.query = make([]float32, r.dim)
	r.out = make([]float32, longest)
	rng := rand.New(rand.NewPCG(1, uint64(block)))
	blocks := len(data) / r.dim
	n := min(2*blocks, maxIDs) // enough for one pass to touch most of the working set
	r.ids = make([]uint32, (n+longest-1)/longest*longest)
	for i := range r.ids {
		r.ids[i] = rng.Uint32N(uint32(blocks))
	}
	return r
}

// best tries the ways of prefetching and keeps the fastest.
func (r *reader) best(trial time.Duration) figure {
	f := figure{BlockBytes: r.block, Nanos: math.Inf(1)}
	try := func(method string, pass func()) {
		for range trials {
			if ns := timed(pass, trial) / float64(len(r.ids)); ns < f.Nanos {
				f.Nanos, f.Method = ns, method
			}
		}
	}
	try("kernel's own prefetch", r.long)
	for _, ahead := range []int{4, 8, 16} {
		try(fmt.Sprintf("%d ahead", ahead), func() { r.groups(ahead) })
	}
	f.GBPerSec = float64(r.block) / f.Nanos
	return f
}

// long hands the kernel long lists, within which it prefetches by itself.
func (r *reader) long() {
	for i := 0; i < len(r.ids); i += longest {
		r.kernel(unsafe.Pointer(&r.query[0]), r.base, uintptr(r.block), r.dim, r.ids[i:i+longest], r.out)
	}
}

// groups asks for the next n blocks before it hands the kernel these n.
func (r *reader) groups(n int) {
	for i := 0; i < len(r.ids); i += n {
		if i+2*n <= len(r.ids) {
			for _, id := range r.ids[i+n : i+2*n] {
				simd.Prefetch(unsafe.Add(r.base, uintptr(id)*uintptr(r.block)), r.block)
			}
		}
		r.kernel(unsafe.Pointer(&r.query[0]), r.base, uintptr(r.block), r.dim, r.ids[i:i+n], r.out)
	}
}

// timed repeats pass for at least d and returns the nanoseconds that one pass took.
func timed(pass func(), d time.Duration) float64 {
	start, passes := time.Now(), 0
	for time.Since(start) < d {
		pass()
		passes++
	}
	return float64(time.Since(start).Nanoseconds()) / float64(passes)
}
