package datafile

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// writeParquet writes rows in groups of 3.
func writeParquet[T any](t *testing.T, rows []T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.parquet")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := parquet.NewGenericWriter[T](f, parquet.MaxRowsPerRowGroup(3))
	_, err = w.Write(rows)
	if err := errors.Join(err, w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestParquetIntegers: lists of integers are vectors, where float32 holds them; beside
// lists of floats they must be named.
func TestParquetIntegers(t *testing.T) {
	type row struct {
		Small []int8   `parquet:"small,list"`
		Bytes []uint16 `parquet:"bytes,list"`
		Ints  []int32  `parquet:"ints,list"`
		Longs []int64  `parquet:"longs,list,dict"`
		Wide  []uint32 `parquet:"wide,list"`
		Huge  []int64  `parquet:"huge,list"`
	}
	var rows []row
	for i := range 8 {
		rows = append(rows, row{
			Small: []int8{int8(-i), 127}, Bytes: []uint16{uint16(i), 255}, Ints: []int32{int32(-i), 1 << 24},
			Longs: []int64{int64(i), -1 << 24},
			Wide:  []uint32{uint32(i), 7}, Huge: []int64{int64(i), 1<<24 + 1},
		})
	}
	path := writeParquet(t, rows)
	for column, want := range map[string]func(i int) []float32{
		"small": func(i int) []float32 { return []float32{float32(-i), 127} },
		"bytes": func(i int) []float32 { return []float32{float32(i), 255} },
		"ints":  func(i int) []float32 { return []float32{float32(-i), 1 << 24} },
		"longs": func(i int) []float32 { return []float32{float32(i), -1 << 24} },
		"wide":  func(i int) []float32 { return []float32{float32(i), 7} },
	} {
		m, err := ReadAll(path + ":" + column)
		if err != nil || m.Rows() != len(rows) || m.Dim() != 2 {
			t.Errorf("%s: %d × %d, %v", column, m.Rows(), m.Dim(), err)
			continue
		}
		got := make([]float32, 2)
		for i := range rows {
			if m.Decode(i, got); !slices.Equal(got, want(i)) {
				t.Errorf("%s: row %d is %v, not %v", column, i, got, want(i))
			}
		}
	}
	if _, err := ReadAll(path + ":huge"); err == nil || !strings.Contains(err.Error(), "write the column as floats") {
		t.Errorf("integers that float32 doesn't hold: %v", err)
	}
	if _, err := ReadAll(path); err == nil || !strings.Contains(err.Error(), "name one as") {
		t.Errorf("several columns: %v", err)
	}
	type mixed struct {
		Tokens []int64   `parquet:"tokens,list"`
		Vector []float32 `parquet:"vector,list"`
	}
	m, err := ReadAll(writeParquet(t, []mixed{{[]int64{1}, []float32{2, 3}}, {[]int64{4}, []float32{5, 6}}}))
	if err != nil || m.Dim() != 2 {
		t.Errorf("floats beside integers: %d values, %v", m.Dim(), err)
	}
}

// TestParquetNamesTheRow tests that an error names a bad row by its number in the file, whatever group it is in.
func TestParquetNamesTheRow(t *testing.T) {
	type row struct {
		V []*float32 `parquet:"v,list"`
	}
	one := float32(1)
	for name, bad := range map[string][]*float32{
		"empty": {}, "a null": {&one, nil}, "short": {&one}, "long": {&one, &one, &one},
	} {
		for at := 1; at < 9; at++ {
			rows := make([]row, 9)
			for i := range rows {
				rows[i].V = []*float32{&one, &one}
			}
			rows[at].V = bad
			_, err := ReadAll(writeParquet(t, rows))
			if err == nil || !strings.Contains(err.Error(), "row "+string(rune('0'+at))+" ") {
				t.Errorf("%s row %d: %v", name, at, err)
			}
		}
	}
}

// TestParquetLabels tests that a column of an integer a row is read as labels, and as a filter, however it is written.
func TestParquetLabels(t *testing.T) {
	want := []uint64{0, 1, 2, 3, 4, 5, 6}
	for _, path := range fixtures(t, "rows_[dfghps]*.parquet", "rows_v2.parquet") {
		for _, name := range []string{path, path + ":id"} {
			if got, err := ReadLabels(name); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %v, %v", name, got, err)
			}
			set, mask, err := ReadFilter(name)
			if err != nil || mask != -1 || !slices.Equal(set.ToArray(), want) {
				t.Errorf("%s as a filter: %v, %d, %v", name, set, mask, err)
			}
		}
	}
	if got, err := ReadLabels(data("rows_none.parquet")); err != nil || len(got) != 0 {
		t.Errorf("no rows: %v, %v", got, err)
	}
}

// TestParquetLabelTypes tests columns of each type of integers, with nulls allowed and not, over several row groups.
func TestParquetLabelTypes(t *testing.T) {
	type row struct {
		Required uint64  `parquet:"required"`
		Coded    int64   `parquet:"coded,dict"`
		Short    int32   `parquet:"short"`
		Null     *int64  `parquet:"null,optional"`
		Negative int64   `parquet:"negative"`
		Last     uint64  `parquet:"last"`
		Float    float64 `parquet:"float"`
		List     []int64 `parquet:"list,list"`
	}
	var rows []row
	var want []uint64
	for i := range 8 {
		at := int64(i)
		r := row{Required: 1<<63 + uint64(i), Coded: at, Short: int32(i), Null: &at, Negative: at, List: []int64{at}}
		if i == 5 {
			r.Null, r.Negative, r.Last = nil, -3, math.MaxUint64
		}
		rows, want = append(rows, r), append(want, uint64(i))
	}
	path := writeParquet(t, rows)
	for _, column := range []string{"coded", "short"} {
		if got, err := ReadLabels(path + ":" + column); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", column, got, err)
		}
	}
	got, err := ReadLabels(path + ":required")
	if err != nil || len(got) != len(rows) || got[7] != 1<<63+7 {
		t.Errorf("labels past the signed ones: %v, %v", got, err)
	}
	for column, say := range map[string]string{
		":null": "row 5 is null", ":negative": "label 5 is -3", ":last": "label 5 is 18446744073709551615",
		":float": "float holds no integers", ":list": "list holds no integers",
		":none": "columns of integers are: required, coded", "": "name one as",
	} {
		_, err := ReadLabels(path + column)
		if err == nil || !strings.Contains(err.Error(), say) || !errors.As(err, new(*FormatError)) {
			t.Errorf("%q: %v, want it to say %q", column, err, say)
		}
	}
}
