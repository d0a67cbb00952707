package main

/*
#include "shale.h"
*/
import "C"

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/shale-search/shale"
)

// text is a report for the caller.
type text []byte

func (t text) bytes() []byte { return t }

// report makes a text of a report.
func report(r any, out *C.int64_t) error {
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	*out = table.add(text(b))
	return nil
}

//export goText
func goText(h C.int64_t, out *C.char, size *C.int64_t) status {
	return do(func() error {
		t, err := object[interface{ bytes() []byte }](h)
		if err != nil {
			return err
		}
		copy(view[byte](ptr(out), *size), t.bytes())
		*size = C.int64_t(len(t.bytes()))
		return nil
	})
}

// progress is how far a build is.
type progress struct {
	mu          sync.Mutex
	step        string
	done, total int
}

func (p *progress) set(step string, done, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step, p.done, p.total = step, done, total
}

// progressOf is that of a handle, or one that nobody looks at.
func progressOf(h C.int64_t) (*progress, error) {
	if h == 0 {
		return new(progress), nil
	}
	return object[*progress](h)
}

//export goProgressNew
func goProgressNew(out *C.int64_t) status {
	*out = table.add(new(progress))
	return C.SHALE_OK
}

//export goProgress
func goProgress(h C.int64_t, step *C.char, size C.int64_t, done, total *C.int64_t) status {
	return do(func() error {
		p, err := object[*progress](h)
		if err != nil {
			return err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if name := view[byte](ptr(step), size); len(name) > 0 {
			name[copy(name[:len(name)-1], p.step)] = 0
		}
		*done, *total = C.int64_t(p.done), C.int64_t(p.total)
		return nil
	})
}

// rootInfo is shale.Info and whether the index can be changed.
type rootInfo struct {
	shale.Info
	Changeable bool `json:"changeable"`
}

//export goInfo
func goInfo(h C.int64_t, out *C.int64_t) status {
	return do(func() error {
		x, err := ability[*rooted](h)
		if err != nil {
			return err
		}
		info, err := x.Info()
		if err != nil {
			return err
		}
		return report(rootInfo{info, x.stat().changeable}, out)
	})
}
