package datafile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/shale-search/shale/internal/floats"
)

func TestMapGivesWhatOpenReads(t *testing.T) {
	for _, name := range []string{"a.npy", "a.fbin", "a.u8bin"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			if filepath.Ext(name) == ".npy" {
				writeNpy(t, path)
			} else {
				writeBin(t, path)
			}
			m, mapping, err := Map(path)
			if err != nil {
				t.Fatal(err)
			}
			defer mapping.Close()
			want, err := ReadAll(path)
			if err != nil {
				t.Fatal(err)
			}
			if m.Rows() != want.Rows() || m.Dim() != want.Dim() || m.Type() != want.Type() || m.Rows() == 0 {
				t.Fatalf("%d × %d %v", m.Rows(), m.Dim(), m.Type())
			}
			for i := range m.Rows() {
				if !bytes.Equal(m.RowBytes(i), want.RowBytes(i)) {
					t.Fatalf("row %d differs", i)
				}
			}
		})
	}
}

// writeNpy writes 5 × 4 float16 numbers.
func writeNpy(t *testing.T, path string) {
	t.Helper()
	header := "{'descr': '<f2', 'fortran_order': False, 'shape': (5, 4), }"
	for (10+len(header)+1)%64 != 0 {
		header += " "
	}
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)+1), 0)
	b = append(append(b, header...), '\n')
	for i := range 20 {
		b = binary.LittleEndian.AppendUint16(b, floats.ToHalf(float32(i)))
	}
	put(t, path, b)
}

// writeBin writes 3 rows of 2 elements.
func writeBin(t *testing.T, path string) {
	t.Helper()
	size := 1
	if filepath.Ext(path) == ".fbin" {
		size = 4
	}
	b := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, 3), 2)
	put(t, path, append(b, bytes.Repeat([]byte{1, 2}, 3*size)...))
}

func put(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestMapRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rows.fvecs")
	put(t, path, binary.LittleEndian.AppendUint32([]byte{1, 0, 0, 0}, 0))
	if _, _, err := Map(path); !errors.Is(err, ErrUnsupported) {
		t.Errorf("fvecs: %v", err)
	}
	if _, _, err := Map(filepath.Join(t.TempDir(), "none.npy")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	short := filepath.Join(t.TempDir(), "short.fbin")
	put(t, short, []byte{3, 0, 0, 0, 2, 0, 0, 0, 1})
	var format *FormatError
	if _, _, err := Map(short); !errors.As(err, &format) {
		t.Errorf("cut off: %v", err)
	}
}
