//go:build unix

package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

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
