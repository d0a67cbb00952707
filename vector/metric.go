package vector

import (
	"fmt"
	"math"
	"strings"
)

// Metric says how near two vectors are; smaller distances are nearer.
type Metric uint8

// The metrics. L2 is the squared Euclidean distance, IP is 1 − inner product, Cosine is 1 − inner product of the
// normalised vectors (rows are stored normalised).
const (
	L2 Metric = iota
	IP
	Cosine
)

func (m Metric) String() string {
	names := [...]string{"l2", "ip", "cosine"}
	if int(m) < len(names) {
		return names[m]
	}
	return fmt.Sprintf("Metric(%d)", uint8(m))
}

// ParseMetric reads l2, ip or cosine.
func ParseMetric(s string) (Metric, error) {
	for _, m := range []Metric{L2, IP, Cosine} {
		if strings.EqualFold(s, m.String()) {
			return m, nil
		}
	}
	return 0, fmt.Errorf("metric %q is not one of l2, ip, cosine", s)
}

// smallestNormal is the smallest float32 that has all its bits.
const smallestNormal = 0x1p-126

// Normalize scales v to length 1 in place, as hnswlib does: by 1 / (‖v‖ + 1e−30). A zero vector stays zero.
func Normalize(v []float32) {
	exact := 1 / (math.Sqrt(squares(v)) + 1e-30)
	scale := float32(exact)
	if scale < smallestNormal { // it has lost bits, for a vector longer than about 1e38
		for i, x := range v {
			v[i] = float32(float64(x) * exact)
		}
		return
	}
	for i := range v {
		v[i] *= scale
	}
}

// Finite reports whether v holds neither NaN nor infinity.
func Finite(v []float32) bool {
	var off [4]float32 // NaN from then on; side by side, as in squares
	for ; len(v) >= 4; v = v[4:] {
		for i, x := range v[:4] {
			off[i] += x - x
		}
	}
	for i, x := range v {
		off[i] += x - x
	}
	return off[0]+off[1]+off[2]+off[3] == 0
}
