package datafile

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"github.com/shale-search/shale/internal/floats"
	"github.com/shale-search/shale/internal/jsonobject"
)

// meaning is what the values of a column stand for.
type meaning int

const (
	plainNumber meaning = iota
	plainText
	boolean
	jsonText
	uuidBytes
	decimal
	date
	timeOfDay
	timestamp
	unknown
)

// cellKind says how the values of a column are stored and what they stand for.
type cellKind struct {
	physical format.Type
	size     int   // bytes of a value; 0: they differ
	stored   dtype // of numbers
	meaning
	unit  time.Duration // of times
	scale int32         // of decimals
}

// kindOf returns the kind of a column.
func kindOf(e format.SchemaElement) cellKind {
	k := cellKind{meaning: plainText}
	k.physical, _ = e.Type.Get()
	switch k.physical {
	case format.Boolean:
		k.size, k.meaning = 1, boolean
	case format.Int32, format.Float:
		k.size, k.meaning = 4, plainNumber
	case format.Int64, format.Double:
		k.size, k.meaning = 8, plainNumber
	case format.Int96:
		k.size, k.meaning = 12, timestamp
	case format.FixedLenByteArray:
		n, _ := e.TypeLength.Get()
		k.size = int(n)
	}
	k.stored = elementType(e)
	if k.physical == format.FixedLenByteArray && (k.size < 1 || k.size > maxDim) {
		k.size, k.meaning = 1, unknown
		return k
	}
	k.interpret(e)
	return k
}

// interpret takes what a column's values stand for from the schema.
func (k *cellKind) interpret(e format.SchemaElement) {
	whole := k.physical == format.Int32 || k.physical == format.Int64
	texts := k.physical == format.ByteArray
	converted, _ := e.ConvertedType.Get()
	old := e.ConvertedType.Valid && e.LogicalType.Value == nil
	switch logical := e.LogicalType.Value.(type) {
	case *format.TimestampType:
		k.setTime(whole, timestamp, logical.Unit)
	case *format.TimeType:
		k.setTime(whole, timeOfDay, logical.Unit)
	case *format.DateType:
		k.set(whole, date)
	case *format.DecimalType:
		k.set(whole || texts || k.physical == format.FixedLenByteArray, decimal)
		k.scale = logical.Scale
	case *format.JsonType:
		k.set(texts, jsonText)
	case *format.UUIDType:
		k.set(k.size == 16, uuidBytes)
	case *format.Float16Type:
		k.set(k.size == 2, plainNumber)
	}
	switch {
	case !old:
	case converted == deprecated.TimestampMillis && whole:
		k.meaning, k.unit = timestamp, time.Millisecond
	case converted == deprecated.TimestampMicros && whole:
		k.meaning, k.unit = timestamp, time.Microsecond
	case converted == deprecated.TimeMillis && whole:
		k.meaning, k.unit = timeOfDay, time.Millisecond
	case converted == deprecated.TimeMicros && whole:
		k.meaning, k.unit = timeOfDay, time.Microsecond
	case converted == deprecated.Date && whole:
		k.meaning = date
	case converted == deprecated.Json && texts:
		k.meaning = jsonText
	case converted == deprecated.Decimal:
		k.meaning = decimal
		k.scale, _ = e.Scale.Get()
	}
}

// set is what values stand for if their physical type suits.
func (k *cellKind) set(suits bool, m meaning) {
	k.meaning = m
	if !suits {
		k.meaning = unknown
	}
}

func (k *cellKind) setTime(suits bool, m meaning, unit format.TimeUnit) {
	k.set(suits && unit.Value != nil, m)
	if unit.Value != nil {
		k.unit = unit.Value.Duration()
	}
}

// number reports whether values can be those of a vector.
func (l *cells) number() bool { return l.kind.meaning == plainNumber && l.kind.stored.kind != 0 }

func isList(e format.SchemaElement) bool {
	_, list := e.LogicalType.Value.(*format.ListType)
	c, old := e.ConvertedType.Get()
	return list || old && c == deprecated.List
}

func isMap(e format.SchemaElement) bool {
	_, mapping := e.LogicalType.Value.(*format.MapType)
	c, old := e.ConvertedType.Get()
	return mapping || old && (c == deprecated.Map || c == deprecated.MapKeyValue)
}

