// Package format has what the readers of index files share: an error that names the place in a file, a reader that
// counts its bytes, and limits on what a header may ask for.
package format

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/cpu"
)

// Error describes what is wrong with a file, and where.
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

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrBigEndian means that this machine can't use the arrays of index files as they are.
var ErrBigEndian = errors.New("index files are little-endian, and this machine is big-endian: not supported")

// CheckMachine returns ErrBigEndian if the machine's byte order isn't that of the files.
func CheckMachine() error {
	if cpu.IsBigEndian {
		return ErrBigEndian
	}
	return nil
}
