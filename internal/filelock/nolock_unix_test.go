//go:build unix

package filelock

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFileSystemsWithoutLocks lets the system call fail as such file systems let it.
func TestFileSystemsWithoutLocks(t *testing.T) {
	for _, reason := range []error{unix.ENOLCK, unix.EOPNOTSUPP, unix.ENOSYS, unix.EBADF} {
		var log bytes.Buffer
		before := slog.Default()
		slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
		flock = func(int, int) error { return reason }
		warned = sync.Once{}
		t.Cleanup(func() { flock = unix.Flock; slog.SetDefault(before) })

		dir := t.TempDir()
		for range 2 {
			l, err := Try(dir)
			if err != nil {
				t.Fatalf("%v: %v", reason, err)
			}
			if ok, err := TryFile(l.f, false); ok || !errors.Is(err, errors.ErrUnsupported) || !errors.Is(err, reason) {
				t.Errorf("TryFile: %v, %v", ok, err)
			}
			if err := l.Close(); err != nil {
				t.Errorf("%v: close: %v", reason, err)
			}
		}
		if n := strings.Count(log.String(), "level=WARN"); n != 1 {
			t.Errorf("%v: %d warnings: %s", reason, n, log.String())
		}
	}
}

// TestOtherErrorsOfLocks checks that an error that says nothing of missing locks is returned.
func TestOtherErrorsOfLocks(t *testing.T) {
	flock = func(int, int) error { return unix.EIO }
	defer func() { flock = unix.Flock }()
	if _, err := Try(t.TempDir()); !errors.Is(err, unix.EIO) {
		t.Error(err)
	}
}
