package collection

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/vector"
)

// TestBadDocuments writes batches of which one document is refused: nothing of them is written, and the error names the
// document and what is wrong.
func TestBadDocuments(t *testing.T) {
	o := Options{MaxPayloadBytes: 100, MaxPayloadDepth: 3, MaxPayloadValues: 10, MaxIDBytes: 8}
	c := created(t, plain(vector.Cosine), o)
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	valid := map[string][]float32{"": {1, 2, 3, 4}}
	payload := func(s string) Document {
		return Document{ID: NumberID(5), Vectors: valid, Payload: json.RawMessage(s)}
	}
	for name, bad := range map[string]struct {
		d    Document
		want string
	}{
		"short":     {document(NumberID(5), 1, 1, 2, 3), "3 values, not 4"},
		"long":      {document(NumberID(5), 1, 1, 2, 3, 4, 5), "5 values, not 4"},
		"NaN":       {document(NumberID(5), 1, 1, nan, 3, 4), shale.ErrNotFinite.Error()},
		"infinity":  {document(NumberID(5), 1, 1, inf, 3, 4), shale.ErrNotFinite.Error()},
		"no vector": {Document{ID: NumberID(5)}, "has none"},
		"other":     {Document{ID: NumberID(5), Vectors: map[string][]float32{"x": {1, 2, 3, 4}}}, `no vector "x"`},
		"both":      {Document{ID: NumberID(5), Vector: valid[""], Vectors: valid}, "both Vector and Vectors"},
		"twice":     {document(NumberID(1), 1, 1, 2, 3, 4), "document 0 of the batch has the same"},
		"empty id":  {document(StringID(""), 1, 1, 2, 3, 4), "empty"},
		"long id":   {document(StringID("123456789"), 1, 1, 2, 3, 4), "9 bytes, at most 8"},
		"id":        {document(StringID("\xff"), 1, 1, 2, 3, 4), "UTF-8"},
		"array":     {payload(`[1]`), "isn't a JSON object"},
		"text":      {payload(`"x"`), "isn't a JSON object"},
		"cut":       {payload(`{"a":1`), "unexpected end"},
		"two":       {payload(`{} {}`), "after top-level"},
		"white":     {payload(`  `), "isn't a JSON object"},
		"UTF-8":     {payload("{\"a\":\"\xff\"}"), "UTF-8"},
		"number":    {payload(`{"a":1e999}`), "1e999 is too large"},
		"deep":      {payload(`{"a":[[[1]]]}`), "more than 3 deep"},
		"many":      {payload(`{"a":[1,2,3,4,5,6,7]}`), "more than 10"},
		"large":     {payload(`{"a":"` + strings.Repeat("x", 100) + `"}`), "at most 100"},
	} {
		err := c.Upsert(context.Background(), []Document{document(NumberID(1), 1, 1, 2, 3, 4), bad.d})
		var refused *DocumentError
		if !errors.Is(err, ErrInvalid) || !errors.As(err, &refused) || refused.At != 1 || refused.ID != bad.d.ID ||
			!strings.Contains(err.Error(), bad.want) {
			t.Errorf("%s: the error is %v, not of document 1 with %q", name, err, bad.want)
		}
	}
	if n, err := c.Count(); n != 0 || err != nil {
		t.Errorf("%d documents were written, %v", n, err)
	}
	mustUpsert(t, c, payload(` { "a" : [ [ 1e-999 ] ] } `))
	if got := string(mustGet(t, c, NumberID(5))[0].Payload); got != `{"a":[[1e-999]]}` {
		t.Errorf("the payload is %s", got)
	}
	verified(t, c, 1)
}

