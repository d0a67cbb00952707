package collection

// IndexKind is what a payload index holds of the values of its field, of which there are several in an array. Values of
// other types are passed over. The kind decides which conditions of filters the index answers.
type IndexKind string

// The kinds of payload indexes.
const (
	Keyword  IndexKind = "keyword"  // strings as a whole, for Equal and OneOf
	UUID     IndexKind = "uuid"     // strings that are UUIDs in lower case, in less room, for the same
	Integer  IndexKind = "integer"  // numbers, whether whole or not, for Equal, OneOf and InRange
	Float    IndexKind = "float"    // the same
	Bool     IndexKind = "bool"     // booleans, for Equal and OneOf
	Datetime IndexKind = "datetime" // strings that are times, for InRange with times
	Text     IndexKind = "text"     // the words of strings, for Words
)
