package datafile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadLabelsRefusesTheLast: 2^64 - 1 stands for no row.
func TestReadLabelsRefusesTheLast(t *testing.T) {
	path := filepath.Join(t.TempDir(), "labels.txt")
	for text, fine := range map[string]bool{"1\n18446744073709551614\n": true, "1\n18446744073709551615\n": false} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		labels, err := ReadLabels(path)
		switch {
		case fine && (err != nil || len(labels) != 2):
			t.Errorf("%q: %v, %v", text, labels, err)
		case !fine && (err == nil || !strings.Contains(err.Error(), path+": labels: label 1 is 18446744073709551615")):
			t.Errorf("%q: %v", text, err)
		}
	}
}
