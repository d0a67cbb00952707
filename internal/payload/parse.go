package payload

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// filterKeys are the keys of a filter in its JSON form.
var filterKeys = []string{"must", "should", "must_not", "min_should"}

// Parse reads a filter from JSON, in the form of Filter or in that of ParseOperators. It is in the form of Filter if
// its keys are all among must, should, must_not and min_should. The filter null holds for everything.
func Parse(b []byte) (f Filter, err error) {
	tree, err := decode(b)
	if err != nil || tree == nil {
		return f, err
	}
	object, ok := tree.(map[string]any)
	if !ok {
		return f, at("").errorf("it is %s, an object is expected", describe(tree))
	}
	for key := range object {
		if !slices.Contains(filterKeys, key) {
			return operators(object)
		}
	}
	p := parser{}
	f = p.filter(object, "")
	return f, p.checked(f)
}

// UnmarshalJSON reads the JSON form.
func (f *Filter) UnmarshalJSON(b []byte) error {
	tree, err := decode(b)
	if err != nil {
		return err
	}
	p := parser{}
	*f = p.filter(tree, "")
	return p.checked(*f)
}

// MarshalJSON returns the JSON form.
func (c Condition) MarshalJSON() ([]byte, error) {
	if c.Filter != nil {
		b, err := json.Marshal(c.Filter)
		if string(b) == "{}" {
			return []byte(`{"must":[]}`), nil // tells it from a condition that lacks its test
		}
		return b, err
	}
	type plain Condition
	return json.Marshal(plain(c))
}

// MarshalJSON returns a JSON number or string.
func (id ID) MarshalJSON() ([]byte, error) {
	if id.IsText {
		return json.Marshal(id.Text)
	}
	return strconv.AppendUint(nil, id.Number, 10), nil
}

// decode reads JSON with numbers as they are written.
func decode(b []byte) (tree any, err error) {
	if len(b) > mostBytes {
		return nil, at("").errorf("it has %d bytes, at most %d are allowed", len(b), mostBytes)
	}
	if !utf8.Valid(b) {
		return nil, at("").errorf("it isn't valid UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err = d.Decode(&tree); err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("after its end there is more")
		}
	}
	if err != nil {
		return nil, &Error{"", fmt.Errorf("it isn't valid JSON: %w", err)}
	}
	return tree, nil
}

// parser reads the JSON form of filters. It keeps the first error.
type parser struct {
	depth int
	err   error
}

// checked returns the first error of the parser, or what is wrong with the filter that it has read.
func (p *parser) checked(f Filter) error {
	if p.err != nil {
		return p.err
	}
	_, err := Compile(f)
	return err
}

func (p *parser) fail(a at, format string, args ...any) {
	if p.err == nil {
		p.err = a.errorf(format, args...)
	}
}

// object returns the members of an object, which must have no others than these.
func (p *parser) object(v any, a at, keys ...string) map[string]any {
	object, ok := v.(map[string]any)
	if !ok {
		p.fail(a, "it is %s, an object is expected", describe(v))
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		if !slices.Contains(keys, key) {
			p.fail(a.key(shorten(key)), "it isn't known, expected are: %s", strings.Join(keys, ", "))
			return nil
		}
	}
	return object
}

func shorten(key string) string {
	if len(key) > 100 {
		return strings.ToValidUTF8(key[:100], "") + "…"
	}
	return key
}

func (p *parser) text(v any, a at) string {
	s, ok := v.(string)
	if !ok {
		p.fail(a, "it is %s, a string is expected", describe(v))
	}
	return s
}

func (p *parser) array(v any, a at) []any {
	array, ok := v.([]any)
	if !ok {
		p.fail(a, "it is %s, an array is expected", describe(v))
	}
	return array
}

func (p *parser) filter(v any, a at) (f Filter) {
	if p.depth++; p.depth > mostDepth {
		p.fail(a, "filters are within each other more than %d deep", mostDepth)
		return f
	}
	defer func() { p.depth-- }()
	object := p.object(v, a, filterKeys...)
	f.Must = p.conditions(object["must"], a.key("must"))
	f.Should = p.conditions(object["should"], a.key("should"))
	f.MustNot = p.conditions(object["must_not"], a.key("must_not"))
	if v := object["min_should"]; v != nil {
		a = a.key("min_should")
		object = p.object(v, a, "conditions", "min_count")
		least, err := strconv.Atoi(fmt.Sprint(object["min_count"]))
		if err != nil {
			p.fail(a.key("min_count"), "it is %s, a whole number is expected", describe(object["min_count"]))
		}
		f.MinShould = &MinShould{p.conditions(object["conditions"], a.key("conditions")), least}
	}
	return f
}

