package sq8

import (
	"encoding/binary"
	"math"
	"testing"
)

func TestSound(t *testing.T) {
	row := make([]byte, RowSize(6))
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for scale, want := range map[float32]bool{
		0: true, 1: true, 0x1p-149: true, maxScale: true, -1: false, inf: false, -inf: false,
		math.Nextafter32(maxScale, inf): false,
	} {
		binary.LittleEndian.PutUint32(row[8:], math.Float32bits(scale))
		if Sound(row, 6) != want {
			t.Errorf("a scale of %g is sound: %v", scale, !want)
		}
	}
	if binary.LittleEndian.PutUint32(row[8:], math.Float32bits(nan)); Sound(row, 6) {
		t.Error("NaN is a sound scale")
	}
}
