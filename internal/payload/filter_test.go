package payload

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

// TestOperators compares the form of operators with filters that are written out.
func TestOperators(t *testing.T) {
	for operators, want := range map[string]string{
		`null`:                            `{}`,
		`{}`:                              `{}`,
		`{"a": "x"}`:                      `{"must":[{"key":"a","match":{"value":"x"}}]}`,
		`{"a": 1.50}`:                     `{"must":[{"key":"a","match":{"value":1.50}}]}`,
		`{"a.b": false}`:                  `{"must":[{"key":"a.b","match":{"value":false}}]}`,
		`{"a": null, "b": {"$ne": null}}`: `{"must":[{"is_empty":{"key":"a"}}],"must_not":[{"is_empty":{"key":"b"}}]}`,
		`{"a": {"$gte": 1, "$lt": 2.5}}`:  `{"must":[{"key":"a","range":{"gte":1}},{"key":"a","range":{"lt":2.5}}]}`,
		`{"a": {"$gt": "2024-05-01"}}`:    `{"must":[{"key":"a","range":{"gt":"2024-05-01"}}]}`,
		`{"a": {"$lte": -1}}`:             `{"must":[{"key":"a","range":{"lte":-1}}]}`,
		`{"a": {"$in": ["x", 1, true]}}`:  `{"must":[{"key":"a","match":{"any":["x",1,true]}}]}`,
		`{"a": {"$in": []}}`:              `{"must":[{"key":"a","match":{"any":[]}}]}`,
		`{"a": {"$nin": ["x"], "$ne": 3}}`: `{"must_not":[{"key":"a","match":{"value":3}},` +
			`{"key":"a","match":{"any":["x"]}}]}`,
		`{"a": {"$exists": true}, "b": {"$exists": false}}`: `{"must":[{"is_empty":{"key":"b"}}],` +
			`"must_not":[{"is_empty":{"key":"a"}}]}`,
		`{"$or": [{"a": 1}, {"b": 2, "c": 3}]}`: `{"must":[{"should":[{"must":[{"key":"a","match":{"value":1}}]},` +
			`{"must":[{"key":"b","match":{"value":2}},{"key":"c","match":{"value":3}}]}]}]}`,
		`{"$and": [{"a": 1}], "$not": {"b": 2}}`: `{"must":[{"must":[{"key":"a","match":{"value":1}}]}],` +
			`"must_not":[{"must":[{"key":"b","match":{"value":2}}]}]}`,
		`{"a": {"$not": {"$gt": 1}}}`: `{"must_not":[{"must":[{"key":"a","range":{"gt":1}}]}]}`,
	} {
		f, err := ParseOperators([]byte(operators))
		if err != nil {
			t.Errorf("%s: %v", operators, err)
			continue
		}
		got, err := json.Marshal(f)
		if err != nil || string(got) != want {
			t.Errorf("%s is %s, %v\nwant %s", operators, got, err, want)
		}
		if either, err := Parse([]byte(operators)); err != nil {
			t.Errorf("Parse %s: %v", operators, err)
		} else if got, err := json.Marshal(either); err != nil || string(got) != want {
			t.Errorf("Parse makes %s of %s, %v", got, operators, err)
		}
	}
}

