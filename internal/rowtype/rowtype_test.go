package rowtype

import (
	"testing"

	"github.com/shale-search/shale/vector"
)

func TestTypesHaveTheirNames(t *testing.T) {
	for typ, name := range map[vector.Type]string{ScaledInt8: "sq8", NoRows: "none", External: "external"} {
		if typ.String() != name {
			t.Errorf("%s is called %v", name, typ)
		}
	}
}

func TestBytesAreNotRewritten(t *testing.T) {
	m, err := vector.Of([]uint8{0, 1, 2, 3}, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	Encode(m, 0, []float32{1, 2})
}

func TestDecodeAndEncode(t *testing.T) {
	src := []float32{-1.5, 0, 2.25, 100}
	floats, _ := vector.Of(make([]float32, 8), 4)
	halves, _ := vector.Of(make([]uint16, 8), 4)
	for _, m := range []vector.Matrix{floats, halves} {
		Encode(m, 1, src)
		got := make([]float32, 4)
		m.Decode(1, got)
		for i := range src {
			if got[i] != src[i] {
				t.Errorf("%s: %v came back as %v", m.Type(), src, got)
			}
		}
		if m.Decode(0, got); got[3] != 0 {
			t.Errorf("%s: row 0 was touched: %v", m.Type(), got)
		}
	}
	signed, _ := vector.Of([]int8{-128, 127}, 2)
	unsigned, _ := vector.Of([]uint8{0, 255}, 2)
	got := make([]float32, 2)
	if signed.Decode(0, got); got[0] != -128 || got[1] != 127 {
		t.Errorf("int8 became %v", got)
	}
	if unsigned.Decode(0, got); got[0] != 0 || got[1] != 255 {
		t.Errorf("uint8 became %v", got)
	}
}
