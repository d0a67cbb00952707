package payload

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Kind is what an index of a field holds of its values, of which there may be several in an array.
type Kind string

// The kinds of indexes.
const (
	Keyword  Kind = "keyword"  // strings
	UUID     Kind = "uuid"     // strings that are UUIDs in lower case, in less room
	Integer  Kind = "integer"  // numbers, whether whole or not
	Float    Kind = "float"    // the same
	Bool     Kind = "bool"     // booleans
	Datetime Kind = "datetime" // strings that are times, see Range
	Text     Kind = "text"     // the words of strings
)

var kinds = []Kind{Keyword, UUID, Integer, Float, Bool, Datetime, Text}

// Check returns an error unless there is such a kind.
func (k Kind) Check() error {
	if slices.Contains(kinds, k) {
		return nil
	}
	names := make([]string, len(kinds))
	for i, kind := range kinds {
		names[i] = string(kind)
	}
	return fmt.Errorf("there is no kind of index %q, expected is one of: %s", k, strings.Join(names, ", "))
}

// IsNumeric reports whether indexes of the kind hold numbers in their order.
func (k Kind) IsNumeric() bool { return k == Integer || k == Float || k == Datetime }

// Terms under which an index finds documents by more than one value.
const (
	Present = "\x00p" // documents for which Empty doesn't hold
	Scalar  = "\x00s" // documents with a string, number or boolean
	Many    = "\x00m" // documents with more than one value
)

// The first byte of terms that stand for a value.
const (
	plainTerm  = 1
	hashedTerm = 2 // of a longer string
)

// mostTermBytes is the length of strings from which on terms hold a hash of them.
const mostTermBytes = 200

// Term returns the term of a string in an index of kind Keyword, UUID or Text, if there can be one.
func (k Kind) Term(s string) (term string, ok bool) {
	switch {
	case k == UUID:
		id, ok := ParseUUID(s)
		return string([]byte{plainTerm}) + string(id[:]), ok
	case k == Keyword && len(s) > mostTermBytes:
		sum := sha256.Sum256([]byte(s))
		return string([]byte{hashedTerm}) + string(sum[:]), true
	}
	return string([]byte{plainTerm}) + s, k == Keyword || k == Text
}

// BoolTerm returns the term of a boolean in an index of kind Bool.
func BoolTerm(b bool) string { return string([]byte{plainTerm, byte(bit(b))}) }

// ValueOf returns the value that a term of an index of this kind stands for, as Scalars does. Of a longer string it
// isn't known. ok is false if the term stands for no value.
func (k Kind) ValueOf(term string) (value string, known, ok bool) {
	if len(term) < 1 || term[0] != plainTerm {
		return "", false, term != "" && term[0] == hashedTerm
	}
	switch term = term[1:]; {
	case k == UUID && len(term) == 16:
		return StringJSON(FormatUUID([16]byte([]byte(term)))), true, true
	case k == Bool && len(term) == 1:
		return strconv.FormatBool(term[0] == 1), true, true
	}
	return StringJSON(term), k == Keyword, k == Keyword
}

// HasTerm returns the string among the scalars of a payload which has a term.
func (k Kind) HasTerm(p Path, payload []byte, term string) (value string, ok bool) {
	for _, value := range p.Scalars(payload) {
		if value[0] == '"' {
			if t, ok := k.Term(unquote([]byte(value))); ok && t == term {
				return value, true
			}
		}
	}
	return "", false
}

// Entries are what an index holds of one document.
type Entries struct {
	Terms   []string
	Numbers []Number
}

// Collect sets e to what an index of this kind of the field at p holds of a payload.
func (k Kind) Collect(e *Entries, p Path, payload []byte) {
	e.Terms, e.Numbers = e.Terms[:0], e.Numbers[:0]
	present, scalar, values := false, false, 0
	each(payload, p.steps, func(value []byte) bool {
		present = present || !isEmpty(value)
		return eachItemOf(value, func(item []byte) bool {
			values++
			if isScalar(item) {
				scalar = true
				k.collect(e, item)
			}
			return true
		})
	})
	if present {
		e.Terms = append(e.Terms, Present)
	}
	if scalar {
		e.Terms = append(e.Terms, Scalar)
	}
	if values > 1 {
		e.Terms = append(e.Terms, Many)
	}
}

// collect adds one value, if it is of the kind.
func (k Kind) collect(e *Entries, item []byte) {
	switch {
	case k == Integer || k == Float:
		if n, ok := asNumber(item); ok {
			e.Numbers = append(e.Numbers, n)
		}
	case k == Datetime:
		if n, ok := asTime(item); ok {
			e.Numbers = append(e.Numbers, n)
		}
	case k == Bool:
		if item[0] == 't' || item[0] == 'f' {
			e.Terms = append(e.Terms, BoolTerm(item[0] == 't'))
		}
	case item[0] != '"':
	case k == Text:
		eachWord(unquote(item), func(word string) { e.add(k, word) })
	default:
		e.add(k, unquote(item))
	}
}

func (e *Entries) add(k Kind, s string) {
	if term, ok := k.Term(s); ok {
		e.Terms = append(e.Terms, term)
	}
}

func (n *Node) areUUIDs() bool {
	for s := range n.Strings {
		if _, ok := ParseUUID(s); !ok {
			return false
		}
	}
	return true
}

// Covers reports whether an index of the kind answers a test of its field, other than Except.
func (k Kind) Covers(n *Node) bool {
	switch n.Op {
	case Empty:
		return true
	case AnyString:
		return k == Keyword || k == UUID && n.areUUIDs()
	case AnyNumber, NumberRange:
		return k == Integer || k == Float
	case AnyBool:
		return k == Bool
	case TimeRange:
		return k == Datetime
	case AllWords, AnyWord:
		return k == Text
	}
	return false
}

// Scalars returns the different strings, numbers and booleans in the field at p, as JSON. Each is written in one way:
// 1 and 1.0 are the same.
func (p Path) Scalars(payload []byte) (values []string) {
	each(payload, p.steps, func(value []byte) bool {
		return eachItemOf(value, func(item []byte) bool {
			if text, ok := scalarJSON(item); ok && !slices.Contains(values, text) {
				values = append(values, text)
			}
			return true
		})
	})
	return values
}

func scalarJSON(item []byte) (string, bool) {
	if !isScalar(item) {
		return "", false
	}
	if n, ok := asNumber(item); ok {
		return string(n.JSON()), true
	}
	if item[0] == '"' {
		return StringJSON(unquote(item)), true
	}
	return string(item), true
}

// StringJSON returns a string as Scalars does.
func StringJSON(s string) string {
	b, _ := json.Marshal(s) // a string never fails
	return string(b)
}