// TestBadCalls asks for what can't be.
func TestBadCalls(t *testing.T) {
	c := created(t, plain(vector.L2), Options{MaxBatch: 2})
	mustUpsert(t, c, document(NumberID(1), 1, 1, 2, 3, 4))
	ctx := context.Background()
	three := make([]Document, 3)
	_, deleted := c.Delete(ctx, NumberID(1), NumberID(2), NumberID(3))
	_, short := c.Query(ctx, Query{Near: [][]float32{{1, 2, 3, 4}, {1}}})
	_, nan := c.Query(ctx, Query{Near: [][]float32{{1, 2, 3, float32(math.NaN())}}})
	_, k := c.Query(ctx, Query{Near: [][]float32{{1, 2, 3, 4}}, K: -1})
	ended, cancel := context.WithCancel(ctx)
	cancel()
	for name, err := range map[string]error{
		"upsert": c.Upsert(ctx, three), "delete": deleted, "dimension": short, "NaN": nan, "k": k,
		"context": c.Upsert(ended, []Document{document(NumberID(2), 1, 1, 2, 3, 4)}),
	} {
		if err == nil || errors.Is(err, ErrInvalid) != (name != "context") {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
	if !errors.Is(short, vector.ErrDim) || !strings.Contains(short.Error(), "query 1") {
		t.Errorf("a short query gave %v", short)
	}
	hits := mustQuery(t, c, Query{Near: [][]float32{{1, 2, 3, 4}}, K: math.MaxInt})
	if len(hits[0]) != 1 {
		t.Errorf("a query with a huge k found %d documents", len(hits[0]))
	}
	if hits := mustQuery(t, c, Query{}); len(hits) != 0 {
		t.Errorf("no query found %v", hits)
	}
	verified(t, c, 1)
}

// TestBadSchemas makes collections that can't be.
func TestBadSchemas(t *testing.T) {
	for name, s := range map[string]Schema{
		"none":      {},
		"no dim":    {Vectors: []Vector{{}}},
		"huge":      {Vectors: []Vector{{Dim: math.MaxInt}}},
		"same name": {Vectors: []Vector{{Name: "a", Dim: 4}, {Name: "a", Dim: 4}}},
		"no name":   {Vectors: []Vector{{Dim: 4}, {Name: "a", Dim: 4}}},
		"UTF-8":     {Vectors: []Vector{{Name: "\xff", Dim: 4}}},
		"M":         {Vectors: []Vector{{Dim: 4, M: -1}}},
		"many":      {Vectors: make([]Vector, mostVectors+1)},
	} {
		dir := t.TempDir() + "/c"
		if err := Create(dir, s); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: the error is %v", name, err)
		}
		if _, err := Open(context.Background(), dir, Options{}); err == nil {
			t.Errorf("%s: something was left", name)
		}
	}
	if _, err := Open(context.Background(), t.TempDir(), Options{SegmentRows: -1}); !errors.Is(err, ErrInvalid) {
		t.Errorf("Open with negative options gave %v", err)
	}
}

// TestDocumentJSON reads documents as programs write them.
func TestDocumentJSON(t *testing.T) {
	for _, s := range []string{
		`{"id":18446744073709551615,"vector":[1,2.5],"payload":{"a":1}}`, `{"id":"ü","vectors":{"a":[1],"b":[2]}}`,
	} {
		var d Document
		if err := json.Unmarshal([]byte(s), &d); err != nil || text(t, d) != s {
			t.Errorf("%s became %s, %v", s, text(t, d), err)
		}
	}
	for _, s := range []string{
		`{"vector":[1]}`, `{"id":null,"vector":[1]}`, `{"id":-1}`, `{"id":1.5}`, `{"id":18446744073709551616}`,
		`{"id":true}`, `{"id":[1]}`, `{"id":1,"vector":[1e39]}`, `{"id":1,"vector":["1"]}`, `{"id":1,"vektor":[1]}`,
		`{"id":1,"vector":[1],"vectors":{"a":[1]}}`, `{"id":1,"distance":2}`, "{\"id\":\"\xff\"}", `[]`, `1`,
	} {
		var d Document
		if err := json.Unmarshal([]byte(s), &d); err == nil {
			t.Errorf("%s became %s", s, text(t, d))
		}
	}
}
