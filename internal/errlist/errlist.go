// Package fewerrors makes one error of many, which tells the first few.
package errlist

import (
	"errors"
	"fmt"
)

// most is the number of errors that are shown.
const most = 10

// List collects errors. The zero value is empty.
type List struct {
	shown []error
	n     int
}

// Add adds err unless it is nil.
func (l *List) Add(err error) {
	if err == nil {
		return
	}
	if l.n++; l.n <= most {
		l.shown = append(l.shown, err)
	}
}

// Len returns the number of errors added.
func (l *List) Len() int { return l.n }

// Err returns the first errors, joined, with the number of the others; nil if none was added.
func (l *List) Err() error {
	if l.n <= most {
		return errors.Join(l.shown...)
	}
	return errors.Join(append(l.shown[:most:most], fmt.Errorf("and %d more", l.n-most))...)
}
