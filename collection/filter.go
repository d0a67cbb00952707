package collection

import (
	"encoding/json"
	"time"

	"github.com/shale-search/shale/internal/payload"
)

// Filter says which documents a call is about, by their payloads and IDs. The zero value is all documents. Equal,
// OneOf, InRange, Words, Empty, Null, IDs and Nested make a filter of one condition, and All, Any and Not combine
// filters. ParseFilter reads one from JSON. A filter never changes, and may be used by many goroutines at once.
//
// Conditions name a field of the payload: "a.b" is the field b of the object in field a, "a[].b" is the field b of each
// object in the array a, and "a[2]" the third element of a. A name that holds a dot, a bracket or nothing is put in
// quotes: `"a.b".c`. Where the value is an array, a condition holds if it holds for one of its elements.
//
// A filter that makes no sense, such as one with a malformed field, is an error of the call that it is given to, and
// that error is ErrInvalid. Its text names the part of the filter, as its JSON has it.
type Filter struct{ tree payload.Filter }

// Equal holds for documents whose field has this value: a string, a boolean, or a number of any type. Values of
// different types are never equal, except for numbers: 1 equals 1.0.
func Equal(field string, value any) Filter {
	return condition(payload.Condition{Key: field, Match: &payload.Match{Value: value}})
}

// OneOf holds for documents whose field has one of these values, as Equal compares them.
func OneOf[T any](field string, values ...T) Filter {
	some := make([]any, len(values))
	for i, v := range values {
		some[i] = v
	}
	return condition(payload.Condition{Key: field, Match: &payload.Match{Any: some}})
}

// Range has the bounds of InRange. Each is nil, which is no bound; or a number of any type; or a time: a time.Time, or
// a string in the form of RFC 3339. All bounds of a range are of one kind, and there must be one.
type Range struct {
	Gt  any // greater than this
	Gte any // greater than this, or equal
	Lt  any // less than this
	Lte any // less than this, or equal
}

// InRange holds for documents whose field has a number within bounds; or, if the bounds are times, a string in the form
// of RFC 3339 that is a time within them. In such a string the date and the time may be separated by a space, and the
// time and the zone (then UTC) may be left out. What is below a microsecond is cut off.
func InRange(field string, r Range) Filter {
	for _, bound := range []*any{&r.Gt, &r.Gte, &r.Lt, &r.Lte} {
		if t, ok := (*bound).(time.Time); ok {
			*bound = t.UTC().Format(time.RFC3339Nano)
		}
	}
	return condition(payload.Condition{Key: field, Range: (*payload.Range)(&r)})
}

// Words holds for documents whose field has a text with all words of this one, in any case and order. A word is a
// sequence of letters and digits.
func Words(field, text string) Filter {
	return condition(payload.Condition{Key: field, Match: &payload.Match{Text: &text}})
}

// Empty holds for documents whose field is missing, null or an empty array.
func Empty(field string) Filter {
	return condition(payload.Condition{IsEmpty: &payload.Field{Key: field}})
}

// Null holds for documents whose field is there, and is null.
func Null(field string) Filter {
	return condition(payload.Condition{IsNull: &payload.Field{Key: field}})
}

// IDs holds for the documents with these IDs.
func IDs(ids ...ID) Filter {
	some := make(payload.HasID, len(ids))
	for i, id := range ids {
		some[i] = id.inPayload()
	}
	return condition(payload.Condition{HasID: &some})
}

// Nested holds for documents whose field is an array in which one object satisfies f alone, or is such an object. The
// fields of f are those of the object.
func Nested(field string, f Filter) Filter {
	return condition(payload.Condition{Nested: &payload.Nested{Key: field, Filter: f.tree}})
}

// All holds where each of some filters does.
func All(filters ...Filter) Filter { return Filter{payload.Filter{Must: conditions(filters)}} }

// Any holds where at least one of some filters does. Of no filters none does, so it holds for no document.
func Any(filters ...Filter) Filter {
	if len(filters) == 0 {
		return Filter{payload.Filter{MinShould: &payload.MinShould{Conditions: []payload.Condition{}, Min: 1}}}
	}
	return Filter{payload.Filter{Should: conditions(filters)}}
}

// Not holds where f doesn't. So it also holds for documents that lack the fields of f.
func Not(f Filter) Filter { return Filter{payload.Filter{MustNot: conditions([]Filter{f})}} }

// ParseFilter reads a filter from JSON, in one of two forms. One has fields with their values or with operators, as
// Chroma, Pinecone and LangChain have them:
//
//	{"city": "Rome", "price": {"$gte": 10, "$lt": 20}, "$or": [{"kind": {"$in": ["a", "b"]}}, {"sold": {"$ne": true}}]}
//
// The other has conditions, as Qdrant has them:
//
//	{"must": [{"key": "city", "match": {"value": "Rome"}}], "must_not": [{"key": "price", "range": {"gt": 90}}]}
//
// It is the second one if there are no other keys than must, should, must_not and min_should. The filter null is all
// documents. docs/collections.md lists the conditions and operators.
func ParseFilter(b []byte) (Filter, error) {
	tree, err := payload.Parse(b)
	if err != nil {
		return Filter{}, invalidError{err}
	}
	return Filter{tree}, nil
}

// UnmarshalJSON reads what ParseFilter reads.
func (f *Filter) UnmarshalJSON(b []byte) (err error) {
	*f, err = ParseFilter(b)
	return err
}

// MarshalJSON returns the filter in the second form of ParseFilter.
func (f Filter) MarshalJSON() ([]byte, error) { return json.Marshal(f.tree) }

// condition returns the filter of one condition.
func condition(c payload.Condition) Filter {
	return Filter{payload.Filter{Must: []payload.Condition{c}}}
}

// conditions returns each of some filters as a condition.
func conditions(filters []Filter) []payload.Condition {
	all := make([]payload.Condition, len(filters))
	for i, f := range filters {
		if t := f.tree; len(t.Must) == 1 && len(t.Should)+len(t.MustNot) == 0 && t.MinShould == nil {
			all[i] = t.Must[0]
			continue
		}
		all[i] = payload.Condition{Filter: &f.tree}
	}
	return all
}

// isAll reports whether the filter has no condition.
func (f Filter) isAll() bool {
	return len(f.tree.Must)+len(f.tree.Should)+len(f.tree.MustNot) == 0 && f.tree.MinShould == nil
}
