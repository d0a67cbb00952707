//go:build unix

package filelock

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCloseInAChildLeavesTheLock(t *testing.T) {
	path := t.TempDir()
	l := acquired(t, path)
	inherited := &Lock{f: duplicate(t, l.f), pid: l.pid + 1} // as a child of fork has it
	closed(t, inherited)
	if _, err := Try(path); !errors.Is(err, ErrHeld) {
		t.Errorf("a child unlocked what its parent holds: %v", err)
	}
	closed(t, l)
}

// duplicate returns a second descriptor of the same opening of a file.
func duplicate(t *testing.T, f *os.File) *os.File {
	t.Helper()
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), f.Name())
}
