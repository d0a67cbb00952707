package mmap

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// FaultError reports mapped memory that couldn't be read, because its file was cut off or its disk fails.
type FaultError struct{ Err runtime.Error }

func (e *FaultError) Error() string {
	return fmt.Sprintf("a mapped file can't be read, or isn't what it was when it was opened: %v", e.Err)
}

// Unwrap returns the cause.
func (e *FaultError) Unwrap() error { return e.Err }

// Guard lets faults of mapped memory become panics in this goroutine, which Catch makes errors of:
//
//	defer mmap.Catch(mmap.Guard(), &err)
func Guard() bool { return debug.SetPanicOnFault(true) }

// Catch ends the effect of Guard. It turns a fault, or an index out of range that came from a number in a mapping, into
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
