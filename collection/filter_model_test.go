package collection

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/shale-search/shale/internal/payload"
	"github.com/shale-search/shale/vector"
)

// filterModel is what a collection should hold: payloads by ID, which are numbers.
type filterModel map[uint64]json.RawMessage

var (
	modelIndexes = []PayloadIndex{
		{"word", Keyword}, {"tags", Keyword}, {"n", Integer}, {"n", Float},
		{"yes", Bool}, {"when", Datetime}, {"id", UUID}, {"text", Text},
		{"deep.list[].n", Integer},
	}
	modelWords  = []string{"", "a", "b", "ü", string(make([]byte, 300)), uuid, otherUUID}
	modelTimes  = []string{"2024-05-01T12:00:00Z", "2024-05-01", "2030-01-01T00:00:00.5+02:00", "soon"}
	modelValues = []any{1, 2, -3, 2.5, 9007199254740993, true, false, nil, "a", []any{}, []any{"a", "a", 1}, []any{nil}}
)

func anyPayload(r *rapid.T) json.RawMessage {
	word := func() any { return rapid.SampledFrom(modelWords).Draw(r, "word") }
	number := func() any { return rapid.IntRange(-3, 3).Draw(r, "n") }
	members := map[string]func() any{
		"word": word, "id": word, "n": number,
		"tags": func() any { return []any{word(), number(), word()} },
		"yes":  func() any { return rapid.Bool().Draw(r, "yes") },
		"when": func() any { return rapid.SampledFrom(modelTimes).Draw(r, "when") },
		"text": func() any { return rapid.SampledFrom([]string{"Red wine", "red", "white wine!"}).Draw(r, "text") },
		"deep": func() any {
			return map[string]any{"list": []any{map[string]any{"n": number()}, map[string]any{"n": 7}}}
		},
	}
	object := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		switch rapid.IntRange(0, 9).Draw(r, "what of "+name) {
		case 0:
			object[name] = rapid.SampledFrom(modelValues).Draw(r, "value")
		case 1, 2:
		default:
			object[name] = members[name]()
		}
	}
	b, err := json.Marshal(object)
	if err != nil {
		r.Fatal(err)
	}
	return b
}

func anyTest(r *rapid.T) payload.Condition {
	key := rapid.SampledFrom([]string{"word", "tags", "n", "yes", "when", "id", "deep.list[].n", "none"}).Draw(r, "key")
	some := func() (values []any) {
		for range rapid.IntRange(1, 3).Draw(r, "values") {
			switch rapid.IntRange(0, 3).Draw(r, "type") {
			case 0:
				values = append(values, rapid.IntRange(-3, 3).Draw(r, "number"))
			case 1:
				values = append(values, rapid.Bool().Draw(r, "bool"))
			default:
				values = append(values, rapid.SampledFrom(modelWords).Draw(r, "word"))
			}
		}
		return values
	}
	low, text := rapid.IntRange(-3, 3).Draw(r, "low"), rapid.SampledFrom([]string{"red", "wine red", "x"}).Draw(r, "text")
	switch rapid.IntRange(0, 8).Draw(r, "test") {
	case 0:
		return payload.Condition{Key: key, Match: &payload.Match{Any: some()}}
	case 1:
		return payload.Condition{Key: key, Match: &payload.Match{Except: some()}}
	case 2:
		return payload.Condition{Key: key, Range: &payload.Range{Gte: low, Lt: low + 2}}
	case 3:
		return payload.Condition{Key: "when", Range: &payload.Range{Gt: "2024-05-01"}}
	case 4:
		return payload.Condition{Key: "text", Match: &payload.Match{Text: &text}}
	case 5:
		return payload.Condition{Key: "text", Match: &payload.Match{TextAny: &text}}
	case 6:
		return payload.Condition{IsEmpty: &payload.Field{Key: key}}
	case 7:
		return payload.Condition{HasID: &payload.HasID{{Number: uint64(low + 3)}, {Number: 11}, {Number: 99}}}
	}
	return payload.Condition{Key: key, Match: &payload.Match{Value: some()[0]}}
}

