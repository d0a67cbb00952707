// Package format holds what the readers of index files share: the error that names a place in a file, a reader that
// keeps count of its bytes, and the limits on what a header may ask for.
package format

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/cpu"
)

// Error says what is wrong with a file, and where.
type Error struct {
	File   string // its path, or what else is known of it
	Offset int64  // byte in the file; −1 where there is no one place
	Field  string // part of the format
	Reason string // what is wrong, and what to do about it
	Err    error  // the cause, or nil
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.File, e.Field)
	if e.Offset >= 0 {
		fmt.Fprintf(&b, " at byte %d", e.Offset)
	}
	fmt.Fprintf(&b, ": %s", e.Reason)
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrBigEndian reports a machine that can't use the files' arrays as they are.
var ErrBigEndian = errors.New("index files are little-endian, and this machine is big-endian: not supported")

// CheckMachine gives ErrBigEndian on a machine whose byte order isn't the files'.
func CheckMachine() error {
	if cpu.IsBigEndian {
		return ErrBigEndian
	}
	return nil
}
