package datafile

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/parquet-go/parquet-go/encoding/thrift"
)

// The kinds of values in Thrift's compact protocol.
const (
	thriftStop = iota
	thriftTrue
	thriftFalse
	thriftByte
	thriftI16
	thriftI32
	thriftI64
	thriftDouble
	thriftBinary
	thriftList
	thriftSet
	thriftMap
	thriftStruct
)

var errThrift = errors.New("the Thrift metadata is damaged")

// decodeThrift decodes the structure at the start of b to v and returns its length. The library takes the lengths of
// lists and strings on trust, so that they are all walked first.
func decodeThrift(b []byte, v any) (int, error) {
	w := thriftWalker{b: b}
	if err := w.structure(0); err != nil {
		return 0, err
	}
	n := len(b) - len(w.b)
	protocol := new(thrift.CompactProtocol)
	return n, thrift.Unmarshal(protocol, b[:n], v)
}

// thriftWalker passes over encoded values and checks that they are all there.
type thriftWalker struct{ b []byte }

// maxThriftDepth is more than Parquet's metadata nests.
const maxThriftDepth = 32

func (w *thriftWalker) structure(depth int) error {
	for {
		head, err := w.next()
		if err != nil {
			return err
		}
		kind := head & 0xf
		if head == thriftStop {
			return nil
		}
		if head>>4 == 0 { // the field's number follows, where it isn't a small step from the last
			if _, err := w.uvarint(); err != nil {
				return err
			}
		}
		if kind == thriftTrue || kind == thriftFalse {
			continue // a field's boolean lies in its kind
		}
		if err := w.value(kind, depth+1); err != nil {
			return err
		}
	}
}

func (w *thriftWalker) value(kind byte, depth int) error {
	if depth > maxThriftDepth {
		return errThrift
	}
	switch kind {
	case thriftTrue, thriftFalse, thriftByte:
		return w.skip(1)
	case thriftI16, thriftI32, thriftI64:
		_, err := w.uvarint()
		return err
	case thriftDouble:
		return w.skip(8)
	case thriftBinary:
		n, err := w.uvarint()
		if err != nil {
			return err
		}
		return w.skip(n)
	case thriftList, thriftSet:
		return w.list(depth)
	case thriftMap:
		return w.mapping(depth)
	case thriftStruct:
		return w.structure(depth)
	}
	return errThrift
}

func (w *thriftWalker) list(depth int) error {
	head, err := w.next()
	if err != nil {
		return err
	}
	n := uint64(head >> 4)
	if n == 15 {
		if n, err = w.uvarint(); err != nil {
			return err
		}
	}
	return w.repeat(n, depth, head&0xf)
}

func (w *thriftWalker) mapping(depth int) error {
	n, err := w.uvarint()
	if err != nil || n == 0 {
		return err
	}
	kinds, err := w.next()
	if err != nil {
		return err
	}
	return w.repeat(n, depth, kinds>>4, kinds&0xf)
}

// repeat passes over n times values of the kinds; each takes a byte or more.
func (w *thriftWalker) repeat(n uint64, depth int, kinds ...byte) error {
	if n > uint64(len(w.b)) {
		return io.ErrUnexpectedEOF
	}
	for range n {
		for _, kind := range kinds {
			if err := w.value(kind, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *thriftWalker) next() (byte, error) {
	if len(w.b) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	c := w.b[0]
	w.b = w.b[1:]
	return c, nil
}

func (w *thriftWalker) uvarint() (uint64, error) {
	v, n := binary.Uvarint(w.b)
	if n == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	if n < 0 {
		return 0, errThrift
	}
	w.b = w.b[n:]
	return v, nil
}

func (w *thriftWalker) skip(n uint64) error {
	if n > uint64(len(w.b)) {
		return io.ErrUnexpectedEOF
	}
	w.b = w.b[n:]
	return nil
}
