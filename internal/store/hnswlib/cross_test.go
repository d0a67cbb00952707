package hnswlib

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestCross runs testdata/cross.py against the real hnswlib, with the Python that SHALE_TEST_PYTHON names. It must have
// what testdata/requirements.txt lists.
func TestCross(t *testing.T) {
	python := os.Getenv("SHALE_TEST_PYTHON")
	if python == "" {
		t.Skip("SHALE_TEST_PYTHON doesn't name a Python with hnswlib 0.8.0 and numpy")
	}
	count := "100"
	if testing.Short() {
		count = "12"
	}
	out, err := exec.Command(python, filepath.Join("testdata", "cross.py"), "--count", count).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}
