package jsonobject

import (
	"encoding/json"
	"testing"
)

// TestMembers takes objects apart and puts them together.
func TestMembers(t *testing.T) {
	for in, want := range map[string]string{
		`{}`: `{}`, `{"a":1}`: `{"a":1}`, ` { "b" : [ 1 ], "a":1e2} `: `{"b":[ 1 ],"a":1e2}`,
		`{"a":1,"b":2,"a":{"x":null}}`: `{"a":{"x":null},"b":2}`, `{"\u00fc\n\"\\\u0001<":true}`: `{"ü\n\"\\\u0001<":true}`,
	} {
		all, err := Members([]byte(in))
		if got := string(Append(nil, all)); err != nil || got != want || !json.Valid([]byte(got)) {
			t.Errorf("%s became %s, not %s, %v", in, got, want, err)
		}
	}
	for _, bad := range []string{
		``, `1`, `[]`, `"a"`, `null`, `{`, `{"a"`, `{"a":}`, `{"a":1`, `{"a":1}}`, `{} {}`, `{a:1}`,
	} {
		if all, err := Members([]byte(bad)); err == nil {
			t.Errorf("%s became %v", bad, all)
		}
	}
	all, err := Members([]byte(`{"a":1,"b":2}`))
	if err != nil || Find(all, "b") != 1 || Find(all, "c") != -1 {
		t.Errorf("found %d and %d, %v", Find(all, "b"), Find(all, "c"), err)
	}
}
