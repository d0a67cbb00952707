package store

import (
	"math/bits"
	"unsafe"
)

// bytesOf returns an array as bytes, little-endian as in files.
func bytesOf[T uint8 | uint32 | uint64 | float32](a []T) []byte {
	var zero T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(a))), len(a)*int(unsafe.Sizeof(zero)))
}

// sizeOf returns the bytes of a value of T.
func sizeOf[T any](zero T) int { return int(unsafe.Sizeof(zero)) }

func countBits(words []uint32) int {
	n := 0
	for _, w := range words {
		n += bits.OnesCount32(w)
	}
	return n
}
