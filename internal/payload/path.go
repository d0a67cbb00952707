package payload

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Path leads to a field of a payload.
type Path struct {
	steps []step
	slot  int // place of the first name among the Matcher's
}

// step is a name of an object's member, or an element of an array, or all of them.
type step struct {
	name    string
	element int // of an array, if it isn't a name; allElements: each
}

const (
	isName      = -2
	allElements = -1
	mostSteps   = 100
)

// ParsePath reads a key as Condition describes it.
func ParsePath(key string) (p Path, err error) {
	for rest := key; ; {
		var name string
		if name, rest, err = cutName(rest); err != nil {
			return p, fmt.Errorf("the key %q: %w", key, err)
		}
		p.steps = append(p.steps, step{name, isName})
		for strings.HasPrefix(rest, "[") {
			var element int
			if element, rest, err = cutElement(rest); err != nil {
				return p, fmt.Errorf("the key %q: %w", key, err)
			}
			p.steps = append(p.steps, step{element: element})
		}
		if len(p.steps) > mostSteps {
			return p, fmt.Errorf("the key of %d bytes has more than %d names and brackets", len(key), mostSteps)
		}
		if rest == "" {
			return p, nil
		}
		if rest[0] != '.' {
			return p, fmt.Errorf("the key %q: before %q a dot is expected", key, rest)
		}
		rest = rest[1:]
	}
}

func cutName(s string) (name, rest string, err error) {
	if strings.HasPrefix(s, `"`) {
		name, rest, closed := strings.Cut(s[1:], `"`)
		if !closed {
			return "", "", errors.New("a closing quote is expected")
		}
		return name, rest, nil
	}
	end := strings.IndexAny(s, `.[]"`)
	if end < 0 {
		end = len(s)
	}
	if end == 0 {
		return "", "", errors.New("a name is expected; one that is empty or holds dots or brackets is put in quotes")
	}
	return s[:end], s[end:], nil
}

func cutElement(s string) (element int, rest string, err error) {
	inside, rest, closed := strings.Cut(s[1:], "]")
	if inside == "" && closed {
		return allElements, rest, nil
	}
	element, err = strconv.Atoi(inside)
	if !closed || err != nil || element < 0 {
		return 0, "", errors.New("[] or the number of an element in brackets is expected")
	}
	return element, rest, nil
}

// String returns the key in its shortest form.
func (p Path) String() string {
	var b strings.Builder
	for i, s := range p.steps {
		switch {
		case s.element == allElements:
			b.WriteString("[]")
		case s.element >= 0:
			fmt.Fprintf(&b, "[%d]", s.element)
		default:
			if i > 0 {
				b.WriteByte('.')
			}
			if s.name == "" || strings.ContainsAny(s.name, ".[]") {
				fmt.Fprintf(&b, `"%s"`, s.name)
			} else {
				b.WriteString(s.name)
			}
		}
	}
	return b.String()
}

// each calls fn with the values that the steps lead to from a value, until fn returns false. It reports whether fn
// never did.
func each(value []byte, steps []step, fn func(value []byte) bool) bool {
	if len(steps) == 0 {
		return fn(value)
	}
	s := steps[0]
	if s.element == isName {
		member := findMember(value, s.name)
		return member == nil || each(member, steps[1:], fn)
	}
	array := open(value, '[')
	for i := 0; ; i++ {
		element, ok := array.element()
		if !ok {
			return true
		}
		if (s.element == allElements || s.element == i) && !each(element, steps[1:], fn) {
			return false
		}
	}
}