func anyTests(r *rapid.T) Filter {
	some := func(name string) (tests []payload.Condition) {
		for range rapid.IntRange(0, 2).Draw(r, name) {
			tests = append(tests, anyTest(r))
		}
		return tests
	}
	f := payload.Filter{Must: some("must"), Should: some("should"), MustNot: some("must_not")}
	if rapid.IntRange(0, 4).Draw(r, "min_should") == 0 {
		f.MinShould = &payload.MinShould{Conditions: some("conditions"), Min: rapid.IntRange(0, 2).Draw(r, "least")}
	}
	return Filter{f}
}

// TestFilterModel does random things to a collection with payload indexes, and to a model, and asks both filters.
func TestFilterModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		ctx := context.Background()
		dir := modelDir(t, r)
		s := plain(vector.L2)
		s.Indexes = rapid.SliceOfNDistinct(rapid.SampledFrom(modelIndexes), 0, 4, rapid.ID).Draw(r, "indexes")
		if err := Create(dir, s); err != nil {
			r.Fatal(err)
		}
		o := Options{SegmentRows: rapid.IntRange(1, 30).Draw(r, "segment rows")}
		c, m := modelOpen(r, dir, o), filterModel{}
		for range rapid.IntRange(1, 40).Draw(r, "steps") {
			switch rapid.IntRange(0, 11).Draw(r, "what") {
			case 0, 1, 2:
				m.upsert(r, c)
			case 3:
				m.update(r, c)
			case 4:
				m.deleteWhere(r, c)
			case 5:
				if err := c.Seal(ctx); err != nil {
					r.Fatal(err)
				}
			case 6:
				modelClose(r, c)
				c = modelOpen(r, dir, o)
			case 7:
				x := rapid.SampledFrom(modelIndexes).Draw(r, "index")
				if err := c.CreatePayloadIndex(ctx, x); err != nil {
					r.Fatal(err)
				}
			case 8:
				if _, err := c.DropPayloadIndex(rapid.SampledFrom(modelIndexes).Draw(r, "dropped")); err != nil {
					r.Fatal(err)
				}
			case 9:
				if err := c.Compact(ctx); err != nil {
					r.Fatal(err)
				}
			default:
				m.compare(r, c)
			}
		}
		m.compare(r, c)
		modelClose(r, c)
		report, err := Verify(ctx, dir, Options{})
		if err != nil || len(report.Problems) > 0 || report.Documents != len(m) {
			r.Fatalf("verify: %+v, %v; the model has %d documents", report, err, len(m))
		}
		if err := os.RemoveAll(dir); err != nil { // a store's log takes 18 MiB
			r.Fatal(err)
		}
	})
}

// TestFilterWithoutItsIDs filters by IDs of which no document has any.
func TestFilterWithoutItsIDs(t *testing.T) {
	c := created(t, plain(vector.L2), Options{})
	mustUpsert(t, c, document(NumberID(5), 1, 1, 2, 3, 4))
	for filter, want := range map[string]int{
		`{"must":[{"key":"number","range":{"gt":0}}],"must_not":[{"has_id":[0,11]}]}`: 1,
		`{"must":[{"key":"number","range":{"gt":0}},{"has_id":[0,11]}]}`:              0,
	} {
		f, err := ParseFilter([]byte(filter))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := c.CountWhere(context.Background(), f); n != want || err != nil {
			t.Errorf("%s: counted %d, %v, want %d", filter, n, err, want)
		}
	}
}

func (m filterModel) upsert(r *rapid.T, c *Collection) {
	var batch []Document
	for _, n := range rapid.SliceOfNDistinct(rapid.Uint64Range(0, 29), 1, 12, rapid.ID).Draw(r, "ids") {
		d := Document{ID: NumberID(n), Vector: []float32{float32(n), 0, 0, 0}}
		if rapid.IntRange(0, 9).Draw(r, "payload") > 0 {
			d.Payload = anyPayload(r)
		}
		m[n] = d.Payload
		batch = append(batch, d)
	}
	if err := c.Upsert(context.Background(), batch); err != nil {
		r.Fatal(err)
	}
}

