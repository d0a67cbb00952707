package simd

import "unsafe"

const tableRow = 256

func tablesGeneric(out, init, books, v *float32, subvectors, width int) {
	to, from := unsafe.Slice(out, subvectors*tableRow), unsafe.Slice(init, subvectors*tableRow)
	values, columns := unsafe.Slice(v, subvectors*width), unsafe.Slice(books, subvectors*width*tableRow)
	copy(to, from)
	for i, x := range values {
		row, column := to[i/width*tableRow:][:tableRow], columns[i*tableRow:][:tableRow]
		for c, y := range column {
			row[c] += x * y
		}
	}
}
