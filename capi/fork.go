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

// Go's runtime doesn't survive fork: only the thread that forks goes on in the child. So entry.c calls goBeforeFork
// before each fork. It stops changes, and writes down where the memory of all indexes lies; the child finds that text
// in its own memory, loads the library afresh, and inherits the indexes: see shale_inheritance.

// patience is how long a fork waits for the changes of all indexes to pause. Those of one row take less than a
// millisecond; a file that is being written takes longer.
const patience = 2 * time.Second

// forkState describes all indexes of a process to the child that it forks off.
type forkState struct {
	Last    int64 // the last handle given out
	Indexes map[int64]indexState
}

// indexState describes an index to a child of fork: where its memory lies, or how to open it again.
type indexState struct {
	Memory *hnsw.Memory `json:",omitempty"`
	Graph  bool
	Next   uint64     // the next default label, of an index of hnswlib's kind
	Root   *rootState `json:",omitempty"` // of an index of the root package
	Error  string     `json:",omitempty"` // why the child can't have the index
}

// held ends what goBeforeFork began; one thread forks at a time.
var held []func()

//export goBeforeFork
func goBeforeFork() *C.char {
	var text []byte
	err := safely(func() (err error) {
		text, err = json.Marshal(freezeAll())
		return err
	})
	if err != nil {
		text, _ = json.Marshal(forkState{}) // of constants: can't fail
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

// freezeAll holds back changes of all indexes and describes them.
func freezeAll() forkState {
	table.mu.RLock()
	defer table.mu.RUnlock()
	s := forkState{Last: table.last, Indexes: make(map[int64]indexState)}
	deadline := time.Now().Add(patience)
	for h, o := range table.objects {
		x, ok := o.(*index)
		if !ok {
			continue
		}
		state, release, err := x.freeze(max(time.Until(deadline), time.Millisecond))
		if err != nil {
			s.Indexes[h] = indexState{Error: explainFork(err)}
			continue
		}
		held = append(held, release)
		s.Indexes[h] = state
	}
	return s
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
		var s indexState
		if err := json.Unmarshal([]byte(C.GoString(text)), &s); err != nil {
			return valueError("the description of an index: %v", err)
		}
		e, err := s.engine()
		if err != nil {
			return err
		}
		*out = addIndex(e)
		return nil
	})
}

// engine makes the index in the child.
func (s *indexState) engine() (engine, error) {
	switch {
	case s.Error != "":
		return nil, errors.New(s.Error)
	case s.Root != nil:
		return s.Root.engine(s.Memory)
	case s.Memory == nil:
		return nil, valueError("the description of an index names neither memory nor a path")
	case s.Graph:
		x, err := hnsw.IndexFromMemory(s.Memory)
		if err != nil {
			return nil, err
		}
		return &plain{memory: x, graph: x, next: s.Next}, nil
	}
	f, err := hnsw.FlatFromMemory(s.Memory)
	if err != nil {
		return nil, err
	}
	return &plain{memory: f, next: s.Next}, nil
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
