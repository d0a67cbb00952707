package datafile

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/shale-search/shale/internal/floats"
	"github.com/shale-search/shale/vector"
)

// dtype is the type of a file's elements.
type dtype struct {
	kind byte // 'f' float, 'i' signed, 'u' unsigned, 'b' boolean
	size int
	big  bool // big-endian
}

func (d dtype) String() string {
	order := ""
	if d.big {
		order = "big-endian "
	}
	return fmt.Sprintf("%s%c%d", order, d.kind, d.size)
}

// dtypeOf is how files hold elements of type t.
func dtypeOf(t vector.Type) dtype {
	switch t {
	case vector.Float32:
		return dtype{kind: 'f', size: 4}
	case vector.Float16:
		return dtype{kind: 'f', size: 2}
	case vector.Int8:
		return dtype{kind: 'i', size: 1}
	default:
		return dtype{kind: 'u', size: 1}
	}
}

// vectorType is the type that vectors of d are read as; doubles become Float32, since that is what distances are
// computed in.
func (d dtype) vectorType() (vector.Type, bool) {
	switch {
	case d.kind == 'f' && (d.size == 8 || d.size == 4):
		return vector.Float32, true
	case d.kind == 'f' && d.size == 2:
		return vector.Float16, true
	case d.kind == 'i' && d.size == 1:
		return vector.Int8, true
	case d.kind == 'u' && d.size == 1:
		return vector.Uint8, true
	}
	return 0, false
}

func (d dtype) integer() bool { return d.kind == 'i' || d.kind == 'u' }

// native tells whether d's bytes are those of its vector type.
func (d dtype) native() bool { return !d.big && d.size < 8 }

func (d dtype) order() binary.ByteOrder {
	if d.big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// convert writes raw's elements as little-endian ones of d's vector type to dst.
func (d dtype) convert(dst, raw []byte) {
	order := d.order()
	switch d.size {
	case 8:
		for i := 0; i < len(raw); i += 8 {
			v := float32(math.Float64frombits(order.Uint64(raw[i:])))
			binary.LittleEndian.PutUint32(dst[i/2:], math.Float32bits(v))
		}
	case 4:
		for i := 0; i < len(raw); i += 4 {
			binary.LittleEndian.PutUint32(dst[i:], order.Uint32(raw[i:]))
		}
	case 2:
		for i := 0; i < len(raw); i += 2 {
			binary.LittleEndian.PutUint16(dst[i:], order.Uint16(raw[i:]))
		}
	default:
		copy(dst, raw)
	}
}

// floats decodes raw's elements to dst.
func (d dtype) floats(dst []float32, raw []byte) {
	switch {
	case d.size == 4 && !d.big:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
	case d.size == 4:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.BigEndian.Uint32(raw[4*i:]))
		}
	case d.size == 8:
		order := d.order()
		for i := range dst {
			dst[i] = float32(math.Float64frombits(order.Uint64(raw[8*i:])))
		}
	case d.size == 2:
		order := d.order()
		for i := range dst {
			dst[i] = floats.FromHalf(order.Uint16(raw[2*i:]))
		}
	case d.kind == 'i':
		for i := range dst {
			dst[i] = float32(int8(raw[i]))
		}
	default:
		for i := range dst {
			dst[i] = float32(raw[i])
		}
	}
}

// integerAt decodes the integer at the start of raw; negative ones come as their two's complement with neg set.
func (d dtype) integerAt(raw []byte) (v uint64, neg bool) {
	order := d.order()
	switch d.size {
	case 8:
		v = order.Uint64(raw)
	case 4:
		v = uint64(order.Uint32(raw))
	case 2:
		v = uint64(order.Uint16(raw))
	default:
		v = uint64(raw[0])
	}
	if d.kind == 'i' {
		shift := 64 - 8*d.size
		s := int64(v<<shift) >> shift
		return uint64(s), s < 0
	}
	return v, false
}
