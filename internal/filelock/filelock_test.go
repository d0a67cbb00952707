package filelock

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const generous = time.Minute

func acquired(t *testing.T, path string) *Lock {
	t.Helper()
	l, err := Acquire(context.Background(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func closed(t *testing.T, l *Lock) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOneHolderAtATime(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, file} {
		l := acquired(t, path)
		if _, err := Acquire(context.Background(), path, Options{}); !errors.Is(err, ErrHeld) {
			t.Errorf("%s: locked twice: %v", path, err)
		}
		closed(t, l)
		closed(t, acquired(t, path))
	}
	if _, err := Acquire(context.Background(), filepath.Join(dir, "none"),
		Options{Wait: generous}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("locked what isn't there: %v", err)
	}
}

func TestWaitingEnds(t *testing.T) {
	dir := t.TempDir()
	l := acquired(t, dir)
	waiting := 0 // may stay 0 where the first look takes as long as the limit
	if _, err := Acquire(context.Background(), dir,
		Options{Wait: 20 * time.Millisecond, Waiting: func() { waiting++ }}); !errors.Is(err, ErrHeld) || waiting > 1 {
		t.Errorf("after the limit: %v, %d calls", err, waiting)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if _, err := Acquire(ctx, dir, Options{Wait: generous, Waiting: cancel}); !errors.Is(err, context.Canceled) {
		t.Errorf("after a cancellation: %v", err)
	}
	waiting = 0
	second, err := Acquire(context.Background(), dir, Options{Wait: generous, Waiting: func() { waiting++; closed(t, l) }})
	if err != nil {
		t.Fatal(err)
	}
	closed(t, second)
	if waiting != 1 {
		t.Errorf("%d calls for one wait", waiting)
	}
}

// TestLockIsOfWhatHasTheName replaces a directory while its lock is waited for.
func TestLockIsOfWhatHasTheName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dir")
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	old := acquired(t, path)
	l, err := Acquire(context.Background(), path, Options{Wait: generous, Waiting: func() {
		if err := errors.Join(os.Rename(path, path+".old"), os.Mkdir(path, 0o755)); err != nil {
			t.Error(err)
		}
		closed(t, old)
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, l)
	if !l.Names(path) || l.Names(path+".old") {
		t.Error("what is locked is the old directory")
	}
	if _, err := Acquire(context.Background(), path, Options{}); !errors.Is(err, ErrHeld) {
		t.Errorf("the new directory isn't locked: %v", err)
	}
}

// holder starts a process that has the lock's descriptor, as a forked child has, until its input is closed.
func holder(t *testing.T, l *Lock) (child *exec.Cmd, in io.WriteCloser) {
	child = exec.Command("cat")
	child.ExtraFiles = []*os.File{l.f}
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	return child, in
}

// TestNoLockOutlivesClose hands the descriptor to a child, as fork does.
func TestNoLockOutlivesClose(t *testing.T) {
	path := t.TempDir()
	l := acquired(t, path)
	child, in := holder(t, l)
	defer func() {
		if err := errors.Join(in.Close(), child.Wait()); err != nil {
			t.Error(err)
		}
	}()
	closed(t, l)
	closed(t, acquired(t, path))
}

func TestLockEndsWithItsProcess(t *testing.T) {
	path := t.TempDir()
	l := acquired(t, path)
	child, in := holder(t, l)
	defer in.Close()
	if err := l.f.Close(); err != nil { // as if this process had ended: the child alone holds the lock
		t.Fatal(err)
	}
	again, err := Acquire(context.Background(), path, Options{Wait: generous, Waiting: func() {
		if err := child.Process.Kill(); err != nil {
			t.Error(err)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	closed(t, again)
	if err := child.Wait(); err == nil {
		t.Error("the child wasn't killed")
	}
}
