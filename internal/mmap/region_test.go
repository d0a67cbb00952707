package mmap

import (
	"math"
	"testing"
	"unsafe"
)

func TestAnonymous(t *testing.T) {
	for _, size := range []int{0, 1, 4095, 4096, hugePage - 1, hugePage, 3*hugePage + 5} {
		r, err := Anonymous(size)
		if err != nil {
			t.Fatal(err)
		}
		b := r.Bytes()
		if len(b) != size || cap(b) != size {
			t.Fatalf("%d bytes asked for, %d given with room for %d", size, len(b), cap(b))
		}
		if size >= hugePage && uintptr(unsafe.Pointer(&b[0]))%hugePage != 0 {
			t.Errorf("%d bytes don't start on a huge page", size)
		}
		for i := range b {
			if b[i] != 0 {
				t.Fatalf("byte %d of %d is %d", i, size, b[i])
			}
			b[i] = 1
		}
		for range 2 {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	for _, size := range []int{-1, math.MaxInt, math.MaxInt - hugePage} {
		if _, err := Anonymous(size); err == nil {
			t.Errorf("%d bytes were mapped", size)
		}
	}
}

func TestSliceStaysInside(t *testing.T) {
	r, err := Anonymous(64)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	Slice[uint64](r, 0, 8)[7] = 5
	if v := Slice[uint32](r, 56, 2); v[0] != 5 && v[1] != 5 {
		t.Errorf("the views differ: %v", v)
	}
	if v := Slice[uint64](r, 64, 0); v != nil {
		t.Errorf("a view of nothing is %v", v)
	}
	for name, c := range map[string][2]int{
		"too many": {0, 9}, "past the end": {64, 1}, "not aligned": {4, 1}, "negative": {-8, 1},
		"negative length": {0, -1}, "far": {1 << 40, 1}, "overflow": {8, math.MaxInt},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			Slice[uint64](r, c[0], c[1])
		}()
	}
}
