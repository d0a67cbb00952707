//go:build unix

package simd

import (
	"math/rand/v2"
	"testing"
	"unsafe"
)

// list is the input of a batch kernel in memory that ends, in every part, where reading on would fault.
type list struct {
	dim, stride int
	query, base []byte
	truths      []truth // by row
	ids         []uint32
	out         []float32
}

func TestBatches(t *testing.T) {
	const rows, most = 7, 70
	rng := rand.New(rand.NewPCG(5, 6))
	dims := []int{0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129,
		191, 192, 193, 384, 500, 769}
	for _, k := range kinds {
		queries, data := newGuarded(t, 800*4), newGuarded(t, rows*900*4)
		ids, out := newGuarded(t, 4*most), newGuarded(t, 4*most)
		for _, dim := range dims {
			for _, gap := range []int{0, 1, 13, 64} {
				stride := k.size(dim) + gap
				l := list{dim: dim, stride: stride, query: queries.end(dim * k.query),
					base: data.end((rows-1)*stride + k.size(dim))}
				fill(rng, l.query, k.query)
				for i := range rows {
					k.fillRow(rng, l.base[i*stride:], dim)
					l.truths = append(l.truths, k.truth(l.query, l.base[i*stride:], dim))
				}
				for n := 0; n <= most; n++ {
					l.ids = unsafe.Slice((*uint32)(pointer(ids.end(4*n))), n)
					l.out = unsafe.Slice((*float32)(pointer(out.end(4*n))), n)
					for i := range l.ids {
						l.ids[i] = uint32(rng.IntN(rows))
					}
					for _, set := range tested() {
						k.checkBatch(t, set, l)
					}
				}
			}
		}
	}
}

func (k kind) checkBatch(t testing.TB, set *Kernels, l list) {
	t.Helper()
	k.batchL2(set)(pointer(l.query), pointer(l.base), uintptr(l.stride), l.dim, l.ids, l.out)
	for i, id := range l.ids {
		want := l.truths[id].l2
		k.check(t, set.Name+" batch l2", float64(l.out[i]), k.rounded(want), want, l.dim)
	}
	k.batchIP(set)(pointer(l.query), pointer(l.base), uintptr(l.stride), l.dim, l.ids, l.out)
	for i, id := range l.ids {
		want := l.truths[id]
		if want.clash {
			continue
		}
		k.check(t, set.Name+" batch ip", float64(l.out[i]), k.rounded(1-want.dot), 1+want.scale, l.dim)
	}
}

// TestLongResults leaves alone what lies behind the results.
func TestLongResults(t *testing.T) {
	q, base := make([]byte, 4*48), make([]byte, 4*48)
	for _, k := range kinds {
		for _, set := range tested() {
			for n := range 20 {
				for _, f := range []Batch{k.batchL2(set), k.batchIP(set)} {
					out := make([]float32, n+9)
					for i := range out {
						out[i] = -7
					}
					f(pointer(q), pointer(base), 0, 48, make([]uint32, n), out)
					for i, v := range out {
						if (v == -7) != (i >= n) {
							t.Fatalf("%s %s: result %d of %d is %g", set.Name, k.name, i, n, v)
						}
					}
				}
			}
		}
	}
}

// TestHighIDs reaches rows beyond 4 GiB from the base, which a 32-bit product would miss.
func TestHighIDs(t *testing.T) {
	const id, stride = 1<<32 - 1, 1 << 20
	row := newGuarded(t, 4*16).end(4 * 16)                    // long enough for every kind
	base := unsafe.Pointer(uintptr(pointer(row)) - id*stride) // the id leads back to the row
	query := make([]byte, 4*16)
	rng := rand.New(rand.NewPCG(7, 8))
	for _, k := range kinds {
		fill(rng, query[:16*k.query], k.query)
		k.fillRow(rng, row, 16)
		for _, set := range tested() {
			out := make([]float32, 5)
			k.batchL2(set)(pointer(query), base, stride, 16, []uint32{id, id, id, id, id}, out)
			want := k.truth(query, row, 16).l2
			for _, v := range out {
				k.check(t, set.Name+" l2", float64(v), want, want, 16)
			}
		}
	}
}

func TestPrefetch(t *testing.T) {
	g := newGuarded(t, 100)
	for n := range 300 {
		Prefetch(pointer(g.end(1)), n) // past the end: a hint never faults
		Prefetch(nil, n)
	}
}

func FuzzKernels(f *testing.F) {
	f.Add([]byte("some bytes of which floats and small integers are made"), uint8(1))
	f.Add([]byte{0, 0, 0x80, 0x7f, 0, 0, 0x80, 0xff, 0, 0, 0xc0, 0x7f, 1, 0, 0, 0}, uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, count uint8) {
		for _, k := range kinds {
			dim := len(data) / (k.query + k.row)
			for dim > 0 && dim*k.query+k.size(dim) > len(data) {
				dim-- // a scale takes room too
			}
			if k.size(dim) > len(data) {
				continue
			}
			l := list{dim: dim, stride: k.size(dim), query: data[:dim*k.query], base: data[dim*k.query:][:k.size(dim)]}
			l.truths = []truth{k.truth(l.query, l.base, dim)}
			l.ids, l.out = make([]uint32, count%16), make([]float32, count%16)
			for _, set := range tested() {
				k.checkPair(t, set, l.query, l.base, dim)
				k.checkBatch(t, set, l)
			}
		}
	})
}

func TestChoose(t *testing.T) {
	a, b, c := &Kernels{Name: "avx512"}, &Kernels{Name: "avx2"}, &Kernels{Name: "generic"}
	n := &Kernels{Name: "neon"}
	for _, test := range []struct {
		all   []*Kernels
		asked string
		want  *Kernels
	}{
		{[]*Kernels{a, b, c}, "", a},
		{[]*Kernels{a, b, c}, "avx512", a},
		{[]*Kernels{a, b, c}, "avx2", b},
		{[]*Kernels{a, b, c}, "generic", c},
		{[]*Kernels{a, b, c}, "sse9", a},
		{[]*Kernels{b, c}, "avx512", b},
		{[]*Kernels{c}, "avx2", c},
		{[]*Kernels{n, c}, "neon", n},
		{[]*Kernels{n, c}, "generic", c},
		{[]*Kernels{n, c}, "", n},
	} {
		if got := choose(test.all, test.asked); got != test.want {
			t.Errorf("%q of %d levels: %s, want %s", test.asked, len(test.all), got.Name, test.want.Name)
		}
	}
	if levels()[len(levels())-1] != &generic {
		t.Error("plain Go is not among the levels")
	}
}
