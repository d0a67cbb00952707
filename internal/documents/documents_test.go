package documents

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shale-search/shale/collection"
	"github.com/shale-search/shale/internal/datafile"
	"github.com/shale-search/shale/vector"
)

func plain() Options {
	return Options{Schema: collection.Schema{Vectors: []collection.Vector{{Dim: 2}}}}
}

// written writes a file and returns its path.
func written(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// read reads a file: a line for each document or row that can't be used, then the error other than io.EOF.
func read(t *testing.T, path string, o Options) []string {
	t.Helper()
	r, err := Open(path, o)
	if err != nil {
		return []string{"open: " + err.Error()}
	}
	defer r.Close()
	var all []string
	for {
		d, err := r.Next()
		var bad *RowError
		switch {
		case errors.Is(err, io.EOF):
			return all
		case errors.As(err, &bad) && bad.Row == r.Row():
			all = append(all, err.Error())
		case err != nil:
			return append(all, "end: "+err.Error())
		default:
			b, err := json.Marshal(d)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, string(b))
		}
	}
}

// check compares what a file holds. A line that ends with … stands for one that begins so.
func check(t *testing.T, name string, got []string, want ...string) {
	t.Helper()
	same := len(got) == len(want)
	for i := 0; same && i < len(want); i++ {
		prefix, cut := strings.CutSuffix(want[i], "…")
		same = got[i] == want[i] || cut && strings.HasPrefix(got[i], prefix)
	}
	if !same {
		t.Errorf("%s: read\n%s\nnot\n%s", name, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestLines reads JSON lines, good and bad ones.
func TestLines(t *testing.T) {
	text := "\ufeff" + `{"id":1,"vector":[1,2],"payload":{"a":1}}` + "\r\n\n" +
		`{"id":2,"vector":[1,2],"text":"x"}` + "\n" + `{"id":2,` + "\n" + `{"id":"a","vector":[3,4]}`
	check(t, "documents", read(t, written(t, "x.jsonl", text), plain()),
		`{"id":1,"vector":[1,2],"payload":{"a":1}}`,
		`row 3: json: unknown field "text": a document has "id"…`,
		`row 4: unexpected end of JSON input…`,
		`{"id":"a","vector":[3,4]}`)

	o := plain()
	o.IDColumn, o.VectorColumns = "key", map[string]string{"": "emb"}
	text = `{"key":"k","emb":[1,2],"b":{"c":1},"a":null,"d":"ü"}
{"emb":[1,2]}
{"key":1,"emb":["x"]}
{"key":-1}
[1]
{"key":7}
{"key":"` + "\xff" + `"}
`
	check(t, "columns", read(t, written(t, "x.ndjson", text), o),
		`{"id":"k","vector":[1,2],"payload":{"b":{"c":1},"d":"ü"}}`,
		`row 2: there is no key "key", which holds the IDs`,
		`row 3: emb: it isn't an array of numbers: …`,
		`row 4: key: the id -1 is neither a string nor a whole number…`,
		`row 5: it isn't a JSON object`, `{"id":7}`, `row 7: it isn't valid UTF-8`)
	check(t, "empty", read(t, written(t, "x.jsonl", ""), plain()))
	check(t, "nothing", read(t, filepath.Join(t.TempDir(), "x.jsonl"), plain()), "open: …")
}

// TestLongRows reads lines and rows of CSV that have no end: neither is held in memory.
func TestLongRows(t *testing.T) {
	path := written(t, "x.jsonl", `{"id":1,"vector":[1,2]}`+"\n"+strings.Repeat("x", 1<<20)+"\n")
	if err := os.Truncate(path, mostRowBytes+3<<20); err != nil { // zeros, without a line's end
		t.Fatal(err)
	}
	check(t, "lines", read(t, path, plain()), `{"id":1,"vector":[1,2]}`, "row 2: invalid character 'x'…",
		"row 3: it has more than 64 MiB…")
	path = written(t, "x.csv", "id,vector\n1,\"1 2\"\n2,\"")
	if err := os.Truncate(path, mostRowBytes+3<<20); err != nil {
		t.Fatal(err)
	}
	check(t, "csv", read(t, path, plain()), `{"id":1,"vector":[1,2]}`, "end: "+path+": row 2: …")
}

// TestCSV reads cells of many kinds.
func TestCSV(t *testing.T) {
	text := `id,vector,text,number,list,zip
1,"[1, 2.5]",hello,1.50,"[1,{""a"":2}]",01234
"""7""",3 4,"two
lines",true,,12345
x y,"5,6","""quoted""",,"{",""
1.5,1 2,,,,
8,,,,,
9,1 x,,,,
10,1 2
11,1 2,"` + "\xff" + `",,,
12,1 2,,1e5,null,-
,1 2,,,,
`
	o := plain()
	o.TextColumns = []string{"zip"}
	path := written(t, "x.csv", text)
	check(t, "csv", read(t, path, o),
		`{"id":1,"vector":[1,2.5],"payload":{"text":"hello","number":1.50,"list":[1,{"a":2}],"zip":"01234"}}`,
		`{"id":"7","vector":[3,4],"payload":{"text":"two\nlines","number":true,"zip":"12345"}}`,
		`{"id":"x y","vector":[5,6],"payload":{"text":"quoted","list":"{","zip":""}}`,
		`{"id":"1.5","vector":[1,2],"payload":{"zip":""}}`,
		`{"id":8,"payload":{"zip":""}}`,
		`row 6: column vector: value 1, "x", isn't a number that float32 holds`,
		`row 7: line 9: it has 2 cells, not 6`,
		`row 8: column text: it isn't valid UTF-8`,
		`{"id":12,"vector":[1,2],"payload":{"number":1e5,"zip":"-"}}`,
		`row 10: column id: there is no ID`)
	tsv := written(t, "x.tsv", "key\tv\ta\nk\t1 2\t3\n")
	o = plain()
	o.IDColumn, o.VectorColumns = "key", map[string]string{"": "v"}
	check(t, "tsv", read(t, tsv, o), `{"id":"k","vector":[1,2],"payload":{"a":3}}`)
	check(t, "format", read(t, "tsv:"+tsv, o), `{"id":"k","vector":[1,2],"payload":{"a":3}}`)

	for text, want := range map[string]string{
		"":                    "open: …",
		"a,a\n":               "open: …",
		"a,vector\n1,1 2\n":   "open: …",
		"id,b\n1,2\n":         "open: …",
		"id,vector,\"x\n1,1 ": "open: …",
	} {
		check(t, text, read(t, written(t, "x.csv", text), plain()), want)
	}
	o.TextColumns = []string{"none"}
	check(t, "text column", read(t, tsv, o), "open: …")
}

// TestParquet reads a table of many types. Its own test is that of package datafile.
func TestParquet(t *testing.T) {
	path := filepath.Join("..", "datafile", "testdata", "table_groups.parquet")
	got := read(t, path, plain())
	if len(got) != 3 || !strings.HasPrefix(got[0], `{"id":7,"vector":[1,2.5],"payload":{"u64":18446744073709551615,`) ||
		!strings.HasPrefix(got[1], "row 2: column id: the id -2 is neither") ||
		!strings.HasSuffix(got[2], `"grid":[],"object":{"a":null,"b":null}}}`) {
		t.Errorf("read %s", strings.Join(got, "\n"))
	}
	o := plain()
	o.IDColumn = "same"
	if got := read(t, path, o); len(got) != 3 || !strings.HasPrefix(got[1], `{"id":"long prefix b","vector":[3,4],`) {
		t.Errorf("read %s", strings.Join(got, "\n"))
	}
	o.IDColumn = "none"
	check(t, "no column", read(t, path, o), `open: `+path+`: there is no column "none" of IDs…`)
	o = plain()
	o.VectorColumns = map[string]string{"": "text"}
	got = read(t, path, o)
	check(t, "texts as vectors", got[:1], "row 1: column text: it holds no lists of numbers")
	bad := filepath.Join("..", "datafile", "testdata", "bad_values.parquet")
	o.IDColumn, o.VectorColumns = "bytes", map[string]string{"": "vector"}
	check(t, "bad values", read(t, bad, o),
		"row 1: column bytes: it isn't valid UTF-8…", "row 2: column number: it is no finite number…")
	cut := written(t, "x.parquet", "PAR1")
	check(t, "cut", read(t, cut, plain()), "open: …")
}

// TestVectors reads a file of vectors with files of IDs and payloads.
func TestVectors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.npy")
	m, err := vector.Of([]float32{1, 2, 3, 4, 5, 6}, 2)
	if err != nil {
		t.Fatal(err)
	}
	put := func(put func(vector.Matrix) error) error { return put(m) }
	if err := datafile.Write(path, vector.Float32, 2, put); err != nil {
		t.Fatal(err)
	}
	o := plain()
	o.FirstID = 10
	check(t, "alone", read(t, path, o), `{"id":10,"vector":[1,2]}`, `{"id":11,"vector":[3,4]}`, `{"id":12,"vector":[5,6]}`)
	o.IDs = written(t, "ids.txt", "7\n8\n9\n")
	o.Payload = written(t, "p.csv", "a\nx\n1\n2\n")
	check(t, "ids", read(t, path, o), `{"id":7,"vector":[1,2],"payload":{"a":"x"}}`,
		`{"id":8,"vector":[3,4],"payload":{"a":1}}`, `{"id":9,"vector":[5,6],"payload":{"a":2}}`)
	o.IDs = written(t, "ids.txt", "7\n8\n")
	check(t, "few ids", read(t, path, o), "open: …")
	o.IDs = ""
	o.Payload = written(t, "p.csv", "id,a\nx,\n\"[\",1\n")
	check(t, "few rows", read(t, path, o), `{"id":"x","vector":[1,2]}`, `{"id":"[","vector":[3,4],"payload":{"a":1}}`,
		"end: the file of payloads has 2 rows, fewer than the 3 vectors")
	o.Payload = written(t, "p.csv", "id\n1\n2\n3\n4\n")
	check(t, "many rows", read(t, path, o)[3:], "end: the file of payloads has more rows than the 3 vectors")
	o.IDs = "x"
	check(t, "beside documents", read(t, written(t, "x.jsonl", ""), o), "open: …")
	check(t, "arrow", read(t, written(t, "x.feather", ""), plain()), "open: …")

	r, err := Open(path, plain())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Skip(2); err != nil || r.Row() != 2 {
		t.Fatalf("skipped to row %d, %v", r.Row(), err)
	}
	if d, err := r.Next(); err != nil || d.ID != collection.NumberID(2) {
		t.Errorf("after row 2 came %v, %v", d.ID, err)
	}
}

// TestSkip goes on in the middle of files of each format, bad rows included.
func TestSkip(t *testing.T) {
	for name, path := range map[string]string{
		"lines":   written(t, "x.jsonl", "{\"id\":1}\n\nx\n{\"id\":4}\n{\"id\":5}\n"),
		"csv":     written(t, "x.csv", "id,vector\n1,\n2\n3,\n4,\n5,\n"),
		"parquet": filepath.Join("..", "datafile", "testdata", "table_long.parquet"),
	} {
		o := plain()
		if name == "parquet" {
			o.IDColumn, o.VectorColumns = "text", map[string]string{"": "n"}
		}
		r, err := Open(path, o)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Skip(4); err != nil || r.Row() != 4 {
			t.Fatalf("%s: skipped to row %d, %v", name, r.Row(), err)
		}
		d, err := r.Next()
		if r.Row() != 5 || name != "parquet" && (err != nil || d.ID != collection.NumberID(5)) {
			t.Errorf("%s: after row 4 came row %d, %v, %v", name, r.Row(), d.ID, err)
		}
		if err := r.Skip(1 << 20); err != nil {
			t.Errorf("%s: skipped to the end: %v", name, err)
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: after the end came %v", name, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestExpand finds files by folders and patterns.
func TestExpand(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"b.jsonl", "a/x.parquet", "a/_SUCCESS", "a/notes.txt", ".hidden/y.csv", "_t/z.csv", "[1].csv",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for names, want := range map[string]string{
		"-": "-", ".": "[1].csv a/x.parquet b.jsonl", "*.jsonl": "b.jsonl", "a b.jsonl": "a/x.parquet b.jsonl",
		"[1].csv": "[1].csv", "none": "none", "a/*": "a/_SUCCESS a/notes.txt a/x.parquet", "csv:*.jsonl": "csv:b.jsonl",
		"*.none": "error", ".hidden/none/*": "error", "[": "error", "_t": "_t/z.csv",
	} {
		t.Chdir(dir)
		got, err := Expand(strings.Fields(names), Extensions)
		if text := strings.Join(got, " "); text != want && !(want == "error" && err != nil) {
			t.Errorf("%s became %s, not %s, %v", names, text, want, err)
		}
	}
}
