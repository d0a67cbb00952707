package main

/*
#include "shale.h"
*/
import "C"

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"

	"github.com/shale-search/shale/internal/store/hnswlib"
)

// An index.bin is a header, level 0, and each element's upper lists after their length in bytes. hnswlib's pickles hold
// the same parts apart, levels in the place of lengths.
const headSize = 96

// parts takes an index.bin that is written to it apart.
type parts struct {
	header, level0, lists []byte // filled from the start
	levels                []int32
	list                  int // bytes of one upper list
	count                 int
	level0Size, listsSize int
	pending               []byte // an incomplete header or length
	left                  int    // bytes left of the present element's lists
	elements              int    // whose upper lists began
}

func (p *parts) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		used, err := p.step(b)
		if err != nil {
			return 0, err
		}
		b = b[used:]
	}
	return n, nil
}

// step takes some of b and says how much.
func (p *parts) step(b []byte) (int, error) {
	switch {
	case p.header != nil:
		used := copy(p.header[len(p.pending):], b)
		if p.pending = p.header[:len(p.pending)+used]; len(p.pending) == headSize {
			p.begin()
		}
		return used, nil
	case p.left == 0 && p.elements == -1: // level 0 is over
		p.elements = 0
		return 0, nil
	case p.elements == -1:
		return p.put(&p.level0, b), nil
	case p.left == 0:
		return p.length(b)
	}
	return p.put(&p.lists, b), nil
}

// begin reads the sizes that follow from the header.
func (p *parts) begin() {
	p.count = int(binary.LittleEndian.Uint64(p.header[16:]))
	p.list = 4 + 4*int(binary.LittleEndian.Uint64(p.header[56:]))
	p.left = p.count * int(binary.LittleEndian.Uint64(p.header[24:]))
	p.level0Size, p.elements = p.left, -1
	p.header, p.pending = nil, nil
}

// put copies to the rest of a part as much as is left and there is room for.
func (p *parts) put(rest *[]byte, b []byte) int {
	used := min(len(b), p.left)
	*rest = (*rest)[copy(*rest, b[:used]):]
	p.left -= used
	return used
}

// length takes the bytes that tell how long an element's lists are.
func (p *parts) length(b []byte) (int, error) {
	used := min(4-len(p.pending), len(b))
	if p.pending = append(p.pending, b[:used]...); len(p.pending) < 4 {
		return used, nil
	}
	p.left = int(binary.LittleEndian.Uint32(p.pending))
	p.pending = p.pending[:0]
	p.listsSize += p.left
	if p.elements < len(p.levels) {
		p.levels[p.elements] = int32(p.left / p.list)
	}
	p.elements++
	return used, nil
}

//export goFileSize
func goFileSize(h C.int64_t, size *C.int64_t) status {
	return do(func() error {
		x, err := graphOf(h)
		if err != nil {
			return err
		}
		n, err := hnswlib.Size(x)
		*size = C.int64_t(n)
		return err
	})
}

//export goExport
func goExport(h C.int64_t, header, level0 *C.char, level0Size *C.int64_t, levels *C.int32_t, count *C.int64_t,
	lists *C.char, listsSize *C.int64_t) status {
	return do(func() error {
		x, err := graphOf(h)
		if err != nil {
			return err
		}
		p := &parts{
			header: view[byte](ptr(header), headSize), level0: view[byte](ptr(level0), *level0Size),
			lists: view[byte](ptr(lists), *listsSize), levels: view[int32](ptr(levels), *count),
		}
		if err := hnswlib.Encode(context.Background(), p, x); err != nil {
			return err
		}
		*level0Size, *count, *listsSize = C.int64_t(p.level0Size), C.int64_t(p.count), C.int64_t(p.listsSize)
		return nil
	})
}

//export goImport
func goImport(options, header, level0 *C.char, level0Size C.int64_t, levels *C.int32_t, lists *C.char,
	listsSize C.int64_t, out *C.int64_t) status {
	text := C.GoString(options)
	return do(func() error {
		n, err := decode[newOptions](text)
		if err != nil {
			return err
		}
		head := view[byte](ptr(header), headSize)
		count := binary.LittleEndian.Uint64(head[16:])
		n.Capacity = int(binary.LittleEndian.Uint64(head[8:]))
		o, err := n.hnswlib()
		if err != nil {
			return err
		}
		if count > uint64(level0Size) {
			return valueError("%d elements in %d bytes", count, int64(level0Size))
		}
		r := &joined{
			levels: view[int32](ptr(levels), C.int64_t(count)), lists: view[byte](ptr(lists), listsSize),
			list: 4 + 4*int(binary.LittleEndian.Uint64(head[56:])),
		}
		size := headSize + int64(level0Size) + int64(listsSize) + 4*int64(count)
		all := io.MultiReader(bytes.NewReader(head), bytes.NewReader(view[byte](ptr(level0), level0Size)), r)
		x, err := hnswlib.Decode(context.Background(), all, size, "the state of an index", o)
		if err != nil {
			return err
		}
		*out = addIndex(ofGraph(x))
		return nil
	})
}

// joined reads the end of an index.bin from its parts: each element's lists after their length.
type joined struct {
	levels []int32
	lists  []byte
	list   int
	buf    []byte // the present length and lists
}

func (j *joined) Read(b []byte) (int, error) {
	for len(j.buf) == 0 {
		if len(j.levels) == 0 {
			return 0, io.EOF
		}
		level := int(j.levels[0])
		if level < 0 || level > len(j.lists)/j.list {
			return 0, valueError("%d levels of lists, %d bytes are left", level, len(j.lists))
		}
		size := level * j.list
		j.buf = append(binary.LittleEndian.AppendUint32(nil, uint32(size)), j.lists[:size]...)
		j.levels, j.lists = j.levels[1:], j.lists[size:]
	}
	n := copy(b, j.buf)
	j.buf = j.buf[n:]
	return n, nil
}
