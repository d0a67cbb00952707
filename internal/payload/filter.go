// Package payload says which documents a caller wants by what their payloads hold. A payload is a JSON object. A Filter
// is built in Go or read from JSON, and compiled to a Matcher, which evaluates payloads as they are, without an index.
package payload

import "fmt"

// Filter holds for a payload if each condition of Must holds, none of MustNot, one of Should unless that is empty, and
// enough of MinShould. The zero value holds for every payload. Its JSON form is that of Qdrant:
//
//	{"must": [{"key": "city", "match": {"value": "London"}}], "must_not": [{"key": "price", "range": {"gt": 90}}]}
type Filter struct {
	Must      []Condition `json:"must,omitempty"`
	Should    []Condition `json:"should,omitempty"`
	MustNot   []Condition `json:"must_not,omitempty"`
	MinShould *MinShould  `json:"min_should,omitempty"`
}

// MinShould demands that at least Min of the conditions hold.
type MinShould struct {
	Conditions []Condition `json:"conditions"`
	Min        int         `json:"min_count"`
}

// Condition is one test. Either Key is set and one of the tests of a field, or one of the fields from IsEmpty on.
//
// A key names a field of the payload: "a.b" is the field b of the object in field a, "a[].b" is field b of each object
// in the array a, "a[2]" the third element. A name that holds a dot, a bracket or nothing is put in quotes: `"a.b".c`.
// Where the value is an array, Match and Range hold if they hold for one of its elements.
type Condition struct {
	Key   string `json:"key,omitempty"`
	Match *Match `json:"match,omitempty"`
	Range *Range `json:"range,omitempty"`
	// ValuesCount is about the number of elements of an array; 1 for another value, 0 for null or no field.
	ValuesCount *Range `json:"values_count,omitempty"`

	IsEmpty *Field  `json:"is_empty,omitempty"` // the field is missing, null or an empty array
	IsNull  *Field  `json:"is_null,omitempty"`  // the field is there, and null
	HasID   *HasID  `json:"has_id,omitempty"`
	Nested  *Nested `json:"nested,omitempty"`
	Filter  *Filter `json:"-"` // in JSON the filter itself is in the place of the condition
}

// Field names a field.
type Field struct {
	Key string `json:"key"`
}

// HasID holds for documents with one of these IDs.
type HasID []ID

// ID is the ID of a document.
type ID struct {
	Text   string
	Number uint64
	IsText bool
}

// Nested holds if the filter holds for one object of the array in a field, or for the object in it.
type Nested struct {
	Key    string `json:"key"`
	Filter Filter `json:"filter"`
}

// Match compares with values, which are strings, booleans or numbers (of any Go type, or json.Number). One field of it
// is set. Values of different types are never equal, but 1 and 1.0 are.
type Match struct {
	Value  any     `json:"value,omitempty"`
	Any    []any   `json:"any,omitzero"`    // equal to one of these
	Except []any   `json:"except,omitzero"` // a string, boolean or number that isn't equal to any of these
	Text   *string `json:"text,omitempty"`  // the strings of the field hold all words of this text, in any case and order
	// TextAny is as Text, where one of the words is enough.
	TextAny *string `json:"text_any,omitempty"`
}

// Range holds for values within bounds: numbers, or times, for which the bounds are strings in the form of RFC 3339 and
// so are the values. Date and time may be separated by a space, the time and the zone (then UTC) may be left out, and
// what is below a microsecond is cut off. A bound that is nil doesn't apply.
type Range struct {
	Gt  any `json:"gt,omitempty"`
	Gte any `json:"gte,omitempty"`
	Lt  any `json:"lt,omitempty"`
	Lte any `json:"lte,omitempty"`
}

// Error says what is wrong with a filter.
type Error struct {
	Path string // of the part in question, such as must[0].range.gt; empty for the filter itself
	Err  error
}

// Error implements error.
func (e *Error) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("filter: %v", e.Err)
	}
	return fmt.Sprintf("filter: %s: %v", e.Path, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Limits of filters.
const (
	mostDepth      = 32     // filters within each other
	mostConditions = 10_000 // of a filter altogether
	mostBytes      = 64 << 20
)

// at is a place in a filter.
type at string

func (a at) key(name string) at {
	if a == "" {
		return at(name)
	}
	return a + at("."+name)
}

func (a at) element(i int) at { return a + at(fmt.Sprintf("[%d]", i)) }

func (a at) errorf(format string, args ...any) error {
	return &Error{string(a), fmt.Errorf(format, args...)}
}
