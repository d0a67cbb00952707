package simd

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/shale-search/shale/internal/mmap"
)

// BenchmarkCodes measures a row at random places of a working set, in lists as a graph walk makes them: in a private
// cache, in a shared one and in memory.
func BenchmarkCodes(b *testing.B) {
	const list = 18
	region, err := mmap.Anonymous(200 << 20)
	if err != nil {
		b.Fatal(err)
	}
	defer region.Close()
	data := region.Bytes()
	for i := range data {
		data[i] = byte(i * i >> 7)
	}
	values := make([]int8, 64*64)
	out := make([]float32, list)
	for _, shape := range []struct{ bits, blocks, high, stride int }{
		{4, 1, 0, 64}, {2, 2, 0, 128}, {4, 1, 0, 80}, {1, 1, 0, 64}, {2, 1, 0, 64}, {3, 1, 1, 64}, {4, 2, 0, 128},
		{4, 6, 0, 448}, {8, 2, 0, 192}, {8, 12, 0, 832},
	} {
		for _, kib := range []int{16, 13_000, 200_000} {
			ids := make([]uint32, 1<<20/list*list)
			rng := rand.New(rand.NewPCG(1, 2))
			for i := range ids {
				ids[i] = rng.Uint32N(uint32(kib<<10/shape.stride) - 1)
			}
			q := CodeQuery{Values: &values[0], Blocks: shape.blocks, HighValues: &values[0],
				HighBlocks: shape.high, Factors: shape.stride - 12}
			for _, set := range tested() {
				f := set.Codes[shape.bits]
				name := fmt.Sprintf("%s/bits=%d/blocks=%d/stride=%d/KiB=%d", set.Name, shape.bits, shape.blocks, shape.stride, kib)
				b.Run(name, func(b *testing.B) {
					at := 0
					for n := 0; n < b.N; n += list {
						f(&q, pointer(data), uintptr(shape.stride), ids[at:at+list], out)
						if at += list; at == len(ids) {
							at = 0
						}
					}
				})
			}
		}
	}
}
