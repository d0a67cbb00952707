package wordnet

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestShape(t *testing.T) {
	if header := array[10:128]; !strings.Contains(header, fmt.Sprintf("(%d, %d)", Rows, Dim)) ||
		!strings.Contains(header, "<f2") {
		t.Fatalf("the embedded array's header is %q", header)
	}
	if n := len(Glosses()); n != Rows {
		t.Fatalf("%d glosses for %d rows", n, Rows)
	}
	if !strings.Contains(License(), "Princeton University") {
		t.Fatal("the licence is not WordNet's")
	}
}

func TestVectorsHaveLengthOne(t *testing.T) {
	m, err := Vectors()
	if err != nil {
		t.Fatal(err)
	}
	row := make([]float32, m.Dim())
	for i := range m.Rows() {
		m.Decode(i, row)
		sum := 0.0
		for _, v := range row {
			sum += float64(v) * float64(v)
		}
		if math.Abs(sum-1) > 0.01 {
			t.Fatalf("row %d has squared length %v", i, sum)
		}
	}
}
