package simd

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/shale-search/shale/internal/mmap"
)

// batchKernels names the batch kernels of a set and the size of their row elements.
func batchKernels(k *Kernels) []struct {
	name string
	size int
	f    Batch
} {
	return []struct {
		name string
		size int
		f    Batch
	}{
		{"l2-f32", 4, k.BatchL2F32}, {"ip-f32", 4, k.BatchIPF32},
		{"l2-f16", 2, k.BatchL2F16}, {"ip-f16", 2, k.BatchIPF16},
		{"l2-i8", 1, k.BatchL2I8}, {"ip-i8", 1, k.BatchIPI8},
		{"l2-u8", 1, k.BatchL2U8}, {"ip-u8", 1, k.BatchIPU8},
	}
}

// BenchmarkBatch measures a row at random places of a working set that fits no cache, and of one that fits a shared one,
// in lists as a graph walk makes them (20) and as a scan does (256).
func BenchmarkBatch(b *testing.B) {
	const most = 150 << 20
	region, err := mmap.Anonymous(most)
	if err != nil {
		b.Fatal(err)
	}
	defer region.Close()
	data := region.Bytes()
	for i := range data {
		data[i] = byte(i*i>>7) & 0x3b // small numbers of every type
	}
	query := make([]float32, 4096)
	base, q := unsafe.Pointer(&data[0]), unsafe.Pointer(&query[0])
	out := make([]float32, 256)
	for _, set := range levels() {
		for _, k := range batchKernels(set) {
			for _, dim := range []int{100, 128, 384, 768} {
				for _, mib := range []int{150, 6} {
					for _, list := range []int{20, 256} {
						b.Run(fmt.Sprintf("%s/%s/dim=%d/MiB=%d/list=%d", set.Name, k.name, dim, mib, list), func(b *testing.B) {
							stride := dim * k.size
							ids := make([]uint32, 1<<16/list*list)
							rng := rand.New(rand.NewPCG(1, 2))
							for i := range ids {
								ids[i] = rng.Uint32N(uint32(mib << 20 / stride))
							}
							at := 0
							for n := 0; n < b.N; n += list {
								k.f(q, base, uintptr(stride), dim, ids[at:at+list], out)
								if at += list; at == len(ids) {
									at = 0
								}
							}
						})
					}
				}
			}
		}
	}
}
