package atomicfile

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
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
	for _, name := range []string{".a.b.0123456789abcdef.shale-tmp", ".a.0123456789abcdef.shale-tmp", ".own.shale-tmp",
		".a.0123456789ABCDEF.shale-tmp"} {
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
