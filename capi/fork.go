package main

/*
#include "shale.h"
*/
import "C"

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/shale-search/shale/internal/hnsw"
)

// Go's runtime doesn't survive fork: only the thread that forks goes on in the child. So entry.c calls goBeforeFork before
// each fork. It stops changes, and writes down where the memory of all indexes lies; the child finds that text in its own
// memory, loads the library afresh, and inherits the indexes: see shale_inheritance.

// patience is how long a fork waits for the changes of all indexes to pause. Those of one row take less than a millisecond;
// a file that is being written takes longer.
const patience = 2 * time.Second

// estate is what a child of fork inherits.
type estate struct {
	Last    int64 // handle
	Indexes map[int64]bequest
}

// bequest is one index.
type bequest struct {
	Memory *hnsw.Memory `json:",omitempty"`
	Graph  bool
	Next   uint64       // label, of one of hnswlib's kind
	Root   *rootBequest `json:",omitempty"` // of an index of the root package
	Error  string       `json:",omitempty"` // why there is none
}

// held ends what goBeforeFork began; one thread forks at a time.
var held []func()

//export goBeforeFork
func goBeforeFork() *C.char {
	var text []byte
	err := safely(func() (err error) {
		text, err = json.Marshal(writeDown())
		return err
	})
	if err != nil {
		text, _ = json.Marshal(estate{}) // of constants: can't fail
	}
	return C.CString(string(text))
}

//export goAfterFork
func goAfterFork() {
	for _, release := range held {
		release()
	}
	held = held[:0]
}

func writeDown() estate {
	table.mu.RLock()
	defer table.mu.RUnlock()
	e := estate{Last: table.last, Indexes: make(map[int64]bequest)}
	deadline := time.Now().Add(patience)
	for h, o := range table.objects {
		x, ok := o.(*index)
		if !ok {
			continue
		}
		b, release, err := x.leave(max(time.Until(deadline), time.Millisecond))
		if err != nil {
			e.Indexes[h] = bequest{Error: explainFork(err)}
			continue
		}
		held = append(held, release)
		e.Indexes[h] = b
	}
	return e
}

func explainFork(err error) string {
	if errors.Is(err, hnsw.ErrChanging) {
		return "the index was being changed while this process was forked off, and can't be used in it"
	}
	return err.Error()
}

//export goInherit
func goInherit(text *C.char, out *C.int64_t) status {
	return do(func() error {
		var b bequest
		if err := json.Unmarshal([]byte(C.GoString(text)), &b); err != nil {
			return valueError("what an index left: %v", err)
		}
		e, err := b.engine()
		if err != nil {
			return err
		}
		*out = addIndex(e)
		return nil
	})
}

// engine returns the index in the child.
func (b *bequest) engine() (engine, error) {
	switch {
	case b.Error != "":
		return nil, errors.New(b.Error)
	case b.Root != nil:
		return b.Root.inherit(b.Memory)
	case b.Memory == nil:
		return nil, valueError("the index left nothing")
	case b.Graph:
		x, err := hnsw.IndexFromMemory(b.Memory)
		if err != nil {
			return nil, err
		}
		return &plain{memory: x, graph: x, next: b.Next}, nil
	}
	f, err := hnsw.FlatFromMemory(b.Memory)
	if err != nil {
		return nil, err
	}
	return &plain{memory: f, next: b.Next}, nil
}

//export goHandlesAfter
func goHandlesAfter(last C.int64_t) status {
	return do(func() error {
		table.mu.Lock()
		defer table.mu.Unlock()
		table.last = max(table.last, int64(last))
		return nil
	})
}