// appendJSON appends the value that comes next, and goes on.
func (l *cells) appendJSON(b []byte) ([]byte, error) {
	b, err := l.kind.appendJSON(b, l.values.text(l.value, l.kind.size))
	if err != nil {
		err = &ValueError{l.src.leaf.column(), err}
	}
	if len(b) > freePage {
		return b, l.src.bad(l.src.off, "row", "a value has more than %d bytes", freePage)
	}
	return b, either(l.advance(), err)
}

// appendJSON appends a value as JSON.
func (k *cellKind) appendJSON(b, raw []byte) ([]byte, error) {
	switch k.meaning {
	case plainNumber:
		return k.appendNumber(b, raw)
	case boolean:
		return strconv.AppendBool(b, raw[0] != 0), nil
	case plainText:
		if !utf8.Valid(raw) {
			return b, errors.New("it isn't valid UTF-8: payloads hold texts, not bytes")
		}
		return jsonobject.AppendText(b, string(raw)), nil
	case jsonText:
		if !json.Valid(raw) {
			return b, errors.New("it isn't valid JSON")
		}
		return append(b, raw...), nil
	case uuidBytes:
		return appendUUID(b, raw), nil
	case decimal:
		return k.appendDecimal(b, raw), nil
	case date, timeOfDay, timestamp:
		return k.appendTime(b, raw)
	}
	return b, errors.New("values of this type aren't read")
}

func (k *cellKind) appendNumber(b, raw []byte) ([]byte, error) {
	if k.stored.integer() {
		v, negative := k.stored.integerAt(raw)
		if negative {
			return strconv.AppendInt(b, int64(v), 10), nil
		}
		return strconv.AppendUint(b, v, 10), nil
	}
	f, bits := 0.0, 64
	switch k.size {
	case 2:
		f, bits = float64(floats.FromHalf(binary.LittleEndian.Uint16(raw))), 32
	case 4:
		f, bits = float64(math.Float32frombits(binary.LittleEndian.Uint32(raw))), 32
	case 8:
		f = math.Float64frombits(binary.LittleEndian.Uint64(raw))
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return b, errors.New("it is no finite number, and JSON has no others")
	}
	return strconv.AppendFloat(b, f, 'g', -1, bits), nil
}

func appendUUID(b, raw []byte) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	for i, x := range raw {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			b = append(b, '-')
		}
		b = append(b, digits[x>>4], digits[x&15])
	}
	return append(b, '"')
}

// appendDecimal appends a decimal as a number with all of its digits.
func (k *cellKind) appendDecimal(b, raw []byte) []byte {
	n := new(big.Int)
	if k.physical == format.Int32 || k.physical == format.Int64 {
		v, _ := dtype{kind: 'i', size: k.size}.integerAt(raw)
		n.SetInt64(int64(v))
	} else {
		n.SetBytes(raw)
		if len(raw) > 0 && raw[0] >= 0x80 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(raw))))
		}
	}
	digits := new(big.Int).Abs(n).String()
	if scale := int(min(max(k.scale, 0), 1000)); scale > 0 {
		digits = strings.Repeat("0", max(0, scale+1-len(digits))) + digits
		digits = digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
	}
	if n.Sign() < 0 {
		b = append(b, '-')
	}
	return append(b, digits...)
}

// appendTime appends a date or a time as RFC 3339 has it.
func (k *cellKind) appendTime(b, raw []byte) ([]byte, error) {
	var t time.Time
	layout := time.RFC3339Nano
	if k.physical == format.Int96 {
		const julian1970 = 2440588
		days := int64(binary.LittleEndian.Uint32(raw[8:])) - julian1970
		t = time.Unix(days*86400, int64(binary.LittleEndian.Uint64(raw)%uint64(24*time.Hour))).UTC()
	} else {
		v, _ := dtype{kind: 'i', size: k.size}.integerAt(raw)
		n := int64(v)
		switch k.meaning {
		case date:
			if n > 1<<40 || n < -1<<40 {
				return b, errors.New("the date is out of range")
			}
			t, layout = time.Unix(n*86400, 0).UTC(), time.DateOnly
		default:
			perSecond := int64(time.Second / k.unit)
			t = time.Unix(n/perSecond, n%perSecond*int64(k.unit)).UTC()
			if k.meaning == timeOfDay {
				layout = "15:04:05.999999999"
			}
		}
	}
	if t.Year() < 0 || t.Year() > 9999 {
		return b, errors.New("the date is out of range")
	}
	b = append(b, '"')
	return append(t.AppendFormat(b, layout), '"'), nil
}
