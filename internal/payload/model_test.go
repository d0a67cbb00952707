package payload

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestMain makes what TestModel does the same every time, unless flags say otherwise.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.seed": "1", "rapid.checks": "500", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	flag.Parse()
	os.Exit(m.Run())
}

// The functions here evaluate filters over decoded JSON, in as plain a way as possible.

func modelFilter(f Filter, payload any, id ID) bool {
	holds := func(c Condition) bool { return modelCondition(c, payload, id) }
	count := 0
	if f.MinShould != nil {
		for _, c := range f.MinShould.Conditions {
			if holds(c) {
				count++
			}
		}
		if count < f.MinShould.Min {
			return false
		}
	}
	return !slices.ContainsFunc(f.Must, func(c Condition) bool { return !holds(c) }) &&
		!slices.ContainsFunc(f.MustNot, holds) && (len(f.Should) == 0 || slices.ContainsFunc(f.Should, holds))
}

func modelCondition(c Condition, payload any, id ID) bool {
	values := modelValues(payload, c.Key)
	var items []any
	for _, v := range values {
		if array, ok := v.([]any); ok {
			items = append(items, array...)
		} else {
			items = append(items, v)
		}
	}
	switch {
	case c.Filter != nil:
		return modelFilter(*c.Filter, payload, id)
	case c.HasID != nil:
		return slices.Contains(*c.HasID, id)
	case c.IsNull != nil:
		return slices.Contains(modelNulls(payload, c.IsNull.Key), true)
	case c.IsEmpty != nil:
		return !slices.ContainsFunc(modelValues(payload, c.IsEmpty.Key), func(v any) bool {
			array, ok := v.([]any)
			return v != nil && (!ok || len(array) > 0)
		})
	case c.Nested != nil:
		return modelNested(c.Nested, payload)
	case c.ValuesCount != nil:
		return modelCount(*c.ValuesCount, values)
	case c.Range != nil:
		return slices.ContainsFunc(items, func(v any) bool { return modelRange(*c.Range, v) })
	case c.Match.Text != nil:
		return modelWords(*c.Match.Text, items, true)
	case c.Match.TextAny != nil:
		return modelWords(*c.Match.TextAny, items, false)
	case c.Match.Value != nil:
		return slices.ContainsFunc(items, func(v any) bool { return modelEqual(v, c.Match.Value) })
	case c.Match.Any != nil:
		return slices.ContainsFunc(items, func(v any) bool { return modelAmong(v, c.Match.Any) })
	}
	return slices.ContainsFunc(items, func(v any) bool {
		switch v.(type) {
		case string, bool, json.Number:
			return !modelAmong(v, c.Match.Except)
		}
		return false
	})
}

func modelNulls(payload any, key string) (nulls []bool) {
	for _, v := range modelValues(payload, key) {
		nulls = append(nulls, v == nil)
	}
	return nulls
}

func modelNested(n *Nested, payload any) bool {
	for _, v := range modelValues(payload, n.Key) {
		array, ok := v.([]any)
		if !ok {
			array = []any{v}
		}
		for _, element := range array {
			if object, ok := element.(map[string]any); ok && modelFilter(n.Filter, object, ID{}) {
				return true
			}
		}
	}
	return false
}

func modelCount(r Range, values []any) bool {
	if len(values) == 0 {
		return modelRange(r, json.Number("0"))
	}
	for _, v := range values {
		count := 1
		if array, ok := v.([]any); ok {
			count = len(array)
		} else if v == nil {
			count = 0
		}
		if modelRange(r, json.Number(fmt.Sprint(count))) {
			return true
		}
	}
	return false
}

// modelValues follows keys whose names hold no dots.
func modelValues(payload any, key string) []any {
	values := []any{payload}
	for _, name := range strings.Split(key, ".") {
		name, each := strings.CutSuffix(name, "[]")
		var next []any
		for _, v := range values {
			object, _ := v.(map[string]any)
			v, there := object[name]
			array, isArray := v.([]any)
			switch {
			case each && isArray:
				next = append(next, array...)
			case there && !each:
				next = append(next, v)
			}
		}
		values = next
	}
	return values
}

func modelAmong(v any, values []any) bool {
	return slices.ContainsFunc(values, func(w any) bool { return modelEqual(v, w) })
}