// TestErrors reads filters that are wrong: each error names the place and what is expected there.
func TestErrors(t *testing.T) {
	deep := strings.Repeat(`{"must":[`, 40) + strings.Repeat(`]}`, 40)
	deepOperators := strings.Repeat(`{"$not":`, 40) + `{}` + strings.Repeat(`}`, 40)
	many := `{"must":[` + strings.Repeat(`{"is_null":{"key":"a"}},`, 10_000) + `{"is_null":{"key":"a"}}]}`
	for _, c := range []struct{ filter, want string }{
		{``, "filter: it isn't valid JSON: EOF"},
		{`{"a":1} {}`, "filter: it isn't valid JSON: after its end there is more"},
		{"{\"a\":\"\xff\"}", "filter: it isn't valid UTF-8"},
		{`[]`, "filter: it is an array, an object is expected"},
		{`{"must": 7}`, "filter: must: it is 7, a condition or an array of conditions is expected"},
		{`{"must": [7]}`, "filter: must[0]: it is 7, an object is expected"},
		{`{"must": [{}]}`, "filter: must[0]: it has 0 tests, one is expected of"},
		{deep, "filters are within each other more than 32 deep"},
		{deepOperators, "operators are within each other more than 32 deep"},
		{many, "filter: must: the filter has more than 10000 conditions"},
		{`{"must_not": {"keys": "a"}}`, "filter: must_not.keys: it isn't known, expected are: key, match, range,"},
		{`{"must": {"key": 3}}`, "filter: must.key: it is 3, a string is expected"},
		{`{"must": [{"match": {"value": 3}}]}`, "filter: must[0]: match, range and values_count have a key beside them"},
		{`{"must": [{"key": "a", "is_null": {"key": "a"}}]}`, "filter: must[0]: match, range and values_count have a key"},
		{`{"must": [{"key": "a", "match": {"value": {}}}]}`,
			"must[0].match.value: it is an object, a string, a boolean or"},
		{`{"must": [{"key": "a", "match": {"value": 1e999}}]}`,
			"match.value: it is 1e999, a string, a boolean or a finite"},
		{`{"must": [{"key": "a", "match": {}}]}`, "must[0].match: it has 0 of value, any, except, text and"},
		{`{"must": [{"key": "a", "match": {"any": ["x", null]}}]}`, "match.any[1]: it is null, a string, a boolean or a"},
		{`{"must": [{"key": "a", "match": {"like": "x"}}]}`, "match.like: it isn't known, expected are: value, any"},
		{`{"must": [{"key": "a", "match": {"text": " .,"}}]}`, "must[0].match.text: it has no word"},
		{`{"must": [{"key": "a", "range": {}}]}`, "must[0].range: it has no bound: one of gt, gte, lt"},
		{`{"must": [{"key": "a", "range": {"gt": "x"}}]}`, `must[0].range.gt: it is the string "x", a finite number`},
		{`{"must": [{"key": "a", "range": {"gt": true}}]}`, "must[0].range.gt: it is true, a finite number or a time"},
		{`{"must": [{"key": "a", "range": {"gt": 1, "lt": "2024-05-01"}}]}`, "must[0].range: some bounds are numbers and"},
		{`{"must": [{"key": "a", "values_count": {"gt": "2024-05-01"}}]}`, "values_count: its bounds are times"},
		{`{"must": [{"key": "a..b", "match": {"value": 1}}]}`, `must[0].key: the key "a..b": a name is expected`},
		{`{"must": [{"key": "a[x]", "match": {"value": 1}}]}`, "[] or the number of an element in brackets"},
		{`{"must": [{"key": "a[0]b", "match": {"value": 1}}]}`, `before "b" a dot is expected`},
		{`{"must": [{"is_null": {"key": "\"a"}}]}`, "a closing quote is expected"},
		{`{"must": [{"has_id": [-1]}]}`, "has_id[0]: it is -1, an id is expected"},
		{`{"must": [{"nested": {"key": "a", "filter": {"must": {"has_id": [1]}}}}]}`,
			"nested.filter: has_id can't be nested"},
		{`{"min_should": {"conditions": [], "min_count": 0.5}}`, "min_should.min_count: it is 0.5, a whole"},
		{`{"min_should": {"conditions": [], "min_count": -1}}`, "min_should.min_count: it is -1, below 0"},

		{`{"a": {"$like": "x"}}`, "filter: a.$like: it isn't known, expected are: $eq, $ne,"},
		{`{"$xor": []}`, "filter: $xor: it isn't known, expected are fields and: $and, $or, $not"},
		{`{"a": {}}`, "filter: a: it is an empty object, a value is expected, or operators"},
		{`{"a": {"b": 1}}`, "filter: a.b: it isn't known, expected are: $eq"},
		{`{"a": [1]}`, "filter: a: it is an array, a string, a boolean or a finite number is expected"},
		{`{"a": {"$gt": "x"}}`, `filter: a.$gt: it is the string "x", a number or a time`},
		{`{"a": {"$gt": null}}`, "filter: a.$gt: it is null, a number or a time"},
		{`{"a": {"$in": "x"}}`, `filter: a.$in: it is the string "x", an array is expected`},
		{`{"a": {"$exists": 1}}`, "filter: a.$exists: it is 1, true or false is expected"},
		{`{"$or": []}`, "filter: $or: it is empty, at least one object is expected"},
		{`{"$and": [{"a": {"$eq": []}}]}`, "filter: $and[0].a.$eq: it is an array, a string"},
		{`{"a.": 1}`, `filter: a.: the key "a.": a name is expected`},
		{`{"must": 1, "a": {"$in": 3}}`, "filter: a.$in: it is 3, an array is expected"},
	} {
		_, err := Parse([]byte(c.filter))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.100s: %v\nwant %s", c.filter, err, c.want)
		}
	}
	for _, v := range []any{math.NaN(), math.Inf(1), nil, struct{}{}, []any{1}} {
		if _, err := Compile(Filter{Must: []Condition{{Key: "a", Match: &Match{Any: []any{v}}}}}); err == nil {
			t.Errorf("%v is accepted as a value", v)
		}
		if _, err := Compile(Filter{Must: []Condition{{Key: "a", Range: &Range{Gte: 1, Lt: v}}}}); err == nil && v != nil {
			t.Errorf("%v is accepted as a bound", v)
		}
	}
}

