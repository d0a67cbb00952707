package collection

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/shale-search/shale/internal/payload"
	"github.com/shale-search/shale/vector"
)

// TestFilters compares which documents filters made in Go find, and what they are in JSON, which is read again.
func TestFilters(t *testing.T) {
	c := created(t, plain(vector.L2), Options{})
	for i, p := range []string{
		`{"city":"Rome","price":10,"when":"2024-05-01T12:00:00Z","text":"A red house","rooms":[{"kind":"bath","size":4}]}`,
		`{"city":"Oslo","price":20.5,"when":"2024-05-02 09:30:00","text":"red","rooms":[{"kind":"bath","size":9}],"x":null}`,
		`{"city":["Rome","Oslo"],"price":[5,30],"sold":true,"text":"House"}`,
		`{}`,
	} {
		d := document(NumberID(uint64(i)), 0, float32(i), 0, 0, 0)
		d.Payload = json.RawMessage(p)
		mustUpsert(t, c, d)
	}
	noon := time.Date(2024, 5, 1, 13, 0, 0, 0, time.FixedZone("", 3600))
	rome := Equal("city", "Rome")
	for _, x := range []struct {
		filter Filter
		json   string
		want   string
	}{
		{Filter{}, `{}`, `[0,1,2,3]`},
		{All(), `{}`, `[0,1,2,3]`},
		{Any(), `{"min_should":{"conditions":[],"min_count":1}}`, `null`},
		{rome, `{"must":[{"key":"city","match":{"value":"Rome"}}]}`, `[0,2]`},
		{Equal("sold", true), `{"must":[{"key":"sold","match":{"value":true}}]}`, `[2]`},
		{Equal("price", uint8(10)), `{"must":[{"key":"price","match":{"value":10}}]}`, `[0]`},
		{OneOf("city", "Oslo", "Bonn"), `{"must":[{"key":"city","match":{"any":["Oslo","Bonn"]}}]}`, `[1,2]`},
		{OneOf[any]("price", 20.5, 30), `{"must":[{"key":"price","match":{"any":[20.5,30]}}]}`, `[1,2]`},
		{OneOf[string]("city"), `{"must":[{"key":"city","match":{"any":[]}}]}`, `null`},
		{InRange("price", Range{Gt: 5, Lte: 20.5}), `{"must":[{"key":"price","range":{"gt":5,"lte":20.5}}]}`, `[0,1]`},
		{InRange("when", Range{Gte: noon}), `{"must":[{"key":"when","range":{"gte":"2024-05-01T12:00:00Z"}}]}`, `[0,1]`},
		{InRange("when", Range{Gt: noon}), `{"must":[{"key":"when","range":{"gt":"2024-05-01T12:00:00Z"}}]}`, `[1]`},
		{Words("text", "house RED"), `{"must":[{"key":"text","match":{"text":"house RED"}}]}`, `[0]`},
		{Empty("x"), `{"must":[{"is_empty":{"key":"x"}}]}`, `[0,1,2,3]`},
		{Null("x"), `{"must":[{"is_null":{"key":"x"}}]}`, `[1]`},
		{IDs(NumberID(3), StringID("3"), NumberID(1)), `{"must":[{"has_id":[3,"3",1]}]}`, `[1,3]`},
		{Nested("rooms", All(Equal("kind", "bath"), InRange("size", Range{Lt: 5}))), `{"must":[{"nested":{"key":"rooms",` +
			`"filter":{"must":[{"key":"kind","match":{"value":"bath"}},{"key":"size","range":{"lt":5}}]}}}]}`, `[0]`},
		{Not(rome), `{"must_not":[{"key":"city","match":{"value":"Rome"}}]}`, `[1,3]`},
		{Any(rome, IDs(NumberID(3))), `{"should":[{"key":"city","match":{"value":"Rome"}},{"has_id":[3]}]}`, `[0,2,3]`},
		{All(rome, Not(Equal("sold", true)), Filter{}), `{"must":[{"key":"city","match":{"value":"Rome"}},` +
			`{"must_not":[{"key":"sold","match":{"value":true}}]},{"must":[]}]}`, `[0]`},
	} {
		if got := text(t, x.filter); got != x.json {
			t.Errorf("the filter is %s, want %s", got, x.json)
		}
		var again Filter
		if err := json.Unmarshal([]byte(x.json), &again); err != nil {
			t.Errorf("%s: %v", x.json, err)
		}
		for _, f := range []Filter{x.filter, again} {
			var ids []ID
			found, err := c.Scroll(context.Background(), ScrollOptions{Filter: f})
			for _, d := range found {
				ids = append(ids, d.ID)
			}
			if got := text(t, ids); got != x.want || err != nil {
				t.Errorf("%s found %s, %v, want %s", x.json, got, err, x.want)
			}
		}
	}
}

// TestBadFilters makes filters that make no sense: each is an error of the call that it is given to, which names the
// part that is wrong.
func TestBadFilters(t *testing.T) {
	c := created(t, plain(vector.L2), Options{})
	for want, f := range map[string]Filter{
		"must[0].match: it has 0 of value":    Equal("a", nil),
		"must[0].match.value: it is [], a st": Equal("a", []string{}),
		"must[0].match.any[1]":                OneOf[any]("a", 1, nil),
		"must[0].range: it has no bound":      InRange("a", Range{}),
		"must[0].range.gt":                    InRange("a", Range{Gt: "yesterday"}),
		"must[0].match.text: it has no word":  Words("a", " ,"),
		"must[0].is_empty.key":                Empty("a..b"),
		"must_not[0].is_null.key":             Not(Null("")),
		"has_id can't be nested":              Nested("a", IDs(NumberID(1))),
	} {
		_, err := c.CountWhere(context.Background(), f)
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, not one with %q", err, want)
		}
	}
	for _, bad := range []string{``, `[]`, `{"a":{"$x":1}}`, `{"must":[{"key":"a"}]}`} {
		if _, err := ParseFilter([]byte(bad)); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: the error is %v, not ErrInvalid", bad, err)
		}
	}
}

// TestIndexKinds checks that the kinds of payload indexes are those that there are.
func TestIndexKinds(t *testing.T) {
	for _, k := range []IndexKind{Keyword, UUID, Integer, Float, Bool, Datetime, Text} {
		if err := payload.Kind(k).Check(); err != nil {
			t.Error(err)
		}
	}
}
