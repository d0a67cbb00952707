package hnswlib

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestCross runs testdata/cross.py against the real hnswlib. SHALE_TEST_PYTHON names a Python that has it.
func TestCross(t *testing.T) {
	python := os.Getenv("SHALE_TEST_PYTHON")
	if python == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("SHALE_TEST_PYTHON must name a Python with hnswlib 0.8.0 and numpy")
		}
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
