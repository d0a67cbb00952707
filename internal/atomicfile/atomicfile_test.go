package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

func only(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(names) {
		t.Fatalf("%d files lie in the directory, want %d: %v", len(entries), len(names), entries)
	}
	for i, e := range entries {
		if e.Name() != names[i] {
			t.Fatalf("found %s, want %s", e.Name(), names[i])
		}
	}
}

func holds(t *testing.T, path, want string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil || string(b) != want {
		t.Fatalf("%s holds %q (%v), want %q", path, b, err, want)
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	for _, text := range []string{"first", "second, longer", ""} {
		err := Write(path, func(w io.Writer) error { _, err := io.WriteString(w, text); return err })
		if err != nil {
			t.Fatal(err)
		}
		holds(t, path, text)
		only(t, dir, "a")
	}
}

func TestFailedFillLeavesTheOld(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	err := Write(path, func(w io.Writer) error { _, _ = io.WriteString(w, "new"); return boom })
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = Write(path, func(io.Writer) error { panic(boom) })
	}()
	holds(t, path, "old")
	only(t, dir, "a")
}

func TestWriteAtAndAbort(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("xxxdata")); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("abc"), 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := f.Abort(); err != nil {
		t.Fatalf("Abort after Commit: %v", err)
	}
	holds(t, path, "abcdata")

	g, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(g.Abort(), g.Abort()); err != nil {
		t.Fatalf("Abort twice: %v", err)
	}
	holds(t, path, "abcdata")
	only(t, dir, "a")
}

func TestCommitOntoADirectory(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := os.MkdirAll(filepath.Join(path, "b"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, func(io.Writer) error { return nil }); err == nil {
		t.Fatal("a file replaced a directory")
	}
	only(t, dir, "a")
	if _, err := Create(filepath.Join(dir, "none", "a")); !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}

func TestDirAppearsWholeOrNotAtAll(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	fill := func(temp string) error { return os.WriteFile(filepath.Join(temp, "f"), []byte("x"), 0o600) }
	broken := errors.New("broken")
	err := Dir(dir, false, func(string) error { return broken })
	left, readErr := os.ReadDir(filepath.Dir(dir))
	if !errors.Is(err, broken) || readErr != nil || len(left) != 0 {
		t.Errorf("%v, leaves %v, %v", err, left, readErr)
	}
	if err := Dir(dir, false, fill); err != nil {
		t.Fatal(err)
	}
	if err := Dir(dir, false, fill); !errors.Is(err, os.ErrExist) {
		t.Errorf("a directory was replaced without being asked: %v", err)
	}
	if err := Dir(dir, true, fill); err != nil {
		t.Fatal(err)
	}
	only(t, filepath.Dir(dir), "d")
	if b, err := os.ReadFile(filepath.Join(dir, "f")); err != nil || string(b) != "x" {
		t.Errorf("%q, %v", b, err)
	}
}

// TestSettle writes on after Settle, and finds that it fails once the file has its name.
func TestSettle(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one ", "two"} {
		if _, err := io.WriteString(f, text); err != nil {
			t.Fatal(err)
		}
		if err := f.Settle(); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	holds(t, path, "one two")
	if err := f.Settle(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Commit: %v", err)
	}
}
