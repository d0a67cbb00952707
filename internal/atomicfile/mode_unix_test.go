//go:build unix

package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func modeOf(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode() & modeBits
}

// TestModesFollowTheUmask writes files and directories under several umasks, with temporary names and without.
func TestModesFollowTheUmask(t *testing.T) {
	for _, names := range []bool{false, true} {
		for _, umask := range []int{0o022, 0o002, 0o077, 0o027} {
			dir := t.TempDir()
			if names {
				named(t, dir)
			}
			before := syscall.Umask(umask)
			err := errors.Join(Write(filepath.Join(dir, "file"), hello),
				Dir(filepath.Join(dir, "dir"), false, func(temp string) error {
					return Write(filepath.Join(temp, "file"), hello)
				}))
			syscall.Umask(before)
			if err != nil {
				t.Fatal(err)
			}
			for name, all := range map[string]fs.FileMode{"file": 0o666, "dir": 0o777, "dir/file": 0o666} {
				if mode := modeOf(t, filepath.Join(dir, name)); mode != all&^fs.FileMode(umask) {
					t.Errorf("umask %03o: %s has the mode %v", umask, name, mode)
				}
			}
		}
	}
}

// TestModesAreKept replaces files and directories that have other modes than new ones get and, for root, another owner.
func TestModesAreKept(t *testing.T) {
	for _, names := range []bool{false, true} {
		dir := t.TempDir()
		file, folder := filepath.Join(dir, "file"), filepath.Join(dir, "dir")
		write(t, file, "old")
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, "a"), "old")
		root := os.Getuid() == 0
		for path, mode := range map[string]fs.FileMode{file: 0o640, folder: 0o770 | fs.ModeSetgid,
			filepath.Join(folder, "a"): 0o604} {
			if root {
				if err := os.Chown(path, 1234, 2345); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
		if names {
			named(t, dir)
		}
		err := errors.Join(Write(file, hello), Dir(folder, true, func(temp string) error {
			return errors.Join(Write(filepath.Join(temp, "a"), hello), Write(filepath.Join(temp, "b"), hello))
		}))
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]fs.FileMode{"file": 0o640, "dir": 0o770 | fs.ModeSetgid,
			"dir/a": 0o604, "dir/b": 0o604} {
			path := filepath.Join(dir, name)
			if mode := modeOf(t, path); mode != want {
				t.Errorf("%s has the mode %v now, not %v", name, mode, want)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if s := info.Sys().(*syscall.Stat_t); root && (s.Uid != 1234 || s.Gid != 2345) {
				t.Errorf("%s belongs to %d and %d now", name, s.Uid, s.Gid)
			}
		}
		holds(t, filepath.Join(folder, "b"), "hello")
	}
}
