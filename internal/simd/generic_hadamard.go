package simd

import "unsafe"

func hadamardGeneric(x, signs *float32, n int) {
	v, s := unsafe.Slice(x, n), unsafe.Slice(signs, n)
	for i := range v {
		v[i] *= s[i]
	}
	butterflies(v, 1)
}

// butterflies does the steps of the transform from the one between neighbours so many elements apart.
func butterflies(v []float32, half int) {
	for ; half < len(v); half *= 2 {
		for at := 0; at < len(v); at += 2 * half {
			a, b := v[at:at+half], v[at+half:at+2*half]
			for i, l := range a {
				r := b[i]
				a[i], b[i] = l+r, l-r
			}
		}
	}
}

// hadamardOf makes the kernel of a transform of least to most elements.
func hadamardOf(transform func(x, signs *float32, n int), least, most int) func(x, signs *float32, n int) {
	return func(x, signs *float32, n int) {
		switch {
		case n < least:
			hadamardGeneric(x, signs, n)
		case n <= most:
			transform(x, signs, n)
		default:
			v, s := unsafe.Slice(x, n), unsafe.Slice(signs, n)
			for at := 0; at < n; at += most {
				transform(&v[at], &s[at], most)
			}
			butterflies(v, most)
		}
	}
}
