//go:build unix

package shale

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/shale-search/shale/internal/hnsw"
)

// smallLiveFile makes a live file of 30 rows.
func smallLiveFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "small.live")
	x, err := createLive(processDim, BuildOptions{Path: path, Capacity: 40, Codes: Float32}, func(x *hnsw.Index) error {
		for label := range uint64(30) {
			if err := x.Add(label, versioned(label, 0), hnsw.AddOptions{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// holdLive opens a live file, prints "open", and closes the file when standard input ends.
func holdLive(path string, o OpenOptions) error {
	x, err := Open(context.Background(), path, o)
	if err != nil {
		return err
	}
	if !o.Mapped {
		_ = x.Delete(7) // deleted already if this isn't the first time; there is no Sync
	}
	fmt.Println("open")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, x.Close())
}

// TestLiveFileIsWaitedFor tests that a process that has a live file open to change it keeps all others out, that one
// that searches it keeps out those that change it, and that Open waits for as long as OpenOptions.Wait says.
func TestLiveFileIsWaitedFor(t *testing.T) {
	ctx, path := context.Background(), smallLiveFile(t)
	for _, c := range []struct {
		held string
		o    OpenOptions
	}{{"hold to write", OpenOptions{}}, {"hold to write", OpenOptions{Mapped: true}}, {"hold to read", OpenOptions{}}} {
		p, err := startProcess(c.held, path, 0)
		if err != nil {
			t.Fatal(err)
		}
		if !p.lines.Scan() || p.lines.Text() != "open" {
			t.Fatalf("%s: %q", c.held, p.lines.Text())
		}
		o := c.o
		o.Wait = -1
		if _, err := Open(ctx, path, o); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s, not waiting: %v", c.held, err)
		}
		o.Wait = 20 * time.Millisecond
		if _, err := Open(ctx, path, o); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "20ms") {
			t.Errorf("%s, waiting: %v", c.held, err)
		}
		waiting := 0
		o.Wait, o.Waiting = patience, func() { waiting++; p.in.Close() }
		x, err := Open(ctx, path, o)
		if err != nil {
			t.Fatal(err)
		}
		if waiting != 1 || x.Len() != 29 {
			t.Errorf("waited %d times, for %d rows", waiting, x.Len())
		}
		if err := errors.Join(x.Close(), p.c.Wait()); err != nil {
			t.Error(err)
		}
	}
	p, err := startProcess("hold to read", path, 0)
	if err != nil {
		t.Fatal(err)
	}
	if p.lines.Scan(); p.lines.Text() != "open" {
		t.Fatal(p.lines.Text())
	}
	if r, err := Verify(ctx, path); err != nil || r.Rows != 30 {
		t.Errorf("two that read: %+v, %v", r, err)
	}
	p.in.Close()
	if err := p.c.Wait(); err != nil {
		t.Error(err)
	}
}

// TestLiveFileNeedsNoRightToWrite searches and verifies a live file as a user who may read it, in order or not closed.
func TestLiveFileNeedsNoRightToWrite(t *testing.T) {
	path := smallLiveFile(t)
	for dir := filepath.Dir(path); strings.HasPrefix(dir, os.TempDir()) && dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(path, 0o444); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"closed", "killed"} {
		if what == "killed" {
			p, err := startProcess("hold to write", path, 0)
			if err != nil {
				t.Fatal(err)
			}
			if p.lines.Scan(); p.lines.Text() != "open" && os.Getuid() == 0 {
				t.Fatal(p.lines.Text())
			}
			if err := p.c.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = p.c.Wait() // killed
		}
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out, err := asNobody(t, path)
		if err != nil || !strings.HasPrefix(out, "read") {
			t.Errorf("%s: %v: %s", what, err, out)
		}
		after, err := os.ReadFile(path)
		if err != nil || string(before) != string(after) {
			t.Errorf("%s: the file has changed, %v", what, err)
		}
	}
}

// asNobody lets a process without any rights, where this one may start such, read the file once.
func asNobody(t *testing.T, path string) (string, error) {
	t.Helper()
	// The program of a test lies where others may not go.
	program := filepath.Join(filepath.Dir(path), "program")
	if err := errors.Join(os.Link(os.Args[0], program)); err != nil {
		b, err := os.ReadFile(os.Args[0])
		if err == nil {
			err = os.WriteFile(program, b, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	defer os.Remove(program)
	c := exec.Command(program)
	c.Dir = "/"
	c.Env = append(os.Environ(), processEnv+"=read once", processPath+"="+path)
	if os.Getuid() == 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := c.CombinedOutput()
	return string(out), err
}

// readOnceWithoutRights searches, verifies, and opens as if to change.
func readOnceWithoutRights(path string) error {
	if err := readOnce(path, 1); err != nil {
		return err
	}
	x, err := Open(context.Background(), path, OpenOptions{})
	if err != nil {
		return err
	}
	if err := x.Add(1, versioned(1, 1)); !errors.Is(err, hnsw.ErrFrozen) {
		return fmt.Errorf("added without the right to write: %v", err)
	}
	fmt.Println("read")
	return x.Close()
}

// TestLiveFileIsCreatedWhole: what is at the path is all of an index, or what was there before.
func TestLiveFileIsCreatedWhole(t *testing.T) {
	path := smallLiveFile(t)
	dir := filepath.Dir(path)
	o := BuildOptions{Capacity: 10, Codes: Float32}
	fill := func(x *hnsw.Index) error { return x.Add(77, versioned(77, 0), hnsw.AddOptions{}) }
	create := func(path string, fill func(*hnsw.Index) error, replace bool) (*Index, error) {
		o := o
		o.Path, o.Replace = path, replace
		return createLive(processDim, o, fill)
	}
	stop := errors.New("stop")
	failing := func(x *hnsw.Index) error {
		if _, err := os.Stat(filepath.Join(dir, "new")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("half an index has a name: %v", err)
		}
		return errors.Join(fill(x), stop)
	}
	if _, err := create(filepath.Join(dir, "new"), failing, false); !errors.Is(err, stop) {
		t.Errorf("failed: %v", err)
	}
	if _, err := create(path, fill, false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over another: %v", err)
	}
	if _, err := create(path, failing, true); !errors.Is(err, stop) {
		t.Errorf("failed to replace: %v", err)
	}
	x, err := Open(context.Background(), path, OpenOptions{Mapped: true})
	if err != nil || x.Len() != 30 {
		t.Fatalf("%v, %d rows", err, x.Len())
	}
	if _, err := create(path, fill, true); !errors.Is(err, ErrLocked) {
		t.Errorf("over one that is open: %v", err)
	}
	if err := x.Save(context.Background(), path, SaveOptions{Format: File}); err == nil {
		t.Error("a live file was replaced by another format")
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("small.live", link); err != nil {
		t.Fatal(err)
	}
	if x, err = create(link, fill, true); err != nil || x.Len() != 1 {
		t.Fatal(err)
	}
	for label := range uint64(50) { // the file grows
		if err := x.Add(label, versioned(label, 0)); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(link); err != nil || to != "small.live" {
		t.Errorf("the link was replaced: %q, %v", to, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("%v are left, %v", entries, err)
	}
	r, err := Verify(context.Background(), path)
	if err != nil || r.Rows != 51 || len(r.Problems) > 0 {
		t.Errorf("%+v, %v", r, err)
	}
}
