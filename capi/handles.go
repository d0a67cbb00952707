package main

/*
#include "shale.h"
*/
import "C"

import (
	"fmt"
	"sync"
)

// handles names objects by numbers, none of which is ever used twice.
type handles struct {
	mu      sync.RWMutex
	last    int64
	objects map[int64]any
}

var table = handles{objects: make(map[int64]any)}

func (t *handles) add(object any) C.int64_t {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	t.objects[t.last] = object
	return C.int64_t(t.last)
}

func (t *handles) take(h C.int64_t) (any, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	object, ok := t.objects[int64(h)]
	delete(t.objects, int64(h))
	return object, ok
}

// replace puts an object in the place of another, if h names that.
func (t *handles) replace(h C.int64_t, old, new any) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.objects[int64(h)] != old {
		return false
	}
	t.objects[int64(h)] = new
	return true
}

// object is the T that h names.
func object[T any](h C.int64_t) (T, error) {
	table.mu.RLock()
	o, ok := table.objects[int64(h)]
	table.mu.RUnlock()
	if !ok {
		var none T
		return none, errNoObject
	}
	t, ok := o.(T)
	if !ok {
		return t, errOtherKind
	}
	return t, nil
}

//export goClose
func goClose(h C.int64_t) status {
	return do(func() error {
		o, ok := table.take(h)
		if !ok {
			return errNoObject
		}
		if c, ok := o.(interface{ Close() error }); ok {
			if err := c.Close(); err != nil {
				return fmt.Errorf("close: %w", err)
			}
		}
		return nil
	})
}
