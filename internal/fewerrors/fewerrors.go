// Package fewerrors makes one error of many, which tells the first few.
package fewerrors

import (
	"errors"
	"fmt"
)

// most is the number of errors that are told.
const most = 10

// List is what went wrong so far. The zero value holds nothing.
type List struct {
	told []error
	n    int
}

// Add adds err unless it is nil.
func (l *List) Add(err error) {
	if err == nil {
		return
	}
	if l.n++; l.n <= most {
		l.told = append(l.told, err)
	}
}

// Len is the number of errors added.
func (l *List) Len() int { return l.n }

// Err is the first errors and the number of the others, or nil if none was added.
func (l *List) Err() error {
	if l.n <= most {
		return errors.Join(l.told...)
	}
	return errors.Join(append(l.told[:most:most], fmt.Errorf("and %d more", l.n-most))...)
}
