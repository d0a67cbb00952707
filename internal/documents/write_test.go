package documents

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/shale-search/shale/collection"
)

// TestMain makes random documents the same every time, unless flags say otherwise.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.seed": "1", "rapid.checks": "40", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	flag.Parse()
	os.Exit(m.Run())
}

// sourceOf is a source of documents in memory.
func sourceOf(all []collection.Document) Source {
	return func(passes ...func(collection.Document) error) error {
		for _, pass := range passes {
			for _, d := range all {
				if err := pass(d); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// anyID draws the IDs of a collection: numbers, texts or both, some of them hard to tell apart.
func anyID(kinds int) *rapid.Generator[collection.ID] {
	numbers := rapid.Map(rapid.Uint64(), collection.NumberID)
	some := []string{"7", "a,b", `"q"`, "true", "1.5", "null", "x\ny", "[1]", " ", "ü"}
	texts := rapid.Map(rapid.SampledFrom(some), collection.StringID)
	switch kinds {
	case 0:
		return numbers
	case 1:
		return texts
	}
	return rapid.OneOf(numbers, texts)
}

// anyValue draws a value of one of the types of a column, or of any.
func anyValue(r *rapid.T, kind int) any {
	texts := []string{"", "1", "1e5", "null", "true", "{", `"q"`, "a,b\n", "ü<&>", " x ", "[1]"}
	switch kind {
	case 0:
		return rapid.Bool().Draw(r, "bool")
	case 1:
		return rapid.SampledFrom([]int64{0, -1, 7, 1<<53 + 1, -1 << 63}).Draw(r, "whole")
	case 2:
		return rapid.SampledFrom([]any{0.5, -1e300, 3, 1 << 40}).Draw(r, "number")
	case 3:
		return rapid.SampledFrom(texts).Draw(r, "text")
	case 4:
		return []any{"a", nil, map[string]any{"b": rapid.IntRange(0, 3).Draw(r, "c")}}
	case 5:
		return json.Number("18446744073709551615")
	}
	return anyValue(r, rapid.IntRange(0, 5).Draw(r, "kind"))
}

// TestWriteAndRead writes random documents in each format and reads them again.
func TestWriteAndRead(t *testing.T) {
	dir := t.TempDir()
	schema := collection.Schema{Vectors: []collection.Vector{{Name: "a", Dim: 2}, {Name: "b", Dim: 1}}}
	rapid.Check(t, func(r *rapid.T) {
		keys := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"id", "k", "a", "payload.id", "x.y", "é,"}), 0, 6,
			rapid.ID[string]).Draw(r, "keys")
		kinds := rapid.SliceOfN(rapid.IntRange(0, 6), len(keys), len(keys)).Draw(r, "kinds")
		ids := rapid.SliceOfNDistinct(anyID(rapid.IntRange(0, 2).Draw(r, "ids")), 0, 8, rapid.ID[collection.ID])
		var all []collection.Document
		for _, id := range ids.Draw(r, "documents") {
			d := collection.Document{ID: id, Vectors: map[string][]float32{"a": {0.1, -1e-30}}}
			if rapid.Bool().Draw(r, "both") {
				d.Vectors["b"] = []float32{rapid.Float32Range(-1e30, 1e30).Draw(r, "value")}
			}
			payload := map[string]any{}
			for i, key := range keys {
				if rapid.IntRange(0, 3).Draw(r, "there") > 0 {
					payload[key] = anyValue(r, kinds[i])
				}
			}
			if len(payload) > 0 {
				d.Payload, _ = json.Marshal(payload)
			}
			all = append(all, d)
		}
		for _, ext := range []string{".jsonl", ".csv", ".tsv", ".parquet"} {
			path := filepath.Join(dir, "x"+ext)
			if err := Write(path, io.Discard, schema, sourceOf(all)); err != nil {
				r.Fatalf("%s: %v", ext, err)
			}
			back := readBack(r, path, Options{Schema: schema})
			if len(back) != len(all) {
				r.Fatalf("%s: %d documents became %d", ext, len(all), len(back))
			}
			renamed := map[string]string{}
			if ext != ".jsonl" {
				columns := newColumnSet(schema)
				_ = sourceOf(all)(columns.add)
				columns.settle()
				for _, k := range columns.keys {
					renamed[k.key] = k.name
				}
			}
			for i, d := range all {
				if got, want := comparable(r, back[i], nil), comparable(r, d, renamed); !reflect.DeepEqual(got, want) {
					r.Fatalf("%s: document %d is\n%v, not\n%v", ext, i, got, want)
				}
			}
		}
	})
}

func readBack(r *rapid.T, path string, o Options) (all []collection.Document) {
	f, err := Open(path, o)
	if err != nil {
		r.Fatal(err)
	}
	defer f.Close()
	for {
		d, err := f.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			r.Fatal(err)
		}
		all = append(all, d)
	}
}

// comparable returns what is compared of a document: numbers as float64 if that holds them.
func comparable(r *rapid.T, d collection.Document, renamed map[string]string) any {
	payload := map[string]any{}
	if d.Payload != nil {
		decoder := json.NewDecoder(bytes.NewReader(d.Payload))
		decoder.UseNumber()
		var object map[string]any
		if err := decoder.Decode(&object); err != nil {
			r.Fatal(err)
		}
		for key, value := range object {
			if n, ok := value.(json.Number); ok && strings.ContainsAny(n.String(), ".e") {
				value, _ = n.Float64()
			} else if ok {
				if f, err := n.Float64(); err == nil && fmt.Sprintf("%.0f", f) == n.String() {
					value = f
				}
			}
			if name, ok := renamed[key]; ok {
				key = name
			}
			payload[key] = value
		}
	}
	return []any{d.ID, d.Vectors, payload}
}

// TestWriteFails leaves no file behind.
func TestWriteFails(t *testing.T) {
	dir := t.TempDir()
	schema := plain().Schema
	failing := func(...func(collection.Document) error) error { return io.ErrClosedPipe }
	for _, name := range []string{"x.jsonl", "x.csv", "x.parquet", "x.npy", "x"} {
		path := filepath.Join(dir, name)
		if err := Write(path, io.Discard, schema, failing); err == nil {
			t.Errorf("%s was written", name)
		}
	}
	many := sourceOf([]collection.Document{{Payload: json.RawMessage(manyKeys(mostColumns + 1))}})
	if err := Write(filepath.Join(dir, "x.csv"), io.Discard, schema, many); err == nil {
		t.Error("a table of too many columns was written")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
	var out bytes.Buffer
	if err := Write("-", &out, schema, sourceOf([]collection.Document{{ID: collection.StringID("<a>")}})); err != nil ||
		out.String() != "{\"id\":\"<a>\"}\n" {
		t.Errorf("standard output got %q, %v", out.String(), err)
	}
}

// manyKeys returns an object of n keys.
func manyKeys(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`"%d":1`, i)
	}
	return "{" + strings.Join(all, ",") + "}"
}