func modelEqual(v, w any) bool {
	if a, ok := v.(json.Number); ok {
		b, ok := modelNumber(w)
		a, _ := modelNumber(a)
		return ok && a.Cmp(b) == 0
	}
	if _, ok := v.([]any); ok {
		return false
	}
	if _, ok := v.(map[string]any); ok {
		return false
	}
	return v == w
}

func modelNumber(v any) (*big.Rat, bool) {
	switch v.(type) {
	case json.Number, int, float64:
		return new(big.Rat).SetString(fmt.Sprint(v))
	}
	return nil, false
}

func modelRange(r Range, v any) bool {
	for name, bound := range map[string]any{"gt": r.Gt, "gte": r.Gte, "lt": r.Lt, "lte": r.Lte} {
		if bound == nil {
			continue
		}
		c, ok := modelCompare(v, bound)
		if !ok || c < 0 && name[0] == 'g' || c > 0 && name[0] == 'l' || c == 0 && len(name) == 2 {
			return false
		}
	}
	return true
}

func modelCompare(v, bound any) (int, bool) {
	if s, ok := bound.(string); ok {
		text, _ := v.(string)
		a, err := time.Parse(time.RFC3339, text)
		b, _ := time.Parse(time.RFC3339, s)
		return a.Compare(b), err == nil
	}
	a, ok := modelNumber(v)
	b, _ := modelNumber(bound)
	if !ok {
		return 0, false
	}
	return a.Cmp(b), true
}

func modelWords(text string, items []any, all bool) bool {
	var there []string
	for _, v := range items {
		s, _ := v.(string)
		there = append(there, strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r == ' ' || r == '-' })...)
	}
	found := 0
	words := strings.Fields(strings.ToLower(text))
	for _, word := range words {
		if slices.Contains(there, word) {
			found++
		}
	}
	return found == len(words) || !all && found > 0
}