// conditions reads an array of conditions, or one.
func (p *parser) conditions(v any, a at) (all []Condition) {
	switch v := v.(type) {
	case nil:
		return nil
	case map[string]any:
		return []Condition{p.condition(v, a)}
	case []any:
		for i, v := range v {
			if p.err != nil {
				return nil
			}
			all = append(all, p.condition(v, a.element(i)))
		}
		return all
	}
	p.fail(a, "it is %s, a condition or an array of conditions is expected", describe(v))
	return nil
}

func (p *parser) condition(v any, a at) (c Condition) {
	if object, ok := v.(map[string]any); ok {
		for _, key := range filterKeys {
			if _, ok := object[key]; ok {
				f := p.filter(v, a)
				c.Filter = &f
				return c
			}
		}
	}
	object := p.object(v, a, "key", "match", "range", "values_count", "is_empty", "is_null", "has_id", "nested")
	for key, v := range object {
		a := a.key(key)
		switch key {
		case "key":
			c.Key = p.text(v, a)
		case "match":
			c.Match = p.match(v, a)
		case "range":
			c.Range = p.bounds(v, a)
		case "values_count":
			c.ValuesCount = p.bounds(v, a)
		case "is_empty":
			c.IsEmpty = p.field(v, a)
		case "is_null":
			c.IsNull = p.field(v, a)
		case "has_id":
			c.HasID = p.ids(v, a)
		case "nested":
			object := p.object(v, a, "key", "filter")
			c.Nested = &Nested{p.text(object["key"], a.key("key")), p.filter(object["filter"], a.key("filter"))}
		}
	}
	return c
}

func (p *parser) field(v any, a at) *Field {
	object := p.object(v, a, "key")
	return &Field{p.text(object["key"], a.key("key"))}
}

func (p *parser) match(v any, a at) *Match {
	m := &Match{}
	for key, v := range p.object(v, a, "value", "any", "except", "text", "text_any") {
		a := a.key(key)
		switch key {
		case "value":
			m.Value = p.scalar(v, a)
		case "any":
			m.Any = p.scalars(v, a)
		case "except":
			m.Except = p.scalars(v, a)
		case "text":
			text := p.text(v, a)
			m.Text = &text
		case "text_any":
			text := p.text(v, a)
			m.TextAny = &text
		}
	}
	return m
}

// scalar returns a string, a boolean or a number.
func (p *parser) scalar(v any, a at) any {
	switch v := v.(type) {
	case string, bool:
		return v
	case json.Number:
		if _, ok := numberOf(v); ok {
			return v
		}
	}
	p.fail(a, "it is %s, a string, a boolean or a finite number is expected", describe(v))
	return nil
}

func (p *parser) scalars(v any, a at) []any {
	all := []any{}
	for i, v := range p.array(v, a) {
		if p.err != nil {
			return nil
		}
		all = append(all, p.scalar(v, a.element(i)))
	}
	return all
}

func (p *parser) bounds(v any, a at) *Range {
	r := &Range{}
	for key, v := range p.object(v, a, "gt", "gte", "lt", "lte") {
		if v == nil {
			continue
		}
		v = p.scalar(v, a.key(key))
		switch key {
		case "gt":
			r.Gt = v
		case "gte":
			r.Gte = v
		case "lt":
			r.Lt = v
		case "lte":
			r.Lte = v
		}
	}
	return r
}

func (p *parser) ids(v any, a at) *HasID {
	ids := HasID{}
	for i, v := range p.array(v, a) {
		switch v := v.(type) {
		case string:
			ids = append(ids, ID{Text: v, IsText: true})
			continue
		case json.Number:
			if n, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
				ids = append(ids, ID{Number: n})
				continue
			}
		}
		p.fail(a.element(i), "it is %s, an id is expected: a string or a whole number from 0 on", describe(v))
		return &ids
	}
	return &ids
}
