package simd

import (
	"math"
	"unsafe"
)

// LookUpBlock is the bytes of a row of 4-bit codes whose tables lie together, and LookUpBlockTable what these take.
const (
	LookUpBlock      = 64
	LookUpBlockTable = 2 * 16 * LookUpBlock
)

var lookUpsGeneric = [9]LookUpBatch{4: lookUp4Generic, 8: lookUp8Generic}

// LookUpAt is where the table of the lower half of byte j of a row of 4-bit codes starts; that of the upper half starts
// 64 entries later. A vector of 64 entries then holds the tables of the bytes c, c+16, c+32 and c+48 of a block.
func LookUpAt(j int) int {
	block, c := j/LookUpBlock, j%LookUpBlock
	return block*LookUpBlockTable + c%16*128 + c/16*16
}

func lookUp8Generic(q *LookUp, base unsafe.Pointer, stride uintptr, ids []uint32, out []float32) {
	table := unsafe.Slice(q.Table, 256*q.Bytes)
	for i, id := range ids {
		code := unsafe.Slice((*byte)(row(base, id, stride)), q.Bytes)
		var a, b int32
		t := table
		for len(code) >= 4 {
			part := t[:4*256]
			a += int32(part[code[0]]) + int32(part[256+int(code[1])])
			b += int32(part[512+int(code[2])]) + int32(part[768+int(code[3])])
			code, t = code[4:], t[4*256:]
		}
		for _, c := range code {
			a += int32(t[c])
			t = t[256:]
		}
		out[i] = q.Base + q.Step*float32(a+b)
	}
}

func lookUp4Generic(q *LookUp, base unsafe.Pointer, stride uintptr, ids []uint32, out []float32) {
	blocks := (q.Bytes + LookUpBlock - 1) / LookUpBlock
	table := unsafe.Slice(q.Table, blocks*LookUpBlockTable)
	for i, id := range ids {
		code := unsafe.Slice((*byte)(row(base, id, stride)), q.Bytes)
		var sum int32
		for j, c := range code {
			t := table[LookUpAt(j):][:80]
			sum += int32(t[c&15]) + int32(t[64+c>>4])
		}
		out[i] = q.Base + q.Step*float32(sum)
	}
}

// nearestGeneric finds the centroid nearest to each of n values: the smallest of norms[c] − 2⟨v, c⟩, the first of
// those.
func nearestGeneric(out *uint8, v, norms, columns *float32, n, width, centroids int) {
	to, values := unsafe.Slice(out, n), unsafe.Slice(v, n*width)
	length, column := unsafe.Slice(norms, centroids), unsafe.Slice(columns, width*centroids)
	var distances [256]float32
	for i := range to {
		d := distances[:centroids]
		copy(d, length)
		for j, x := range values[i*width : (i+1)*width] {
			x *= -2
			for c, y := range column[j*centroids:][:centroids] {
				d[c] += x * y
			}
		}
		best, least := 0, d[0]
		for c, x := range d {
			if x < least {
				best, least = c, x
			}
		}
		to[i] = uint8(best)
	}
}

// rangesGeneric finds the smallest and the largest of each row of a table.
func rangesGeneric(low, high, table *float32, rows int) {
	l, h := unsafe.Slice(low, rows), unsafe.Slice(high, rows)
	for i := range l {
		row := unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(table), 4*tableRow*i)), tableRow)
		least, most := row[0], row[0]
		for _, v := range row {
			least, most = min(least, v), max(most, v)
		}
		l[i], h[i] = least, most
	}
}

// tableBytesGeneric rounds (table[m][c] − low[m])·inv, which lie within 0 … 255, to the nearest bytes.
func tableBytesGeneric(dst *uint8, table, low *float32, rows int, inv float32) {
	to, from, least := unsafe.Slice(dst, rows*tableRow), unsafe.Slice(table, rows*tableRow), unsafe.Slice(low, rows)
	for m, l := range least {
		row := to[m*tableRow:][:tableRow]
		for c, v := range from[m*tableRow:][:tableRow] {
			row[c] = uint8(math.RoundToEven(float64(min(max((v-l)*inv, 0), 255))))
		}
	}
}
