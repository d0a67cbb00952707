package datafile

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUnknownFormat means that neither the extension nor the first bytes of a file tell its format.
var ErrUnknownFormat = errors.New("unknown file format")

// ErrUnsupported means that a file is valid, but of a kind that this package doesn't read or write. It is an
// errors.ErrUnsupported.
var ErrUnsupported error = unsupported{}

type unsupported struct{}

func (unsupported) Error() string { return "not supported" }

func (unsupported) Is(target error) bool { return target == errors.ErrUnsupported }

// FormatError describes what is wrong with a file.
type FormatError struct {
	File   string // the path, with the member after a colon
	Offset int64  // in bytes, in the file or the member of an archive; −1 if the error isn't at one place
	Field  string // the part of the format, such as "dimension"
	Reason string // what is wrong and how to mend it
	Err    error  // the cause, or nil
}

func (e *FormatError) Error() string {
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
func (e *FormatError) Unwrap() error { return e.Err }

// origin is the file named in errors.
type origin struct{ file string }

func (o origin) bad(off int64, field, format string, args ...any) error {
	return &FormatError{File: o.file, Offset: off, Field: field, Reason: fmt.Sprintf(format, args...)}
}

func (o origin) caused(err error, off int64, field, format string, args ...any) error {
	return &FormatError{File: o.file, Offset: off, Field: field, Reason: fmt.Sprintf(format, args...), Err: err}
}

// guard turns a panic of a library on a bad file into an error. Callers defer it.
func (o origin) guard(err *error, field string) {
	if p := recover(); p != nil {
		*err = o.caused(fmt.Errorf("%v", p), -1, field, "the file is damaged")
	}
}
