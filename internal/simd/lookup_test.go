package simd

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"unsafe"
)

// lookUpCase is codes that end where memory ends, and a table for them.
type lookUpCase struct {
	q     LookUp
	table []uint8
	codes []byte
	rows  int
}

func newLookUpCase(t testing.TB, rng *rand.Rand, bits, bytes, rows int) lookUpCase {
	entries := 256 * bytes
	if bits == 4 {
		entries = (bytes + LookUpBlock - 1) / LookUpBlock * LookUpBlockTable
	}
	table := make([]uint8, entries)
	for i := range table {
		table[i] = uint8(rng.IntN(256))
		if rng.IntN(3) == 0 {
			table[i] = 255
		}
	}
	if bits == 4 {
		for j := bytes; j < entries/32; j++ {
			clear(table[LookUpAt(j):][:16])
			clear(table[LookUpAt(j)+64:][:16])
		}
	}
	codes := newGuarded(t, rows*bytes).end(rows * bytes)
	for i := range codes {
		codes[i] = uint8(rng.IntN(256))
	}
	return lookUpCase{LookUp{Table: &table[0], Bytes: bytes, Base: -3, Step: 0.25}, table, codes, rows}
}

// Every level's sums are those of the plain one, to the last bit: they are of integers.
func TestLookUps(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for _, bits := range []int{4, 8} {
		for _, bytes := range []int{1, 2, 7, 8, 15, 16, 31, 63, 64, 65, 96, 127, 128, 192, 200, 1024} {
			for _, n := range []int{1, 2, 15, 16, 17, 40, 272, 1000} {
				c := newLookUpCase(t, rng, bits, bytes, 20)
				ids := make([]uint32, n)
				for i := range ids {
					ids[i] = uint32(rng.IntN(c.rows))
				}
				ids[n-1] = uint32(c.rows - 1) // which ends where memory does
				want := make([]float32, n)
				lookUpsGeneric[bits](&c.q, unsafe.Pointer(&c.codes[0]), uintptr(bytes), ids, want)
				for _, set := range tested() {
					for asked := range 2 {
						c.q.Asked = asked
						got := make([]float32, n+16)
						for i := range got {
							got[i] = 77
						}
						set.LookUps[bits](&c.q, unsafe.Pointer(&c.codes[0]), uintptr(bytes), ids, got)
						for i, v := range got {
							if i < n && v != want[i] || i >= n && v != 77 {
								t.Fatalf("%s, %d bits, %d bytes, %d rows: %d is %v, of %v", set.Name, bits, bytes, n, i, v, want)
							}
						}
					}
				}
			}
		}
	}
}

// The plain look-ups are what LookUp says.
func TestLookUpsAreSums(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for _, bits := range []int{4, 8} {
		c := newLookUpCase(t, rng, bits, 150, 3)
		out := make([]float32, 1)
		lookUpsGeneric[bits](&c.q, unsafe.Pointer(&c.codes[0]), 150, []uint32{2}, out)
		sum := 0
		for j, code := range c.codes[300:450] {
			if bits == 8 {
				sum += int(c.table[256*j+int(code)])
			} else {
				sum += int(c.table[LookUpAt(j)+int(code&15)]) + int(c.table[LookUpAt(j)+64+int(code>>4)])
			}
		}
		if want := -3 + 0.25*float32(sum); out[0] != want {
			t.Errorf("%d bits: %v, not %v", bits, out[0], want)
		}
	}
}

