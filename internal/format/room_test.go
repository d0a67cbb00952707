package format

import "testing"

func TestRoom(t *testing.T) {
	for _, c := range []struct {
		declared uint64
		count    int
		fixed    bool
		want     int
		credible bool
	}{
		{0, 0, false, 0, true},
		{100, 7, false, 100, true},
		{3, 7, false, 7, true},
		{1 << 63, 7, false, 7 + headroom, true},
		{1 << 63, headroom * 3, false, headroom * 6, true},
		{100, 7, true, 100, true},
		{maxFixed, 0, true, maxFixed, true},
		{maxFixed + 1, 0, true, maxFixed, false},
		{maxFixed + 1, maxFixed / 2, true, maxFixed + 1, true},
	} {
		if got, credible := Room(c.declared, c.count, c.fixed); got != c.want || credible != c.credible {
			t.Errorf("%+v: %d, %v", c, got, credible)
		}
	}
}
