package datafile

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// npyOf writes an npy file of float32.
func npyOf(t *testing.T, shape string, fortran string, values []float32) string {
	t.Helper()
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': %s, 'shape': %s, }", fortran, shape)
	header += fmt.Sprintf("%*s\n", 63-(10+len(header))%64, "")
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), byte(len(header)>>8))
	b = append(b, header...)
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	path := filepath.Join(t.TempDir(), "books.npy")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadCodebooks(t *testing.T) {
	values := []float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	books, shape, err := ReadCodebooks(npyOf(t, "(2, 3, 2)", "False", values))
	if err != nil || shape != [3]int{2, 3, 2} || !slices.Equal(books, values) {
		t.Errorf("%v, %v, %v", books, shape, err)
	}
	bad := slices.Clone(values)
	bad[7] = float32(math.NaN())
	for name, path := range map[string]string{
		"two axes": npyOf(t, "(4, 3)", "False", values), "no values": npyOf(t, "(2, 0, 2)", "False", nil),
		"columns": npyOf(t, "(2, 3, 2)", "True", values), "short": npyOf(t, "(2, 3, 2)", "False", values[1:]),
		"NaN": npyOf(t, "(2, 3, 2)", "False", bad), "huge": npyOf(t, "(1048576, 1048576, 1048576)", "False", values),
		"long": npyOf(t, "(1, 3, 2)", "False", values),
	} {
		if _, _, err := ReadCodebooks(path); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, _, err := ReadCodebooks("books.fvecs"); err == nil {
		t.Error("another format: no error")
	}
}