func TestRangesAndTableBytes(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	for _, rows := range []int{1, 2, 5, 33} {
		table := make([]float32, rows*256)
		for i := range table {
			table[i] = float32(rng.NormFloat64())
		}
		low, high, want := make([]float32, rows), make([]float32, rows), make([]uint8, rows*256)
		rangesGeneric(&low[0], &high[0], &table[0], rows)
		inv := 255 / (max(high[0]-low[0], 12))
		tableBytesGeneric(&want[0], &table[0], &low[0], rows, inv)
		for _, set := range tested() {
			l, h, got := make([]float32, rows+1), make([]float32, rows+1), make([]uint8, rows*256+1)
			l[rows], h[rows], got[rows*256] = 77, 77, 77
			set.Ranges(&l[0], &h[0], &table[0], rows)
			set.TableBytes(&got[0], &table[0], &low[0], rows, inv)
			if l[rows] != 77 || h[rows] != 77 || got[rows*256] != 77 {
				t.Fatalf("%s writes past the end", set.Name)
			}
			for m := range rows {
				if l[m] != low[m] || h[m] != high[m] {
					t.Fatalf("%s: row %d is within %v and %v, not %v and %v", set.Name, m, l[m], h[m], low[m], high[m])
				}
			}
			for i, w := range want {
				if got[i] != w {
					t.Fatalf("%s: byte %d is %d, not %d", set.Name, i, got[i], w)
				}
			}
		}
	}
}

func TestNearest(t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 18))
	for _, centroids := range []int{16, 256} {
		for _, width := range []int{1, 2, 3, 8, 17} {
			const n = 70
			v, columns, norms := make([]float32, n*width), make([]float32, width*centroids), make([]float32, centroids)
			for i := range v {
				v[i] = float32(rng.IntN(9) - 4) // whole numbers: every level computes the same distances, many of them alike
			}
			for i := range columns {
				columns[i] = float32(rng.IntN(9) - 4)
				norms[i%centroids] += columns[i] * columns[i]
			}
			want := make([]uint8, n)
			nearestGeneric(&want[0], &v[0], &norms[0], &columns[0], n, width, centroids)
			for i := range want {
				if best := plainNearest(v[i*width:(i+1)*width], norms, columns); int(want[i]) != best {
					t.Fatalf("plain, %d centroids of %d values: %d, not %d", centroids, width, want[i], best)
				}
			}
			for _, set := range tested() {
				got := make([]uint8, n+1)
				got[n] = 77
				set.Nearest(&got[0], &v[0], &norms[0], &columns[0], n, width, centroids)
				for i, w := range want {
					if got[i] != w || got[n] != 77 {
						t.Fatalf("%s, %d centroids of %d values: that of %d is %d, not %d", set.Name, centroids, width, i, got[i], w)
					}
				}
			}
		}
	}
}

// plainNearest is the first of the smallest norms[c] − 2⟨v, c⟩.
func plainNearest(v, norms, columns []float32) int {
	best, least := 0, float32(0)
	for c, d := range norms {
		for j, x := range v {
			d -= 2 * x * columns[j*len(norms)+c]
		}
		if c == 0 || d < least {
			best, least = c, d
		}
	}
	return best
}

func BenchmarkLookUps(b *testing.B) {
	rng := rand.New(rand.NewPCG(11, 12))
	for _, bits := range []int{4, 8} {
		for _, n := range []int{8, 16, 32} {
			c := newLookUpCase(b, rng, bits, 192, 5000)
			ids, out := make([]uint32, n), make([]float32, n)
			for _, set := range tested() {
				b.Run(fmt.Sprintf("%s/%d bits/%d rows", set.Name, bits, n), func(b *testing.B) {
					for b.Loop() {
						for i := range ids {
							ids[i] = (ids[i]*1664525 + 1013904223 + uint32(i)) % uint32(c.rows)
						}
						set.LookUps[bits](&c.q, unsafe.Pointer(&c.codes[0]), 192, ids, out)
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/row")
				})
			}
		}
	}
}

func BenchmarkNearest(b *testing.B) {
	const n, width, centroids = 1024, 2, 256
	v, columns, norms, out := make([]float32, n*width), make([]float32, width*centroids),
		make([]float32, centroids), make([]uint8, n)
	for i := range v {
		v[i] = float32(i % 97)
	}
	for i := range columns {
		columns[i] = float32(i % 89)
	}
	for _, set := range tested() {
		b.Run(set.Name, func(b *testing.B) {
			for b.Loop() {
				set.Nearest(&out[0], &v[0], &norms[0], &columns[0], n, width, centroids)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/value")
		})
	}
}
