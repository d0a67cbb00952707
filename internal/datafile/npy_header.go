package datafile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// npyMagic begins every npy file. github.com/sbinet/npyio isn't used for these: it takes the header's length on trust,
// has neither halves nor version 3, and reads arrays whole.
const npyMagic = "\x93NUMPY"

// maxNpyHeader bounds the header's text. Only structured types, which hold no vectors, come near it.
const maxNpyHeader = 1 << 20

// npyHeader is what an npy file says of its array.
type npyHeader struct {
	dt      dtype
	fortran bool
	shape   []int64
	size    int64 // of the header, in bytes
}

// bytes is the size of the array.
func (h npyHeader) bytes() (int64, error) {
	n := int64(h.dt.size)
	for _, d := range h.shape {
		if d != 0 && n > math.MaxInt64/d {
			return 0, fmt.Errorf("shape %v is larger than any file", h.shape)
		}
		n *= d
	}
	return n, nil
}

// readNpyHeader reads a header from the start of r, which holds limit bytes.
func readNpyHeader(o origin, r io.Reader, limit int64) (npyHeader, error) {
	var fixed [12]byte
	if _, err := io.ReadFull(r, fixed[:10]); err != nil {
		return npyHeader{}, o.caused(unexpected(err), 0, "header", "the file ends within it")
	}
	if string(fixed[:6]) != npyMagic {
		return npyHeader{}, o.bad(0, "magic", "%q is not that of an npy file: check the extension", fixed[:6])
	}
	length, size := int64(binary.LittleEndian.Uint16(fixed[8:])), int64(10)
	switch fixed[6] {
	case 1:
	case 2, 3:
		if _, err := io.ReadFull(r, fixed[10:]); err != nil {
			return npyHeader{}, o.caused(unexpected(err), 10, "header", "the file ends within it")
		}
		length, size = int64(binary.LittleEndian.Uint32(fixed[8:])), 12
	default:
		return npyHeader{}, o.bad(6, "version", "%d.%d is none of 1, 2 and 3", fixed[6], fixed[7])
	}
	if length > min(limit-size, maxNpyHeader) {
		return npyHeader{}, o.bad(8, "header length", "%d bytes, but the file has %d and a header at most %d",
			length, limit, maxNpyHeader)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return npyHeader{}, o.caused(unexpected(err), size, "header", "the file ends within it")
	}
	h, err := parseNpyHeader(string(text))
	if err != nil {
		return npyHeader{}, o.caused(err, size, "header", "can't be used")
	}
	h.size = size + length
	return h, nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// parseNpyHeader reads a Python dictionary with the keys descr, fortran_order and shape.
func parseNpyHeader(text string) (h npyHeader, err error) {
	p := literal{rest: text}
	seen := map[string]bool{}
	p.expect("{")
	for p.err == nil && !p.accept("}") {
		key := p.quoted()
		p.expect(":")
		if seen[key] {
			return h, fmt.Errorf("key %q comes twice", key)
		}
		seen[key] = true
		switch key {
		case "descr":
			h.dt = p.descr()
		case "fortran_order":
			h.fortran = p.boolean()
		case "shape":
			h.shape = p.tuple()
		default:
			p.fail("unknown key %q", key)
		}
		if !p.accept(",") {
			p.expect("}")
			break
		}
	}
	switch {
	case p.err != nil:
		return h, p.err
	case len(seen) != 3:
		return h, errors.New("one of the keys descr, fortran_order and shape is missing")
	case strings.TrimSpace(p.rest) != "":
		return h, fmt.Errorf("%.20q follows the dictionary", p.rest)
	}
	return h, nil
}

// literal reads the parts of a Python literal; after the first failure it reads nothing more.
type literal struct {
	rest string
	err  error
}

func (p *literal) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
	p.rest = ""
}

// accept skips white space and token, where it comes next.
func (p *literal) accept(token string) bool {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	rest, ok := strings.CutPrefix(p.rest, token)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *literal) expect(token string) {
	if !p.accept(token) {
		p.fail("%.20q stands where %q should", p.rest, token)
	}
}

func (p *literal) quoted() string {
	for _, quote := range []string{"'", `"`} {
		if p.accept(quote) {
			s, rest, ok := strings.Cut(p.rest, quote)
			if !ok {
				p.fail("a string has no end")
				return ""
			}
			p.rest = rest
			return s
		}
	}
	p.fail("%.20q stands where a string should", p.rest)
	return ""
}

func (p *literal) boolean() bool {
	if p.accept("True") {
		return true
	}
	p.expect("False")
	return false
}

// tuple reads a shape: (), (3,) or (3, 4).
func (p *literal) tuple() []int64 {
	const maxAxes = 32 // numpy has no more
	var shape []int64
	p.expect("(")
	for p.err == nil && !p.accept(")") {
		p.accept("")
		end := 0
		for end < len(p.rest) && p.rest[end] >= '0' && p.rest[end] <= '9' {
			end++
		}
		n, err := strconv.ParseInt(p.rest[:end], 10, 64)
		if err != nil || len(shape) == maxAxes {
			p.fail("the shape at %.20q is no list of at most %d sizes", p.rest, maxAxes)
			return nil
		}
		p.rest = p.rest[end:]
		p.accept("L") // Python 2 wrote long integers so
		shape = append(shape, n)
		if !p.accept(",") {
			p.expect(")")
			break
		}
	}
	return shape
}

// descr reads an element type, like '<f4'.
func (p *literal) descr() dtype {
	if p.accept("[") {
		p.fail("the array has named fields: save the one that holds the values")
		return dtype{}
	}
	s := p.quoted()
	if p.err != nil {
		return dtype{}
	}
	d := dtype{}
	rest := s
	if rest != "" && strings.ContainsRune("<>|=", rune(rest[0])) {
		d.big = rest[0] == '>'
		rest = rest[1:]
	}
	if len(rest) == 2 && strings.ContainsRune("fiub", rune(rest[0])) {
		d.kind, d.size = rest[0], int(rest[1]-'0')
	}
	if d.big = d.big && d.size > 1; !d.known() {
		p.fail("elements of type %q: save the array with astype(float32) or as integers", s)
	}
	return d
}

func (d dtype) known() bool {
	switch d.kind {
	case 'f':
		return d.size == 2 || d.size == 4 || d.size == 8
	case 'i', 'u':
		return d.size == 1 || d.size == 2 || d.size == 4 || d.size == 8
	}
	return d.kind == 'b' && d.size == 1
}

// npyHeaderSize is the size of the headers written. It has room for any shape, so that the count of rows can be filled
// in at the end.
const npyHeaderSize = 128

// encodeNpyHeader makes a header of npyHeaderSize bytes.
func encodeNpyHeader(descr string, shape ...int) []byte {
	dims := make([]string, len(shape))
	for i, n := range shape {
		dims[i] = strconv.Itoa(n)
	}
	list := strings.Join(dims, ", ")
	if len(shape) == 1 {
		list += ","
	}
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, list)
	b := append(make([]byte, 0, npyHeaderSize), npyMagic+"\x01\x00"...)
	b = binary.LittleEndian.AppendUint16(b, npyHeaderSize-10)
	b = append(b, text...)
	for len(b) < npyHeaderSize-1 {
		b = append(b, ' ')
	}
	return append(b, '\n')
}
