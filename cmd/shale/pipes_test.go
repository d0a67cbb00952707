//go:build unix

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestSilentPipes: a command that waits for a pipe ends as soon as it is interrupted,
// whether the pipe has a writer or not.
func TestSilentPipes(t *testing.T) {
	dir := t.TempDir()
	pipe, vectors := filepath.Join(dir, "pipe"), filepath.Join(dir, "v.npy")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	content := npy("<f4", "(3, 2)", make([]byte, 24))
	if err := os.WriteFile(vectors, content, 0o600); err != nil {
		t.Fatal(err)
	}
	index := filepath.Join(dir, "index")
	var messages bytes.Buffer
	if code := run(context.Background(), []string{
		"build", "--input", vectors, "--output", index, "--metric", "l2",
	}, &messages, &messages); code != 0 {
		t.Fatal(messages.String())
	}
	for name, args := range map[string][]string{
		"queries":     {"search", index, "--queries", pipe},
		"filter":      {"search", index, "--queries", vectors, "--filter", pipe},
		"truth":       {"eval", index, "--queries", vectors, "--groundtruth", pipe, "-k", "1"},
		"labels":      {"delete", index, "--labels", pipe},
		"added":       {"add", index, "--input", pipe},
		"input":       {"build", "--input", pipe, "--output", index + "2", "--metric", "l2", "--storage", "fp32"},
		"groundtruth": {"groundtruth", "--input", pipe, "--queries", vectors, "--metric", "l2", "--output", index + ".npy"},
	} {
		for _, written := range []bool{false, true} {
			ctx, interrupt := context.WithCancel(context.Background())
			var writer *os.File
			opened := make(chan struct{})
			go func() {
				defer close(opened)
				if written { // opening ends when the command has opened the other end
					w, err := os.OpenFile(pipe, os.O_WRONLY, 0)
					if err != nil {
						t.Error(err)
					}
					writer = w
				}
				interrupt()
			}()
			var messages bytes.Buffer
			if code := run(ctx, args, &messages, &messages); code != exitInterrupted ||
				!strings.Contains(messages.String(), "interrupted") {
				t.Errorf("%s: ended with %d: %s", name, code, messages.String())
			}
			<-opened
			if writer != nil {
				writer.Close()
			}
			release(t, pipe)
		}
	}
}

// release lets go those who still wait for the pipe's other end.
func release(t *testing.T, pipe string) {
	f, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}
