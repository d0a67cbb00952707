package vector

import (
	"fmt"
	"math"
	"strings"

	"github.com/shale-search/shale/internal/floats"
)

// Metric is a measure of distance between vectors. Smaller distances are nearer.
type Metric uint8

// The metrics. L2 is the squared Euclidean distance, IP is 1 − the inner product, and Cosine is 1 − the inner product
// of the normalised vectors. An index stores normalised rows for Cosine.
const (
	L2 Metric = iota
	IP
	Cosine

	custom // a function of the program, see package score
)

func (m Metric) String() string {
	names := [...]string{"l2", "ip", "cosine", custom: "custom"}
	if int(m) < len(names) {
		return names[m]
	}
	return fmt.Sprintf("Metric(%d)", uint8(m))
}

// ParseMetric returns the metric with the name l2, ip or cosine, in upper or lower case.
func ParseMetric(s string) (Metric, error) {
	for _, m := range []Metric{L2, IP, Cosine} {
		if strings.EqualFold(s, m.String()) {
			return m, nil
		}
	}
	return 0, fmt.Errorf("metric %q is not one of l2, ip, cosine", s)
}

// smallestNormal is the smallest float32 with full precision.
const smallestNormal = 0x1p-126

// Normalize scales v to length 1 in place. A zero vector stays zero. Like hnswlib it multiplies by 1 / (‖v‖ + 1e−30).
func Normalize(v []float32) {
	exact := 1 / (math.Sqrt(floats.Squares(v)) + 1e-30)
	scale := float32(exact)
	if scale < smallestNormal { // it has lost precision, for a vector longer than about 1e38
		for i, x := range v {
			v[i] = float32(float64(x) * exact)
		}
		return
	}
	for i := range v {
		v[i] *= scale
	}
}
