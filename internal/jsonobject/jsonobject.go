// Package jsonobject takes JSON objects apart and puts them together without changing the order of their keys or the
// text of their values.
package jsonobject

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
)

// Member is a key of an object with its value.
type Member struct {
	Key   string
	Value json.RawMessage
}

var errNotObject = errors.New("it isn't a JSON object")

// Members returns the members of an object in their order. Of those with the same key it returns the last.
func Members(object []byte) ([]Member, error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.Join(err, errNotObject)
	}
	var all []Member
	places := map[string]int{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		name, _ := key.(string)
		if at, twice := places[name]; twice {
			all[at].Value = value
			continue
		}
		places[name] = len(all)
		all = append(all, Member{name, value})
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more follows the JSON object")
	}
	return all, nil
}

// Append appends the object of members to b.
func Append(b []byte, members []Member) []byte {
	b = append(b, '{')
	for i, m := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(AppendText(b, m.Key), ':')
		b = append(b, m.Value...)
	}
	return append(b, '}')
}

// Find returns the place of a key, or -1.
func Find(members []Member, key string) int {
	return slices.IndexFunc(members, func(m Member) bool { return m.Key == key })
}

// AppendText appends a text, which must be valid UTF-8, as a JSON string. It escapes no more than JSON demands.
func AppendText(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
