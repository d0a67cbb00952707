package datafile

import (
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
)

var errRunWidth = errors.New("values of more than 32 bits")

// bitWidth is the number of bits that levels up to the largest take.
func bitWidth(largest int) int { return bits.Len(uint(largest)) }

// eachLevel decodes n levels up to the largest, as eachRun does. Levels that are all 0 aren't written.
func eachLevel(b []byte, largest, n int, use func(level uint32, times int) error) error {
	switch {
	case n == 0:
		return nil
	case largest == 0:
		return use(0, n)
	}
	return eachRun(b, bitWidth(largest), n, use)
}

// eachRun decodes n values of width bits in Parquet's hybrid of runs and packed groups, and hands on each value with
// how often it comes in a row. Nothing is expanded: the number of values is what the caller has checked, not what a run
// says.
func eachRun(b []byte, width, n int, use func(value uint32, times int) error) error {
	if width > 32 {
		return errRunWidth
	}
	for n > 0 {
		head, k := binary.Uvarint(b)
		if k <= 0 {
			return io.ErrUnexpectedEOF
		}
		b = b[k:]
		var err error
		if head&1 == 1 {
			b, n, err = packedRun(b, width, head>>1, n, use)
		} else {
			b, n, err = plainRun(b, width, head>>1, n, use)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// plainRun decodes one value that comes count times, and returns what follows it and how many values are still wanted.
func plainRun(b []byte, width int, count uint64, n int, use func(uint32, int) error) ([]byte, int, error) {
	size := (width + 7) / 8
	if size > len(b) {
		return nil, 0, io.ErrUnexpectedEOF
	}
	var word [4]byte
	copy(word[:], b[:size])
	times := int(min(count, uint64(n)))
	if times == 0 {
		return b[size:], n, nil
	}
	return b[size:], n - times, use(binary.LittleEndian.Uint32(word[:]), times)
}

// packedRun decodes groups of eight values, packed from the lowest bit on; the last group may be longer than wanted.
func packedRun(b []byte, width int, groups uint64, n int, use func(uint32, int) error) ([]byte, int, error) {
	times := int(min(groups, uint64(n+7)/8) * 8)
	size := uint64(times) * uint64(width) / 8
	if size > uint64(len(b)) {
		return nil, 0, io.ErrUnexpectedEOF
	}
	times = min(times, n)
	var word uint64
	have, next := 0, 0
	for range times {
		for have < width {
			word |= uint64(b[next]) << have
			next++
			have += 8
		}
		if err := use(uint32(word&(1<<width-1)), 1); err != nil {
			return nil, 0, err
		}
		word >>= width
		have -= width
	}
	return b[size:], n - times, nil
}
