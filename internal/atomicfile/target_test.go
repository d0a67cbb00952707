package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, to, at string) {
	t.Helper()
	if err := os.Symlink(to, at); err != nil {
		t.Fatal(err)
	}
}

func hello(w io.Writer) error {
	_, err := io.WriteString(w, "hello")
	return err
}

func TestLinksAreFollowed(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "a/b"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "old"), "old")
	link(t, filepath.Join(dir, "old"), filepath.Join(dir, "absolute"))
	link(t, "../old", filepath.Join(dir, "a/relative"))
	link(t, "a/relative", filepath.Join(dir, "twice"))
	link(t, "a/new", filepath.Join(dir, "dangling"))
	link(t, "a/b", filepath.Join(dir, "b"))
	link(t, "b/../other", filepath.Join(dir, "up")) // b/.. is a
	for name, target := range map[string]string{
		"absolute": "old", "a/relative": "old", "twice": "old", "dangling": "a/new", "up": "a/other", "b/c": "a/b/c",
		"plain": "plain",
	} {
		path := filepath.Join(dir, name)
		before, _ := os.Readlink(path)
		if err := Write(path, hello); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if after, _ := os.Readlink(path); after != before {
			t.Errorf("%s leads to %q, it led to %q", name, after, before)
		}
		info, err := os.Lstat(filepath.Join(dir, target))
		if err != nil || !info.Mode().IsRegular() || info.Size() != 5 {
			t.Errorf("%s: %s is %v, %v", name, target, info, err)
		}
		if err := os.Truncate(filepath.Join(dir, target), 0); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLinksInACircle(t *testing.T) {
	dir := t.TempDir()
	link(t, "b", filepath.Join(dir, "a"))
	link(t, "a", filepath.Join(dir, "b"))
	if err := Write(filepath.Join(dir, "a"), hello); !errors.Is(err, syscall.ELOOP) {
		t.Error(err)
	}
}

func TestPipeIsWrittenTo(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	link(t, "pipe", filepath.Join(dir, "link"))
	for _, name := range []string{"pipe", "link"} {
		got := make(chan string)
		go func() {
			b, err := os.ReadFile(pipe)
			if err != nil {
				b = []byte(err.Error())
			}
			got <- string(b)
		}()
		if err := Write(filepath.Join(dir, name), hello); err != nil {
			t.Fatal(err)
		}
		if s := <-got; s != "hello" {
			t.Errorf("%s: the reader got %q", name, s)
		}
	}
	if info, err := os.Lstat(pipe); err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		t.Errorf("the pipe is %v now, %v", info, err)
	}
	if _, err := Create(pipe); !errors.Is(err, ErrNotFile) {
		t.Errorf("created in place of a pipe: %v", err)
	}
}

func TestDeviceIsWrittenTo(t *testing.T) {
	name := filepath.Join(t.TempDir(), "link")
	link(t, os.DevNull, name)
	for _, path := range []string{os.DevNull, name} {
		if err := Write(path, hello); err != nil {
			t.Error(err)
		}
	}
	if info, err := os.Lstat(os.DevNull); err != nil || info.Mode()&fs.ModeCharDevice == 0 {
		t.Fatalf("%s is %v now, %v", os.DevNull, info, err)
	}
	if _, err := Create(os.DevNull); !errors.Is(err, ErrNotFile) {
		t.Errorf("created in place of a device: %v", err)
	}
	if err := Write("/dev/full", hello); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full device: %v", err)
	}
}

// TestOpenFileIsWrittenTo writes by the name of a descriptor, as /dev/stdout is one: after what was written before.
func TestOpenFileIsWrittenTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("1 "); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join("/dev/fd", strconv.Itoa(int(f.Fd())))
	if err := Write(name, hello); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(" 2"); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "1 hello 2" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := Create(name); !errors.Is(err, ErrNotFile) {
		t.Errorf("created in place of an open file: %v", err)
	}
}

func TestDirectoryIsNoTarget(t *testing.T) {
	dir := t.TempDir()
	if _, err := Create(dir); !errors.Is(err, syscall.EISDIR) {
		t.Error(err)
	}
}
