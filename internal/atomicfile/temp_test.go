package atomicfile

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/shale-search/shale/internal/vfs"
	"github.com/shale-search/shale/internal/vfs/crashfs"
)

// named lets no file be without a name in dir until the test ends.
func named(t *testing.T, dir string) {
	t.Helper()
	x, err := crashfs.New(dir, crashfs.Fault{})
	if err != nil {
		t.Fatal(err)
	}
	x.NoUnnamed = true
	x.Use(t)
}

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
			err := errors.Join(Write(filepath.Join(dir, "file"), hello), Dir(filepath.Join(dir, "dir"), false, func(temp string) error {
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
		for path, mode := range map[string]fs.FileMode{file: 0o640, folder: 0o770 | fs.ModeSetgid, filepath.Join(folder, "a"): 0o604} {
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
		for name, want := range map[string]fs.FileMode{"file": 0o640, "dir": 0o770 | fs.ModeSetgid, "dir/a": 0o604, "dir/b": 0o604} {
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

// TestNothingIsLeftWhileAFileIsWritten looks for names while a file is being written.
func TestNothingIsLeftWhileAFileIsWritten(t *testing.T) {
	dir := t.TempDir()
	if f, err := vfs.Unnamed(dir, 0o600); errors.Is(err, errors.ErrUnsupported) {
		t.Skip("the file system has no files without a name")
	} else if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "a"), "old")
	err := Write(filepath.Join(dir, "a"), func(w io.Writer) error {
		only(t, dir, "a")
		return hello(w)
	})
	if err != nil {
		t.Fatal(err)
	}
	only(t, dir, "a")
	holds(t, filepath.Join(dir, "a"), "hello")
}

// TestOthersFilesStay writes while other writers, one of them another process, are at work under temporary names, and
// clears what they leave when they end.
func TestOthersFilesStay(t *testing.T) {
	dir := t.TempDir()
	if os.Getenv("ATOMICFILE_DIR") != "" {
		holdTemporaries(t, os.Getenv("ATOMICFILE_DIR"))
		return
	}
	for _, name := range []string{".a.b.0123456789abcdef.shale-tmp", ".a.0123456789abcdef.shale-tmp", ".own.shale-tmp", ".a.0123456789ABCDEF.shale-tmp"} {
		write(t, filepath.Join(dir, name), "left")
	}
	c := exec.Command(os.Args[0], "-test.run=^TestOthersFilesStay$")
	c.Env = append(os.Environ(), "ATOMICFILE_DIR="+dir)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := c.StdoutPipe()
	if err == nil {
		c.Stderr = os.Stderr
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Process.Kill() }() // it may have ended
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the other process: %q, %v", line, err)
	}
	count := func() int {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	const foreign, theirs = 2, 2
	if left := Leftovers(dir, ""); len(left) != 0 { // the other process has cleared them
		t.Errorf("%v are told to be left", left)
	}
	if err := Write(filepath.Join(dir, "mine"), hello); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != foreign+theirs+1 {
		t.Errorf("%d files, %d of no writer, %d of one at work and one new", n, foreign, theirs)
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // it was killed
	if left, all := Leftovers(dir, "file"), Leftovers(dir, ""); len(left) != 1 || len(all) != theirs {
		t.Errorf("%v are told to be left of file, %v in all", left, all)
	}
	if err := Write(filepath.Join(dir, "mine"), hello); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != foreign+1 {
		t.Errorf("%d files, %d of no writer and one new", n, foreign)
	}
}

// holdTemporaries writes a file and a directory under temporary names, and never ends.
func holdTemporaries(t *testing.T, dir string) {
	named(t, dir)
	err := Write(filepath.Join(dir, "file"), func(io.Writer) error {
		return Dir(filepath.Join(dir, "dir"), false, func(temp string) error {
			if err := os.WriteFile(filepath.Join(temp, "content"), nil, 0o600); err != nil {
				return err
			}
			_, _ = os.Stdout.WriteString("ready\n")
			_, err := io.Copy(io.Discard, os.Stdin) // until it is killed
			return err
		})
	})
	t.Fatal(err)
}

// TestLongNames writes under the longest name that there may be, which a temporary name can't be longer than.
func TestLongNames(t *testing.T) {
	dir := t.TempDir()
	named(t, dir)
	name := make([]byte, 255)
	for i := range name {
		name[i] = 'x'
	}
	for range 2 {
		if err := Write(filepath.Join(dir, string(name)), hello); err != nil {
			t.Fatal(err)
		}
	}
	only(t, dir, string(name))
}