// TestNumbers writes numbers and reads them again.
func TestNumbers(t *testing.T) {
	for _, text := range []string{"0", "-1", "12345678901234567", "9223372036854775807", "-9223372036854775808",
		"18446744073709551615", "18446744073709550593", "2.5", "1e+300", "-10000000000000000000", "-0.1",
		"-9007199254740993"} {
		n, ok := parseNumber([]byte(text))
		if !ok || string(n.JSON()) != text {
			t.Errorf("%s became %s, %v", text, n.JSON(), ok)
		}
		if back := NumberOfKey(n.Key()); back != n {
			t.Errorf("%s: the key of %+v stands for %+v", text, n, back)
		}
	}
	for _, text := range []string{"", "-", "1e999", "x", "-x"} {
		if n, ok := parseNumber([]byte(text)); ok {
			t.Errorf("%q became %s", text, n.JSON())
		}
	}
}

// FuzzParse reads filters and, if they are valid, evaluates them over a payload and over the filter itself.
func FuzzParse(f *testing.F) {
	for _, filter := range []string{`{"must":[{"key":"a.b[]","match":{"any":["x",1]}}],"should":{"is_null":{"key":"a"}}}`,
		`{"must_not":[{"nested":{"key":"c","filter":{"must":{"key":"d","range":{"gt":1}}}}}]}`,
		`{"min_should":{"conditions":[{"has_id":[1,"x"]}],"min_count":1}}`, `{"a":{"$in":[1]},"$or":[{"b":{"$ne":"x"}}]}`,
		`{"must":{"key":"a","match":{"except":[true]}},"must_not":{"key":"d","match":{"text":"x"}}}`} {
		f.Add([]byte(filter), []byte(`{"a":{"b":["x",1,null]},"c":[{"d":2}],"d":"x y"}`))
	}
	f.Fuzz(func(t *testing.T, filter, payload []byte) {
		read, err := Parse(filter)
		if err != nil {
			return
		}
		m, err := Compile(read)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(read)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		same, err := Compile(again)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := same.Match(payload, ID{}), m.Match(payload, ID{}); got != want {
			t.Errorf("%s of %s: %v, and %v when it is written and read again", text, payload, want, got)
		}
		m.Match(filter, ID{})
	})
}

func BenchmarkMatch(b *testing.B) {
	f, err := Parse([]byte(`{"city": "London", "price": {"$gte": 10, "$lt": 20}}`))
	if err != nil {
		b.Fatal(err)
	}
	m, err := Compile(f)
	if err != nil {
		b.Fatal(err)
	}
	payload := []byte(`{"title":"` + strings.Repeat("some words of a text ", 10) + `","city":"London","n":3,"price":12.5}`)
	b.ReportAllocs()
	for b.Loop() {
		if !m.Match(payload, ID{}) {
			b.Fatal("no match")
		}
	}
}
