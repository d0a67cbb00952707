package collection

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/shale-search/shale/internal/payload"
)

// ID names a document: a number or a string. The zero value is the number 0.
type ID struct {
	text   string
	number uint64
	isText bool
}

// NumberID returns the ID that is a number.
func NumberID(n uint64) ID { return ID{number: n} }

// StringID returns the ID that is a string. "7" is another ID than the number 7.
func StringID(s string) ID { return ID{text: s, isText: true} }

// String returns the ID as it is written in JSON: strings are in quotes.
func (id ID) String() string {
	if id.isText {
		return strconv.Quote(id.text)
	}
	return strconv.FormatUint(id.number, 10)
}

// Value returns the ID as a uint64 or a string.
func (id ID) Value() any {
	if id.isText {
		return id.text
	}
	return id.number
}

// MarshalJSON returns a JSON number or string.
func (id ID) MarshalJSON() ([]byte, error) {
	if id.isText {
		return marshal(id.text)
	}
	return strconv.AppendUint(nil, id.number, 10), nil
}

// UnmarshalJSON reads a JSON number or string.
func (id *ID) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		*id = ID{isText: true}
		return json.Unmarshal(b, &id.text)
	}
	n, err := strconv.ParseUint(string(b), 10, 64)
	if err != nil {
		return fmt.Errorf("the id %s is neither a string nor a whole number from 0 to 18446744073709551615", b)
	}
	*id = NumberID(n)
	return nil
}

// inPayload returns the ID as filters have it.
func (id ID) inPayload() payload.ID {
	return payload.ID{Text: id.text, Number: id.number, IsText: id.isText}
}

// idInPayload is the reverse of inPayload.
func idInPayload(id payload.ID) ID { return ID{text: id.Text, number: id.Number, isText: id.IsText} }

// check returns an error if the ID is an empty or invalid string, or one of more than most bytes.
func (id ID) check(most int) error {
	switch {
	case !id.isText:
		return nil
	case id.text == "":
		return errors.New("the id is an empty string")
	case len(id.text) > most:
		return fmt.Errorf("the id is a string of %d bytes, at most %d are allowed", len(id.text), most)
	case !utf8.ValidString(id.text):
		return fmt.Errorf("the id %s isn't valid UTF-8", id)
	}
	return nil
}

// The kinds of IDs in keys. IDs are ordered by kind first.
const (
	numberKind = 1 // then 8 bytes, big-endian
	uuidKind   = 2 // then 16 bytes: a string that is a UUID in lower case takes less room in this way
	stringKind = 3 // then its bytes
)

// appendID appends the form that an ID has in keys. The order of the bytes is the order of IDs.
func appendID(b []byte, id ID) []byte {
	if !id.isText {
		return binary.BigEndian.AppendUint64(append(b, numberKind), id.number)
	}
	if uuid, ok := payload.ParseUUID(id.text); ok {
		return append(append(b, uuidKind), uuid[:]...)
	}
	return append(append(b, stringKind), id.text...)
}

// decodeID reads what appendID has written.
func decodeID(b []byte) (ID, bool) {
	switch {
	case len(b) == 9 && b[0] == numberKind:
		return NumberID(binary.BigEndian.Uint64(b[1:])), true
	case len(b) == 17 && b[0] == uuidKind:
		return StringID(payload.FormatUUID([16]byte(b[1:]))), true
	case len(b) > 1 && b[0] == stringKind:
		id := StringID(string(b[1:]))
		return id, bytes.Equal(appendID(nil, id), b)
	}
	return ID{}, false
}
