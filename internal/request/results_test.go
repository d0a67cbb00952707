package request

import (
	"math"
	"testing"
)

// TestResultsBeyondMemory: what the system has no memory for is an error, not the end of the process.
func TestResultsBeyondMemory(t *testing.T) {
	for _, c := range [][2]int{{math.MaxInt32, math.MaxInt32}, {1 << 40, 1 << 5}, {1 << 20, 1 << 31}} {
		if _, err := NewResults(c[0], c[1]); err == nil {
			t.Errorf("%d results of each of %d queries are no error", c[1], c[0])
		}
	}
	if _, err := NewResults(1000, 100); err != nil {
		t.Error(err)
	}
}
