package mmap

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// FaultError reports mapped memory that couldn't be read: its file was cut off, is damaged, or lies on a disk that fails.
type FaultError struct{ Err runtime.Error }

func (e *FaultError) Error() string {
	return fmt.Sprintf("a mapped file can't be read, or isn't what it was when it was opened: %v", e.Err)
}

// Unwrap gives the cause.
func (e *FaultError) Unwrap() error { return e.Err }

// Guard lets faults of mapped memory become panics in this goroutine, which Catch makes errors of:
//
//	defer mmap.Catch(mmap.Guard(), &err)
func Guard() bool { return debug.SetPanicOnFault(true) }

// Catch ends what Guard began and turns a fault, or an index out of range by a number that was read from a mapping, into
// an error.
func Catch(before bool, err *error) {
	debug.SetPanicOnFault(before)
	switch e := recover().(type) {
	case nil:
	case runtime.Error:
		*err = &FaultError{e}
	default:
		panic(e)
	}
}
