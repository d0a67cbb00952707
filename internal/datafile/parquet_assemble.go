package datafile

import (
	"errors"
	"fmt"
	"io"

	"github.com/shale-search/shale/internal/jsonobject"
)

// appendJSON appends the node's value in the current row. After an error about a value it goes on to the row's end, so
// that other columns aren't disturbed.
func (n *node) appendJSON(b []byte) ([]byte, error) {
	if n.repeated {
		return n.appendArray(b, n, n.appendOne)
	}
	return n.appendOne(b)
}

// appendOne appends one value of the node.
func (n *node) appendOne(b []byte) ([]byte, error) {
	e, err := n.first().entry()
	if err != nil {
		return b, err
	}
	if e.def < n.def {
		return append(b, "null"...), n.skip()
	}
	switch {
	case n.leaf != nil:
		return n.leaf.appendJSON(b)
	case n.list:
		return n.appendArray(b, n.children[0], n.element().elementJSON(n.children[0]))
	case n.mapping:
		return n.appendMap(b)
	}
	return n.appendObject(b)
}

// elementJSON returns the function that appends an element of a list whose repeated node is given.
func (n *node) elementJSON(repeated *node) func([]byte) ([]byte, error) {
	if n == repeated {
		return n.appendOne
	}
	return n.appendJSON
}

// appendArray appends the elements of a list, one for each value of the repeated node.
func (n *node) appendArray(b []byte, repeated *node, one func([]byte) ([]byte, error)) ([]byte, error) {
	b = append(b, '[')
	var wrong error
	some, err := repeated.each(func(i int) (err error) {
		if i > 0 {
			b = append(b, ',')
		}
		b, err = one(b)
		return keep(&wrong, err)
	})
	if err == nil && !some {
		err = repeated.skip() // the entry that stands for an empty list
	}
	return append(b, ']'), either(err, wrong)
}

// either returns err, or what is wrong with a value if it is nil.
func either(err, wrong error) error {
	if err != nil {
		return err
	}
	return wrong
}

// keep notes the first error about a value and lets the row go on; others are returned.
func keep(wrong *error, err error) error {
	var value *ValueError
	if !errors.As(err, &value) {
		return err
	}
	if *wrong == nil {
		*wrong = err
	}
	return nil
}

// each calls fn once for each value of a repeated node. It reports whether there is one.
func (n *node) each(fn func(i int) error) (some bool, err error) {
	e, err := n.first().entry()
	if err != nil || e.def < n.def {
		return false, err
	}
	for i := 0; ; i++ {
		if err := fn(i); err != nil {
			return true, err
		}
		e, err := n.first().entry()
		if errors.Is(err, io.EOF) || err == nil && e.rep < n.rep {
			return true, nil
		}
		if err != nil {
			return true, err
		}
	}
}

func (n *node) appendObject(b []byte) ([]byte, error) {
	b = append(b, '{')
	var wrong error
	for i, c := range n.children {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		b = append(jsonobject.AppendText(b, c.name), ':')
		b, err = c.appendJSON(b)
		if err = keep(&wrong, err); err != nil {
			return b, err
		}
	}
	return append(b, '}'), wrong
}

// appendMap appends an object of the pairs of a map. Keys that aren't texts become texts.
func (n *node) appendMap(b []byte) ([]byte, error) {
	pairs := n.children[0]
	b = append(b, '{')
	var wrong error
	some, err := pairs.each(func(i int) (err error) {
		if i > 0 {
			b = append(b, ',')
		}
		start := len(b)
		if b, err = pairs.children[0].appendJSON(b); err == nil && b[start] != '"' {
			b = jsonobject.AppendText(b[:start], string(b[start:]))
		}
		if err = keep(&wrong, err); err != nil {
			return err
		}
		b, err = pairs.children[1].appendJSON(append(b, ':'))
		return keep(&wrong, err)
	})
	if err == nil && !some {
		err = pairs.skip()
	}
	return append(b, '}'), either(err, wrong)
}

// appendFloats appends the numbers of column's list in the current row, whose elements l holds.
func (l *cells) appendFloats(f []float32, column *node) (_ []float32, there bool, err error) {
	e, err := l.entry()
	if err != nil {
		return f, false, err
	}
	if e.def < column.def && !column.repeated {
		return f, false, l.advance()
	}
	var wrong error
	for i := 0; ; i++ {
		switch {
		case e.def == l.node.def:
			f = append(f, l.float())
		case l.node.optional && e.def == l.node.def-1:
			wrong = &ValueError{column.name, fmt.Errorf("value %d is null", i)}
		}
		if i > maxDim {
			return f, true, l.src.bad(l.src.off, "row", "a list has more than %d values", maxDim)
		}
		if err := l.advance(); err != nil {
			return f, true, err
		}
		if e, err = l.entry(); errors.Is(err, io.EOF) || err == nil && e.rep < l.node.rep {
			return f, true, wrong
		}
		if err != nil {
			return f, true, err
		}
	}
}