// update replaces payloads.
func (m filterModel) update(r *rapid.T, c *Collection) {
	var batch []Update
	for _, n := range rapid.SliceOfNDistinct(rapid.Uint64Range(0, 29), 1, 6, rapid.ID).Draw(r, "updated") {
		u := Update{ID: NumberID(n), Payload: anyPayload(r)}
		if _, there := m[n]; there {
			m[n] = u.Payload
		}
		batch = append(batch, u)
	}
	if _, err := c.Update(context.Background(), batch); err != nil {
		r.Fatal(err)
	}
}

func (m filterModel) deleteWhere(r *rapid.T, c *Collection) {
	f := anyTests(r)
	found := m.matching(r, f)
	if len(found) > 10 {
		return // so that the collection doesn't become empty all the time
	}
	n, err := c.DeleteWhere(context.Background(), f)
	if err != nil || n != len(found) {
		r.Fatalf("%s: %d documents were deleted, %v; the model had %d of them", text(r, f), n, err, len(found))
	}
	for _, id := range found {
		delete(m, id)
	}
}

// matching returns the IDs of the documents that satisfy a filter, in order.
func (m filterModel) matching(r *rapid.T, f Filter) (ids []uint64) {
	matcher, err := payload.Compile(f.tree)
	if err != nil {
		r.Fatal(err)
	}
	for _, n := range slices.Sorted(maps.Keys(m)) {
		if matcher.Match(m[n], payload.ID{Number: n}) {
			ids = append(ids, n)
		}
	}
	return ids
}

// compare asks a filter in every way.
func (m filterModel) compare(r *rapid.T, c *Collection) {
	ctx := context.Background()
	f := anyTests(r)
	want := m.matching(r, f)
	if n, err := c.CountWhere(ctx, f); err != nil || n != len(want) {
		r.Fatalf("%s: counted %d, %v; the model has %d", text(r, f), n, err, len(want))
	}
	limit := rapid.IntRange(1, 30).Draw(r, "limit")
	listed, err := c.Scroll(ctx, ScrollOptions{Limit: limit, Filter: f})
	if err != nil {
		r.Fatal(err)
	}
	var got []uint64
	for _, d := range listed {
		got = append(got, d.ID.number)
	}
	if !slices.Equal(got, want[:min(limit, len(want))]) {
		r.Fatalf("%s: listed %v of the model's %v", text(r, f), got, want)
	}
	var stats QueryStats
	q := Query{Near: [][]float32{{0, 0, 0, 0}}, K: limit, Filter: f, Exact: rapid.Bool().Draw(r, "exact"), Stats: &stats}
	hits, err := c.Query(ctx, q)
	if err != nil {
		r.Fatal(err)
	}
	got = nil
	for _, h := range hits[0] {
		got = append(got, h.ID.number)
	}
	if !slices.Equal(got, want[:min(limit, len(want))]) || stats.Allowed != len(want) {
		r.Fatalf("%s: found %v and %+v, the model has %v", text(r, f), got, stats, want)
	}
	m.compareFacets(r, c, f, want)
}

func (m filterModel) compareFacets(r *rapid.T, c *Collection, f Filter, ids []uint64) {
	field := rapid.SampledFrom([]string{"word", "tags", "yes", "n"}).Draw(r, "field")
	indexes, err := c.PayloadIndexes()
	if err != nil {
		r.Fatal(err)
	}
	kind := ""
	for _, x := range indexes {
		if x.Field == field && kind == "" {
			kind = map[IndexKind]string{Keyword: `"`, Bool: "tf"}[x.Kind]
			if payload.Kind(x.Kind).IsNumeric() {
				kind = "-0123456789"
			}
		}
	}
	path, err := payload.ParsePath(field)
	if err != nil {
		r.Fatal(err)
	}
	want := map[string]int{}
	for _, n := range ids {
		for _, value := range path.Scalars(m[n]) {
			if kind == "" || slices.Contains([]byte(kind), value[0]) {
				want[value]++
			}
		}
	}
	facets, err := c.Facets(context.Background(), FacetOptions{Field: field, Filter: f, Limit: 100})
	if err != nil {
		r.Fatal(err)
	}
	got := map[string]int{}
	for _, x := range facets {
		got[string(x.Value)] = x.Count
	}
	if !maps.Equal(got, want) || len(got) != len(facets) {
		r.Fatalf("%s of %s: %v, the model has %v", field, text(r, f), got, want)
	}
}
