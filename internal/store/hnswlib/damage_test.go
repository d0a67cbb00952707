package hnswlib

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"testing"

	"github.com/shale-search/shale/internal/format"
	"github.com/shale-search/shale/vector"
)

func readFixture(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(fixturePath(name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Files without checksums can't tell every flipped bit; what they don't tell must still be an index that works.
func TestFlipsDoNoHarm(t *testing.T) {
	for _, name := range []string{"deleted", "resized", "one"} {
		b := readFixture(t, name)
		for i := range b {
			for _, mask := range []byte{1 << (i % 8), 0xff} {
				b[i] ^= mask
				x, err := Decode(context.Background(), bytes.NewReader(b), int64(len(b)), "memory", Options{ReplaceDelete: true})
				var bad *format.Error
				switch {
				case err == nil:
					use(t, x)
					_ = x.Close()
				case !errors.As(err, &bad):
					t.Fatalf("%s, byte %d, flipped by %#x: %v", name, i, mask, err)
				}
				b[i] ^= mask
			}
		}
	}
}

func TestTruncationsAreFound(t *testing.T) {
	for _, name := range []string{"deleted", "resized", "empty", "one"} {
		b := readFixture(t, name)
		for n := range b {
			_, err := Decode(context.Background(), bytes.NewReader(b[:n]), int64(n), "memory", Options{})
			var bad *format.Error
			if !errors.As(err, &bad) {
				t.Fatalf("%s cut to %d bytes: %v", name, n, err)
			}
			// a file that shrinks while it is read
			if _, err = Decode(context.Background(), bytes.NewReader(b[:n]), int64(len(b)), "memory",
				Options{}); !errors.As(err, &bad) {
				t.Fatalf("%s ending at %d bytes: %v", name, n, err)
			}
		}
		b = append(b, 0)
		if _, err := Decode(context.Background(), bytes.NewReader(b), int64(len(b)), "memory", Options{}); err == nil {
			t.Fatalf("%s: a byte too many was not seen", name)
		}
	}
}

// Each lie is told with the field and the place where it stands.
func TestLiesAreFound(t *testing.T) {
	const count, stride, links = 60, 4 + 32 + 32 + 8, 8 // of the fixture
	upper := int64(headerSize + count*stride)
	u64 := func(v uint64) []byte { return binary.LittleEndian.AppendUint64(nil, v) }
	u32 := func(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }
	for _, c := range []struct {
		name   string
		offset int64
		value  []byte
		field  string
		at     int64
	}{
		{"offset of level 0", atOffsetLevel0, u64(8), "offsetLevel0", atOffsetLevel0},
		{"more elements than there is room for", atMaxElements, u64(59), "count", atCount},
		{"room for everything", atMaxElements, u64(1 << 60), "max_elements", atMaxElements},
		{"more elements than the file has", atCount, u64(68), "count", atCount},
		{"elements without end", atCount, u64(math.MaxUint64), "count", atCount},
		{"stride", atStride, u64(80), "stride", atStride},
		{"stride that overflows", atStride, u64(1 << 62), "stride", atStride},
		{"labels before vectors", atLabelOffset, u64(4), "label_offset", atLabelOffset},
		{"vectors without end", atLabelOffset, u64(1 << 40), "label_offset", atLabelOffset},
		{"vectors before links", atDataOffset, u64(4), "data_offset", atDataOffset},
		{"no level", atMaxLevel, u32(math.MaxUint32), "max_level", atMaxLevel},
		{"entry point past the end", atEntry, u32(60), "entry point", atEntry},
		{"maxM", atMaxM, u64(5), "maxM", atMaxM},
		{"maxM0", atMaxM0, u64(9), "maxM0", atMaxM0},
		{"M", atM, u64(1), "M", atM},
		{"mult", atMult, u64(math.Float64bits(math.NaN())), "mult", atMult},
		{"efConstruction", atEfConstruction, u64(0), "ef_construction", atEfConstruction},
		{"too many links", headerSize, []byte{links + 1}, "number of links", headerSize},
		{"link past the end", headerSize + 4, u32(60), "link", headerSize + 4},
		{"link to itself", headerSize + stride + 8, u32(1), "link", headerSize + stride + 8},
		{"flags", headerSize + 2, []byte{2}, "flags", headerSize + 2},
		{"the same label", headerSize + stride + 68, u64(0), "label", 0},
		{"lists of no length", upper, u32(3), "length of the upper lists", upper},
		{"lists past the end", upper, u32(1 << 30), "length of the upper lists", upper},
	} {
		b := readFixture(t, "l2")
		if c.name == "the same label" {
			copy(c.value, b[headerSize+68:]) // that of the element before
			c.at = c.offset
		}
		copy(b[c.offset:], c.value)
		_, err := Decode(context.Background(), bytes.NewReader(b), int64(len(b)), "memory", Options{FixedCapacity: true})
		var bad *format.Error
		if !errors.As(err, &bad) || bad.Field != c.field || bad.Offset != c.at || bad.File != "memory" {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

// A wrong link above level 0 is told with its place, which depends on the lists before it.
func TestUpperLinkIsLocated(t *testing.T) {
	b := readFixture(t, "l2")
	at := int64(headerSize + 60*76)
	const list = 4 + 4*4
	var place int64
	self := uint32(0)
	for id := uint32(0); place == 0; id++ {
		size := int64(binary.LittleEndian.Uint32(b[at:]))
		if size > 0 && binary.LittleEndian.Uint16(b[at+4:]) > 0 && id > 5 {
			place, self = at+4+listHead, id
		}
		at += 4 + size
	}
	binary.LittleEndian.PutUint32(b[place:], self)
	_, err := Decode(context.Background(), bytes.NewReader(b), int64(len(b)), "memory", Options{})
	var bad *format.Error
	if !errors.As(err, &bad) || bad.Offset != place || bad.Field != "link" {
		t.Errorf("got %v, the link is at %d in lists of %d bytes", err, place, list)
	}
}

func TestHugeRoomIsNotTaken(t *testing.T) {
	b := readFixture(t, "l2")
	binary.LittleEndian.PutUint64(b[atMaxElements:], 1<<60)
	x, err := Decode(context.Background(), bytes.NewReader(b), int64(len(b)), "memory", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if x.Capacity() > 2<<20 {
		t.Errorf("room for %d", x.Capacity())
	}
}

func TestWrongDimension(t *testing.T) {
	_, err := Read(context.Background(), fixturePath("l2"), Options{Dim: 9})
	var bad *format.Error
	if !errors.Is(err, vector.ErrDim) || !errors.As(err, &bad) {
		t.Errorf("got %v", err)
	}
}

func TestFlatDamage(t *testing.T) {
	b, err := os.ReadFile("testdata/l2.flat")
	if err != nil {
		t.Fatal(err)
	}
	for n := range b {
		_, err := DecodeFlat(context.Background(), bytes.NewReader(b[:n]), int64(n), "memory", Options{})
		var bad *format.Error
		if !errors.As(err, &bad) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	for i := range flatHeaderSize {
		b[i] ^= 0x80
		_, err := DecodeFlat(context.Background(), bytes.NewReader(b), int64(len(b)), "memory", Options{Dim: 3})
		if err == nil {
			t.Errorf("byte %d of the header: not seen", i)
		}
		b[i] ^= 0x80
	}
}
