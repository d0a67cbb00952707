package simd

import "unsafe"

var codesGeneric = [9]CodeBatch{
	1: codeBatch(1),
	2: codeBatch(2),
	3: codeBatch(3),
	4: codeBatch(4),
	8: codeBatch(8),
}

// codeBatch returns the kernel for codes of a number of bits.
func codeBatch(bits int) CodeBatch {
	return func(q *CodeQuery, base unsafe.Pointer, stride uintptr, ids []uint32, out []float32) {
		for i, id := range ids {
			r := row(base, id, stride)
			var dot int32
			if bits == 3 {
				dot = codeDot(2, r, q.Values, q.Blocks) + 4*codeDot(1, unsafe.Add(r, q.High), q.HighValues, q.HighBlocks)
			} else {
				dot = codeDot(bits, r, q.Values, q.Blocks)
			}
			a := *(*float32)(unsafe.Add(r, q.Factors))
			f := *(*float32)(unsafe.Add(r, q.Factors+4))
			out[i] = q.Add*a + f*(q.Alpha*float32(dot)+q.Beta) + q.Gamma
		}
	}
}

// codeDot is the sum of codes times values over blocks of codes.
func codeDot(bits int, codes unsafe.Pointer, values *int8, blocks int) int32 {
	parts, mask := 8/bits, byte(1<<bits-1)
	bytes := unsafe.Slice((*byte)(codes), blocks*64)
	v := unsafe.Slice(values, blocks*64*parts)
	var sum int32
	for len(bytes) > 0 {
		for p := range parts {
			part := v[64*p : 64*p+64]
			for j, b := range bytes[:64] {
				sum += int32(b>>(p*bits)&mask) * int32(part[j])
			}
		}
		bytes, v = bytes[64:], v[64*parts:]
	}
	return sum
}
