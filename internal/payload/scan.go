package payload

import (
	"bytes"
	"encoding/json"
)

// The functions here find their way through JSON that is known to be valid. Of other input they return anything, but
// never read out of bounds.

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipString returns the end of the string that begins at i.
func skipString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return len(b)
}

// skipValue returns the end of the value that begins at i.
func skipValue(b []byte, i int) int {
	for depth := 0; i < len(b); {
		switch b[i] {
		case '"':
			if i = skipString(b, i); depth == 0 {
				return i
			}
		case '{', '[':
			depth++
			i++
		case '}', ']':
			depth--
			if i++; depth <= 0 {
				return i
			}
		case ',', ':', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return i
			}
			i++
		default:
			if i++; depth > 0 {
				continue
			}
			for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' && b[i] > ' ' {
				i++
			}
			return i
		}
	}
	return len(b)
}

// items are the members of an object, or the elements of an array.
type items struct {
	b  []byte
	at int // before the next one; len(b): there is none
}

// open returns the items of an object or array, whose first byte is given. Other values have none.
func open(value []byte, first byte) items {
	i := skipSpace(value, 0)
	if i >= len(value) || value[i] != first {
		i = len(value)
	}
	return items{value, i}
}

// member returns the next member of an object. Its key is in quotes.
func (o *items) member() (key, value []byte, ok bool) {
	start := skipSpace(o.b, o.at+1)
	if start >= len(o.b) || o.b[start] != '"' {
		return nil, nil, false
	}
	end := skipString(o.b, start)
	key = o.b[start:end]
	o.at = skipSpace(o.b, end) // at the colon, where an element would have its comma
	value, ok = o.element()
	return key, value, ok
}

// element returns the next element of an array.
func (o *items) element() (value []byte, ok bool) {
	start := skipSpace(o.b, o.at+1)
	if start >= len(o.b) {
		return nil, false
	}
	end := skipValue(o.b, start)
	if o.b[start] == ']' || end == start {
		return nil, false
	}
	if o.at = skipSpace(o.b, end); o.at < len(o.b) && o.b[o.at] != ',' {
		o.at = len(o.b)
	}
	return o.b[start:end], true
}

// isString reports whether a quoted string of JSON is s.
func isString(quoted []byte, s string) bool {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return len(quoted) == len(s)+2 && string(quoted[1:len(quoted)-1]) == s
	}
	return unquote(quoted) == s
}

// unquote returns what a quoted string of JSON stands for.
func unquote(quoted []byte) (s string) {
	if len(quoted) < 2 {
		return ""
	}
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	if json.Unmarshal(quoted, &s) != nil {
		return ""
	}
	return s
}

// findMember returns the value of an object's member, the last of that name, or nil.
func findMember(object []byte, name string) (found []byte) {
	for o := open(object, '{'); ; {
		key, value, ok := o.member()
		if !ok {
			return found
		}
		if isString(key, name) {
			found = value
		}
	}
}
