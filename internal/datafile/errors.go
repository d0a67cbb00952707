package datafile

import (
	"errors"
	"fmt"

	"github.com/shale-search/shale/internal/format"
)

// ErrUnknownFormat means that neither the extension nor the first bytes of a file tell its format.
var ErrUnknownFormat = errors.New("unknown file format")

// ErrUnsupported means that a file is valid, but of a kind that this package doesn't read or write. It is an
// errors.ErrUnsupported.
var ErrUnsupported error = unsupported{}

type unsupported struct{}

func (unsupported) Error() string { return "not supported" }

func (unsupported) Is(target error) bool { return target == errors.ErrUnsupported }

// FormatError describes what is wrong with a file. Its File has the member of an archive after a colon, and its Offset
// is one in that member.
type FormatError = format.Error

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