var (
	modelNames   = []string{"a", "b", `q"\`, "é"}
	modelStrings = []any{"", "x", "y", "Red wine", "red", "wine-glass", "\u2028\"\\\n", "2024-05-01T12:00:00Z",
		"2024-05-01T14:00:00+01:00", "2025-01-01T00:00:00.000001Z"}
	modelNumbers = []string{"0", "-0", "1", "1.0", "1e0", "-7", "2.5", "9007199254740993", "9007199254740992",
		"-9007199254740993", "18446744073709551615", "-9223372036854775808", "1e300"}
)

func anyScalar(r *rapid.T) any {
	switch rapid.IntRange(0, 3).Draw(r, "type") {
	case 0:
		return rapid.Bool().Draw(r, "bool")
	case 1:
		return json.Number(rapid.SampledFrom(modelNumbers).Draw(r, "number"))
	}
	return rapid.SampledFrom(modelStrings).Draw(r, "string")
}

func anyValue(r *rapid.T, depth int) any {
	switch kind := rapid.IntRange(0, 9).Draw(r, "kind"); {
	case kind == 0:
		return nil
	case kind <= 2 && depth > 0:
		array := []any{}
		for range rapid.IntRange(0, 3).Draw(r, "elements") {
			array = append(array, anyValue(r, depth-1))
		}
		return array
	case kind <= 4 && depth > 0:
		return anyObject(r, depth-1)
	}
	return anyScalar(r)
}

func anyObject(r *rapid.T, depth int) map[string]any {
	object := map[string]any{}
	for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom(modelNames), rapid.ID).Draw(r, "names") {
		object[name] = anyValue(r, depth)
	}
	return object
}

func anyKey(r *rapid.T) string {
	key := ""
	for i := range rapid.IntRange(1, 2).Draw(r, "steps") {
		if i > 0 {
			key += "."
		}
		key += rapid.SampledFrom([]string{"a", "b", "a", "é", "a[]", "b[]"}).Draw(r, "step")
	}
	return key
}

func anyRange(r *rapid.T) *Range {
	bound := func() any {
		switch rapid.IntRange(0, 2).Draw(r, "bound") {
		case 0:
			return json.Number(rapid.SampledFrom(modelNumbers).Draw(r, "number"))
		case 1:
			return rapid.Float64Range(-10, 10).Draw(r, "float")
		}
		return nil
	}
	if rapid.Bool().Draw(r, "times") {
		bound = func() any {
			return rapid.SampledFrom([]any{modelStrings[7], modelStrings[8], modelStrings[9], nil}).Draw(r, "time")
		}
	}
	for {
		if q := (Range{bound(), bound(), bound(), bound()}); q != (Range{}) {
			return &q
		}
	}
}

func anyCondition(r *rapid.T, depth int) Condition {
	key := anyKey(r)
	switch kind := rapid.IntRange(0, 11).Draw(r, "condition"); kind {
	case 0:
		return Condition{IsEmpty: &Field{key}}
	case 1:
		return Condition{IsNull: &Field{key}}
	case 2:
		return Condition{HasID: &HasID{{Number: 7}, {Text: "7", IsText: true}}}
	case 3:
		counts := Range{Gte: rapid.IntRange(0, 3).Draw(r, "count")}
		return Condition{Key: key, ValuesCount: &counts}
	case 4, 5:
		return Condition{Key: key, Range: anyRange(r)}
	case 6:
		words := rapid.SampledFrom([]string{"red", "WINE red", "glass x", "none"}).Draw(r, "words")
		if rapid.Bool().Draw(r, "all") {
			return Condition{Key: key, Match: &Match{Text: &words}}
		}
		return Condition{Key: key, Match: &Match{TextAny: &words}}
	case 7, 8:
		values := []any{}
		for range rapid.IntRange(0, 4).Draw(r, "values") {
			values = append(values, anyScalar(r))
		}
		if kind == 7 {
			return Condition{Key: key, Match: &Match{Any: values}}
		}
		return Condition{Key: key, Match: &Match{Except: values}}
	case 9:
		if depth > 0 {
			f := anyFilter(r, depth-1)
			return Condition{Filter: &f}
		}
	case 10:
		if depth > 0 {
			n := Nested{key, anyFilter(r, depth-1)}
			if _, err := Compile(Filter{Must: []Condition{{Nested: &n}}}); err == nil { // without has_id
				return Condition{Nested: &n}
			}
		}
	}
	return Condition{Key: key, Match: &Match{Value: anyScalar(r)}}
}

func anyFilter(r *rapid.T, depth int) (f Filter) {
	some := func(name string) (conditions []Condition) {
		for range rapid.IntRange(0, 2).Draw(r, name) {
			conditions = append(conditions, anyCondition(r, depth))
		}
		return conditions
	}
	f.Must, f.Should, f.MustNot = some("must"), some("should"), some("must_not")
	if rapid.IntRange(0, 3).Draw(r, "min") == 0 {
		f.MinShould = &MinShould{some("min_should"), rapid.IntRange(0, 2).Draw(r, "least")}
	}
	return f
}

// TestModel evaluates random filters over random payloads, as they are built and after they were written as JSON and
// read again, and compares that with the functions above.
func TestModel(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		f := anyFilter(r, 2)
		built, err := Compile(f)
		if err != nil {
			r.Fatal(err)
		}
		text, err := json.Marshal(f)
		if err != nil {
			r.Fatal(err)
		}
		read, err := Parse(text)
		if err != nil {
			r.Fatalf("%s: %v", text, err)
		}
		parsed, err := Compile(read)
		if err != nil {
			r.Fatal(err)
		}
		ids := []ID{{Number: 7}, {Number: 8}, {Text: "7", IsText: true}}
		for range 10 {
			id := rapid.SampledFrom(ids).Draw(r, "id")
			object := anyObject(r, 3)
			payload := encode(r, object)
			want := modelFilter(f, object, id)
			if got := built.Match(payload, id); got != want {
				r.Fatalf("%s of %s: %v, want %v", text, payload, got, want)
			}
			if got := parsed.Match(payload, id); got != want {
				r.Fatalf("%s of %s, read again: %v, want %v", text, payload, got, want)
			}
		}
	})
}

// encode writes JSON, with or without white space and escapes.
func encode(r *rapid.T, object any) []byte {
	b, err := json.Marshal(object)
	if err != nil {
		r.Fatal(err)
	}
	if rapid.Bool().Draw(r, "escapes") {
		b = bytes.ReplaceAll(b, []byte(`"a"`), []byte(`"\u0061"`))
	}
	if rapid.Bool().Draw(r, "white space") {
		var out bytes.Buffer
		if err := json.Indent(&out, b, " ", "\t"); err != nil {
			r.Fatal(err)
		}
		return out.Bytes()
	}
	return b
}
