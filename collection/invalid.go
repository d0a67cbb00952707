package collection

import (
	"errors"
	"fmt"
)

// ErrInvalid reports an argument that can't be used: a vector of the wrong length, an unknown name, a limit that is
// exceeded. Nothing was changed. errors.Is finds it in the error of a call, whose text says what is wrong.
var ErrInvalid = errors.New("invalid argument")

// invalidError is an error that is ErrInvalid, without its text.
type invalidError struct{ err error }

func (e invalidError) Error() string        { return e.err.Error() }
func (e invalidError) Unwrap() error        { return e.err }
func (e invalidError) Is(target error) bool { return target == ErrInvalid }

// invalidf returns an error with a text as of fmt.Errorf that is ErrInvalid.
func invalidf(text string, args ...any) error { return invalidError{fmt.Errorf(text, args...)} }
