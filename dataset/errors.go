package dataset

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUnknownFormat reports a file whose format neither its extension nor its first bytes tell.
var ErrUnknownFormat = errors.New("unknown file format")

// ErrUnsupported reports a file that is in order, but of a kind this package doesn't read or write.
var ErrUnsupported = errors.New("not supported")

// FormatError says what is wrong with a file, and where.
type FormatError struct {
	File   string // the path, with the member after a colon
	Offset int64  // the byte in the file, or in the member of an archive; −1 where there is no one place
	Field  string // the part of the format
	Reason string // what is wrong, and what to do about it
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

// Unwrap gives the cause.
func (e *FormatError) Unwrap() error { return e.Err }

// origin names the file in errors.
type origin struct{ file string }

func (o origin) bad(off int64, field, format string, args ...any) error {
	return &FormatError{File: o.file, Offset: off, Field: field, Reason: fmt.Sprintf(format, args...)}
}

func (o origin) caused(err error, off int64, field, format string, args ...any) error {
	return &FormatError{File: o.file, Offset: off, Field: field, Reason: fmt.Sprintf(format, args...), Err: err}
}

// guard turns a panic of a library on a bad file into an error. It is to be deferred.
func (o origin) guard(err *error, field string) {
	if p := recover(); p != nil {
		*err = o.caused(fmt.Errorf("%v", p), -1, field, "the file is damaged")
	}
}
