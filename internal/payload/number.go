package payload

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"reflect"
	"strconv"
)

// Number is a number of JSON, exact for whole numbers of up to 64 bits as well as for float64. Numbers that are equal
// have equal fields.
type Number struct {
	Float float64
	Rest  int16 // what a whole number has beyond Float: 2⁵³ + 1 is 2⁵³ and 1
}

// Compare returns -1, 0 or 1 as n is less than, equal to or greater than m.
func (n Number) Compare(m Number) int {
	if n.Float < m.Float {
		return -1
	}
	if n.Float > m.Float {
		return 1
	}
	return cmp.Compare(n.Rest, m.Rest)
}

// Key returns bits whose order, those of high first, is the order of numbers.
func (n Number) Key() (high uint64, low uint16) {
	high = math.Float64bits(n.Float)
	if high>>63 == 1 {
		high = ^high
	} else {
		high |= 1 << 63
	}
	return high, uint16(n.Rest) ^ 1<<15
}

// NumberOfKey returns the number of which Key returned these bits.
func NumberOfKey(high uint64, low uint16) Number {
	if high>>63 == 1 {
		high &^= 1 << 63
	} else {
		high = ^high
	}
	return Number{math.Float64frombits(high), int16(low ^ 1<<15)}
}

// JSON returns the number as JSON.
func (n Number) JSON() json.RawMessage {
	switch {
	case n.Float != math.Trunc(n.Float) || n.Float > 1<<64 || n.Float < -1<<63:
		b, err := json.Marshal(n.Float)
		if err != nil {
			return json.RawMessage("null") // no number of JSON
		}
		return b
	case n.Float < 0:
		return strconv.AppendInt(nil, -int64(uint64(-n.Float))+int64(n.Rest), 10)
	case n.Float == 1<<64:
		if n.Rest < 0 {
			return strconv.AppendUint(nil, -uint64(-int64(n.Rest)), 10)
		}
		return json.RawMessage("18446744073709551616")
	}
	return strconv.AppendUint(nil, uint64(n.Float)+uint64(int64(n.Rest)), 10)
}

func numberOfInt(i int64) Number {
	if i < 0 {
		n := numberOfUint(uint64(-i)) // right for the least one too
		return Number{-n.Float, -n.Rest}
	}
	return numberOfUint(uint64(i))
}

func numberOfUint(u uint64) Number {
	f := float64(u)
	if u < 1<<53 {
		return Number{Float: f}
	}
	if f == 1<<64 {
		return Number{f, int16(-int64(-u))}
	}
	return Number{f, int16(int64(u - uint64(f)))}
}

func numberOfFloat(f float64) Number {
	if f == 0 {
		f = 0 // of -0 too
	}
	return Number{Float: f}
}

// parseNumber reads a number of JSON.
func parseNumber(b []byte) (Number, bool) {
	if len(b) > 0 && len(b) < 16 {
		if n, ok := parseShortInt(b); ok {
			return n, true
		}
	}
	s := string(b)
	if bytes.ContainsAny(b, ".eE") {
		return parseFloat(s)
	}
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return numberOfInt(i), true
	}
	if u, err := strconv.ParseUint(s, 10, 64); err == nil {
		return numberOfUint(u), true
	}
	return parseFloat(s)
}

func parseFloat(s string) (Number, bool) {
	f, err := strconv.ParseFloat(s, 64)
	return numberOfFloat(f), err == nil && !math.IsInf(f, 0) && !math.IsNaN(f)
}

// parseShortInt reads a whole number of at most 15 digits.
func parseShortInt(b []byte) (Number, bool) {
	digits := b
	if b[0] == '-' {
		digits = b[1:]
	}
	if len(digits) == 0 {
		return Number{}, false
	}
	var i int64
	for _, d := range digits {
		if d < '0' || d > '9' {
			return Number{}, false
		}
		i = 10*i + int64(d-'0')
	}
	if len(digits) < len(b) {
		i = -i
	}
	return Number{Float: float64(i)}, true
}

// numberOf returns the number that a Go value is. A number that isn't finite is not ok.
func numberOf(v any) (n Number, ok bool) {
	if literal, ok := v.(json.Number); ok {
		return parseNumber([]byte(literal))
	}
	r := reflect.ValueOf(v)
	switch {
	case v == nil:
		return n, false
	case r.CanInt():
		return numberOfInt(r.Int()), true
	case r.CanUint():
		return numberOfUint(r.Uint()), true
	case r.CanFloat():
		f := r.Float()
		return numberOfFloat(f), !math.IsInf(f, 0) && !math.IsNaN(f)
	}
	return n, false
}
