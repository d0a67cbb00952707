package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
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

func TestDirectoryIsNoTarget(t *testing.T) {
	dir := t.TempDir()
	if _, err := Create(dir); !errors.Is(err, syscall.EISDIR) {
		t.Error(err)
	}
}
