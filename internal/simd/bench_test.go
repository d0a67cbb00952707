package simd

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/shale-search/shale/internal/mmap"
)

// BenchmarkBatch measures a row at random places of a working set that fits no cache, and of one that fits a shared
// one, in lists as a graph walk makes them (20) and as a scan does (256).
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
	for _, set := range tested() {
		for _, k := range kinds {
			for _, dim := range []int{100, 128, 384, 768} {
				for _, mib := range []int{150, 6} {
					for _, length := range []int{20, 256} {
						stride := k.size(dim)
						ids := make([]uint32, 1<<19/length*length)
						rng := rand.New(rand.NewPCG(1, 2))
						for i := range ids {
							ids[i] = rng.Uint32N(uint32(mib << 20 / stride))
						}
						run := func(b *testing.B, f Batch) {
							at := 0
							for n := 0; n < b.N; n += length {
								f(q, base, uintptr(stride), dim, ids[at:at+length], out)
								if at += length; at == len(ids) {
									at = 0
								}
							}
						}
						name := fmt.Sprintf("%s/%s/dim=%d/MiB=%d/list=%d", set.Name, k.name, dim, mib, length)
						b.Run(name+"/l2", func(b *testing.B) { run(b, k.batchL2(set)) })
						b.Run(name+"/ip", func(b *testing.B) { run(b, k.batchIP(set)) })
					}
				}
			}
		}
	}
}

// BenchmarkPair measures a call on vectors in the first level cache.
func BenchmarkPair(b *testing.B) {
	v := make([]byte, 4*768)
	for _, set := range tested() {
		for _, k := range kinds {
			for _, dim := range []int{100, 128, 384, 768} {
				l2, dot := k.l2(set), k.dot(set)
				name := fmt.Sprintf("%s/%s/dim=%d", set.Name, k.name, dim)
				b.Run(name+"/l2", func(b *testing.B) {
					for b.Loop() {
						l2(pointer(v), pointer(v), dim)
					}
				})
				b.Run(name+"/dot", func(b *testing.B) {
					for b.Loop() {
						dot(pointer(v), pointer(v), dim)
					}
				})
			}
		}
	}
}

const longestHadamard = 4096 // in assembly

// BenchmarkHadamard measures a transform in the first level cache.
func BenchmarkHadamard(b *testing.B) {
	x, signs := make([]float32, longestHadamard), make([]float32, longestHadamard)
	for _, set := range tested() {
		for n := 16; n <= longestHadamard; n *= 2 {
			b.Run(fmt.Sprintf("%s/n=%d", set.Name, n), func(b *testing.B) {
				for b.Loop() {
					set.Hadamard(&x[0], &signs[0], n)
				}
			})
		}
	}
}

// BenchmarkDecodeF16 measures a row in the first level cache.
func BenchmarkDecodeF16(b *testing.B) {
	src, dst := make([]uint16, 768), make([]float32, 768)
	for _, set := range tested() {
		for _, n := range []int{100, 128, 768} {
			b.Run(fmt.Sprintf("%s/n=%d", set.Name, n), func(b *testing.B) {
				for b.Loop() {
					set.DecodeF16(&dst[0], &src[0], n)
				}
			})
		}
	}
}
