package collection

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// member is a key of a JSON object with its value.
type member struct {
	key   string
	value json.RawMessage
}

// members returns the members of a JSON object in their order. Of those with the same key it returns the last.
func members(object []byte) ([]member, error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.Join(err, errors.New("it isn't a JSON object"))
	}
	var all []member
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
			all[at].value = value
			continue
		}
		places[name] = len(all)
		all = append(all, member{name, value})
	}
	return all, nil
}

// object returns the JSON object of members.
func object(all []member) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	b.WriteByte('{')
	for i, m := range all {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := e.Encode(m.key); err != nil {
			return nil, err
		}
		b.Truncate(b.Len() - 1) // the line's end
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func placeOf(all []member, key string) int {
	return slices.IndexFunc(all, func(m member) bool { return m.key == key })
}

// edited returns a payload, which may be nil, without the keys of unset and with the members of set. It returns nil if
// none are left.
func edited(payload []byte, unset []string, set []member) ([]byte, error) {
	var all []member
	if payload != nil {
		var err error
		if all, err = members(payload); err != nil {
			return nil, err
		}
	}
	for _, path := range unset {
		var err error
		if all, err = without(all, path); err != nil {
			return nil, err
		}
	}
	for _, m := range set {
		if at := placeOf(all, m.key); at >= 0 {
			all[at].value = m.value
			continue
		}
		all = append(all, m)
	}
	if len(all) == 0 {
		return nil, nil
	}
	return object(all)
}

// without returns members without the one that a path leads to. It changes all.
func without(all []member, path string) ([]member, error) {
	if at := placeOf(all, path); at >= 0 {
		return slices.Delete(all, at, at+1), nil
	}
	for end := range len(path) {
		if path[end] != '.' {
			continue
		}
		at := placeOf(all, path[:end])
		if at < 0 || !strings.HasPrefix(string(all[at].value), "{") {
			continue
		}
		within, err := members(all[at].value)
		if err != nil {
			return nil, err
		}
		if within, err = without(within, path[end+1:]); err != nil {
			return nil, err
		}
		if all[at].value, err = object(within); err != nil {
			return nil, err
		}
	}
	return all, nil
}
