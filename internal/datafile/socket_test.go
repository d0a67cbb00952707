//go:build unix

package datafile_test

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shale-search/shale/internal/datafile"
)

// TestSocketsAreRefused opens a socket by its name, which systems refuse without saying why.
func TestSocketsAreRefused(t *testing.T) {
	t.Chdir(t.TempDir()) // names of sockets are short
	l, err := net.Listen("unix", "socket")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	absolute, err := filepath.Abs("socket")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"socket", "fvecs:" + absolute} {
		if _, err := datafile.ReadAll(path); err == nil || !strings.Contains(err.Error(), "is a socket") {
			t.Errorf("%s: %v", path, err)
		}
		if _, err := datafile.ReadLabels(path); err == nil || !strings.Contains(err.Error(), "is a socket") {
			t.Errorf("labels %s: %v", path, err)
		}
	}
}
