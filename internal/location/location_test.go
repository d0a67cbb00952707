package location

import (
	"errors"
	"syscall"
	"testing"

	"github.com/shale-search/shale/internal/vfs/crashfs"
)

// TestDetectReportsFaults lets each look at a directory fail: what isn't known to be missing isn't called missing.
func TestDetectReportsFaults(t *testing.T) {
	dir := t.TempDir()
	for at := 1; at <= 3; at++ {
		x, err := crashfs.New(dir, crashfs.Fault{At: at, Kind: crashfs.Fails, Err: syscall.EIO})
		if err != nil {
			t.Fatal(err)
		}
		stop := x.Use(t)
		_, err = Detect(dir)
		stop()
		if !errors.Is(err, syscall.EIO) || errors.Is(err, ErrNotIndex) {
			t.Errorf("fault %d: %v", at, err)
		}
	}
	if _, err := Detect(dir); !errors.Is(err, ErrNotIndex) {
		t.Errorf("of an empty directory: %v", err)
	}
}
