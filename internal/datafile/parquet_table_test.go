package datafile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shale-search/shale/internal/jsonobject"
)

// tableRows reads all rows of a table, each as a JSON object.
func tableRows(t *Table) (rows []string, err error) {
	names := t.Columns()
	for {
		if err := t.Next(); err != nil {
			return rows, err
		}
		row := []byte("{")
		for i, name := range names {
			if i > 0 {
				row = append(row, ',')
			}
			row = append(jsonobject.AppendText(row, name), ':')
			var err error
			if row, err = t.AppendJSON(row, i); err != nil {
				return rows, err
			}
		}
		rows = append(rows, string(row)+"}")
	}
}

func openTable(t *testing.T, path string) *Table {
	t.Helper()
	x, err := OpenTable(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

// canonical returns a JSON text with its numbers as fractions and its keys in order.
func canonical(t *testing.T, s string) string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	var fractions func(any) any
	fractions = func(v any) any {
		switch v := v.(type) {
		case json.Number:
			r, _ := new(big.Rat).SetString(v.String())
			return r.String()
		case []any:
			for i := range v {
				v[i] = fractions(v[i])
			}
		case map[string]any:
			for k := range v {
				v[k] = fractions(v[k])
			}
		}
		return v
	}
	b, err := json.Marshal(fractions(v))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestTable reads columns of many types in many encodings, as pyarrow writes them.
func TestTable(t *testing.T) {
	f, err := os.Open("testdata/table.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var want []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		want = append(want, canonical(t, lines.Text()))
	}
	for _, name := range []string{"table", "table_plain", "table_groups", "table_pages", "table_delta", "table_old"} {
		rows, err := tableRows(openTable(t, "testdata/"+name+".parquet"))
		if !errors.Is(err, io.EOF) || len(rows) != len(want) {
			t.Errorf("%s: %d rows, %v", name, len(rows), err)
			continue
		}
		for i, row := range rows {
			if got := canonical(t, row); got != want[i] {
				t.Errorf("%s: row %d is\n%s, not\n%s", name, i, got, want[i])
			}
		}
	}
}

// TestTableOfManyPages reads rows that pages don't end with, some of them in part.
func TestTableOfManyPages(t *testing.T) {
	x := openTable(t, "testdata/table_long.parquet")
	for i := range x.Rows() {
		if err := x.Next(); err != nil {
			t.Fatal(err)
		}
		sign := 1 - i%2*2
		if got, err := x.AppendJSON(nil, 0); err != nil || string(got) != fmt.Sprint(sign*i*i) {
			t.Fatalf("number %d is %s, %v", i, got, err)
		}
		if i%3 == 0 {
			continue
		}
		if got, err := x.AppendJSON(nil, 1); err != nil || string(got) != fmt.Sprintf(`"text %d"`, i/7) {
			t.Fatalf("text %d is %s, %v", i, got, err)
		}
	}
	if err := x.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last row: %v", err)
	}
}

// TestTableFloats reads lists of numbers, and values that can't be used: the rows after them are whole.
func TestTableFloats(t *testing.T) {
	x := openTable(t, "testdata/table_groups.parquet")
	at := map[string]int{}
	for i, name := range x.Columns() {
		at[name] = i
	}
	for i := range x.Rows() {
		if err := x.Next(); err != nil {
			t.Fatal(err)
		}
		f, there, err := x.AppendFloats(nil, at["vector"])
		if want := [][]float32{{1, 2.5}, {3, 4}, {5, 6}}[i]; err != nil || !there || fmt.Sprint(f) != fmt.Sprint(want) {
			t.Errorf("vector %d is %v, %v, %v", i, f, there, err)
		}
		if _, _, err := x.AppendFloats(nil, at["text"]); !errors.As(err, new(*ValueError)) {
			t.Errorf("texts as floats gave %v", err)
		}
	}
	if x.Lists(at["text"]) || x.Lists(at["grid"]) || x.Lists(at["tags"]) || !x.Lists(at["vector"]) {
		t.Error("columns of lists of numbers aren't told from others")
	}

	x = openTable(t, "testdata/bad_values.parquet")
	if err := x.Next(); err != nil {
		t.Fatal(err)
	}
	_, bytesErr := x.AppendJSON(nil, 0)
	number, numberErr := x.AppendJSON(nil, 1)
	_, _, vectorErr := x.AppendFloats(nil, 2)
	if !errors.As(bytesErr, new(*ValueError)) || string(number) != "1" || numberErr != nil ||
		!errors.As(vectorErr, new(*ValueError)) {
		t.Errorf("row 0: %v, %s, %v, %v", bytesErr, number, numberErr, vectorErr)
	}
	if err := x.Next(); err != nil {
		t.Fatal(err)
	}
	text, bytesErr := x.AppendJSON(nil, 0)
	_, numberErr = x.AppendJSON(nil, 1)
	f, there, vectorErr := x.AppendFloats(nil, 2)
	if string(text) != `"ok"` || bytesErr != nil || !errors.As(numberErr, new(*ValueError)) ||
		fmt.Sprint(f) != "[1 2]" || !there || vectorErr != nil {
		t.Errorf("row 1: %s, %v, %v, %v, %v, %v", text, bytesErr, numberErr, f, there, vectorErr)
	}
}

// drainTable reads all values of a table that can be read.
func drainTable(t *Table) error {
	var b []byte
	for {
		if err := t.Next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		for i := range t.Columns() {
			var err error
			if b, err = t.AppendJSON(b[:0], i); err != nil && !errors.As(err, new(*ValueError)) {
				return err
			}
		}
	}
}

// TestDamagedTables cuts tables off and changes their bytes.
func TestDamagedTables(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.parquet")
	read := func(b []byte) {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		_ = hostile(t, path, readers["table"])
	}
	for n, p := range fixtures(t, "table*.parquet") {
		whole, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		for at := n; at < len(whole); at += 397 {
			read(whole[:at])
			for _, x := range []byte{0xff, 0x80, 1} {
				damaged := bytes.Clone(whole)
				damaged[at] ^= x
				read(damaged)
			}
		}
	}
}
