package main

/*
#include "entry.h"
#include "shale.h"
*/
import "C"

import (
	"bytes"
	"encoding/binary"
	"io"
	"sync"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"github.com/shale-search/shale/search"
)

// filter says which labels a search may return.
type filter struct {
	filter  *search.Filter
	mask    int         // values of a mask, one a label; -1 for other filters
	stopped atomic.Bool // by a callback
}

//export goFilterLabels
func goFilterLabels(labels *C.uint64_t, count C.int64_t, out *C.int64_t) status {
	return do(func() error {
		set := roaring64.New()
		set.AddMany(view[uint64](ptr(labels), count))
		*out = table.add(&filter{filter: search.FilterBitmap(set), mask: -1})
		return nil
	})
}

//export goFilterRange
func goFilterRange(first, last, step C.uint64_t, out *C.int64_t) status {
	return do(func() error {
		*out = table.add(&filter{filter: search.FilterRange(uint64(first), uint64(last), uint64(step)), mask: -1})
		return nil
	})
}

//export goFilterMask
func goFilterMask(mask *C.char, size C.int64_t, out *C.int64_t) status {
	return do(func() error {
		allowed := view[bool](ptr(mask), size)
		allow := search.FilterFunc(func(label uint64) bool { return label < uint64(len(allowed)) && allowed[label] })
		*out = table.add(&filter{filter: allow, mask: len(allowed)})
		return nil
	})
}

//export goFilterRoaring
func goFilterRoaring(data *C.char, size C.int64_t, bits C.int32_t, out *C.int64_t) status {
	return do(func() error {
		var in io.Reader = bytes.NewReader(view[byte](ptr(data), size))
		if bits == 32 { // one of 64 bits is the number of such bitmaps, then each after the upper half of its labels
			head := binary.LittleEndian.AppendUint64(nil, 1)
			in = io.MultiReader(bytes.NewReader(append(head, 0, 0, 0, 0)), in)
		}
		set := roaring64.New()
		if _, err := set.ReadFrom(in); err != nil {
			return valueError("the bitmap can't be read: %v", err)
		}
		*out = table.add(&filter{filter: search.FilterBitmap(set), mask: -1})
		return nil
	})
}

//export goFilterCallback
func goFilterCallback(allow C.shale_allow, answer *C.int32_t, out *C.int64_t) status {
	return do(func() error {
		c := &callback{allow: allow, answer: answer, known: make(map[uint64]bool)}
		c.filter.filter, c.filter.mask = search.FilterFunc(c.allows), -1
		*out = table.add(&c.filter)
		return nil
	})
}

// callback asks a C function, once for each label.
type callback struct {
	filter
	allow  C.shale_allow
	answer *C.int32_t
	mu     sync.Mutex
	known  map[uint64]bool
}

// allows asks about label. Once the function has failed all are allowed, so that the search ends soon.
func (c *callback) allows(label uint64) bool {
	if c.stopped.Load() {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if yes, ok := c.known[label]; ok {
		return yes
	}
	got := C.shale_ask(c.allow, C.uint64_t(label), c.answer)
	if got < 0 {
		c.stopped.Store(true)
		return true
	}
	c.known[label] = got != 0
	return got != 0
}
