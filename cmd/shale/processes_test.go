package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/internal/datafile"
	"github.com/shale-search/shale/vector"
)

// secondsEnv says how long processes work on one index; default: processSeconds.
const (
	secondsEnv     = "SHALE_TEST_SECONDS"
	processSeconds = 2
	processDim     = 8
	processRows    = 5 // that a command adds
)

// shaleProcess is the command in a process of its own.
func shaleProcess(args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0])
	c.Args = append([]string{"shale"}, args...) // by this name TestMain runs the command
	return c
}

func writeVectors(t *testing.T, path string, rows int, seed uint64) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 1))
	data := make([]float32, rows*processDim)
	for i := range data {
		data[i] = float32(rnd.NormFloat64())
	}
	m, err := vector.Of(data, processDim)
	if err != nil {
		t.Fatal(err)
	}
	put := func(put func(vector.Matrix) error) error { return put(m) }
	if err := datafile.Write(path, vector.Float32, processDim, put); err != nil {
		t.Fatal(err)
	}
}

// labelState is what is known of a label.
type labelState int

const (
	there   labelState = iota // its addition was acknowledged
	gone                      // its deletion was
	unknown                   // the command was killed
)

// processWriter adds and deletes labels that no other process has, by commands some of which are killed.
type processWriter struct {
	index, vectors, labels string
	rnd                    *rand.Rand
	next                   uint64
	state                  map[uint64]labelState
	done, killed           int
}

func (w *processWriter) round() error {
	var labels []uint64
	args := []string{"add", w.index, "--input", w.vectors, "--labels", w.labels, "--wait", "5m"}
	after := there
	if w.rnd.IntN(3) == 0 {
		for label, s := range w.state {
			if s == there && len(labels) < processRows {
				labels = append(labels, label)
			}
		}
		args, after = []string{"delete", w.index, "--labels", w.labels, "--wait", "5m"}, gone
	}
	if len(labels) == 0 {
		args, after = []string{"add", w.index, "--input", w.vectors, "--labels", w.labels, "--wait", "5m"}, there
		for range processRows {
			labels = append(labels, w.next)
			w.next++
		}
	}
	var text []byte
	for _, l := range labels {
		text = strconv.AppendUint(text, l, 10)
		text = append(text, '\n')
		w.state[l] = unknown
	}
	if err := os.WriteFile(w.labels, text, 0o644); err != nil {
		return err
	}
	acknowledged, err := w.run(args)
	if acknowledged {
		for _, l := range labels {
			w.state[l] = after
		}
	}
	return err
}

// run runs a command, or kills it at any moment, and reports whether it said that it was done.
func (w *processWriter) run(args []string) (acknowledged bool, err error) {
	c := shaleProcess(args...)
	var messages bytes.Buffer
	c.Stderr = &messages
	if err := c.Start(); err != nil {
		return false, err
	}
	var sent atomic.Bool
	if w.rnd.IntN(4) == 0 {
		timer := time.AfterFunc(time.Duration(w.rnd.IntN(60))*time.Millisecond, func() {
			sent.Store(true)
			_ = c.Process.Kill()
		})
		defer timer.Stop()
	}
	err = c.Wait()
	switch {
	case err == nil:
		w.done++
		return true, nil
	case sent.Load() && c.ProcessState.ExitCode() < 0:
		w.killed++
		return false, nil
	}
	return false, fmt.Errorf("%v: %w: %s", args, err, messages.String())
}

// TestManyProcessesOnOneDirectory lets four processes change an index, some of which are killed, and four read it. No
// change that was acknowledged is lost, and no reader fails.
func TestManyProcessesOnOneDirectory(t *testing.T) {
	const writers, readers, least = 4, 4, 3
	seconds := processSeconds
	if s := os.Getenv(secondsEnv); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		seconds = n
	}
	dir := t.TempDir()
	index, vectors := filepath.Join(dir, "index"), filepath.Join(dir, "base.npy")
	writeVectors(t, vectors, 100, 1)
	if out, err := shaleProcess("build", "--input", vectors, "--output", index, "--metric", "l2", "--m",
		"4").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	end := time.Now().Add(time.Duration(seconds) * time.Second)
	var write, read sync.WaitGroup
	all := make([]*processWriter, writers)
	for i := range all {
		w := &processWriter{
			index: index, vectors: filepath.Join(dir, fmt.Sprintf("%d.npy", i)),
			labels: filepath.Join(dir, fmt.Sprintf("%d.txt", i)),
			rnd:    rand.New(rand.NewPCG(uint64(i), 2)), next: uint64(i+1) << 32, state: map[uint64]labelState{},
		}
		writeVectors(t, w.vectors, processRows, uint64(i)+2)
		all[i] = w
		write.Go(func() {
			for time.Now().Before(end) || w.done < least {
				if err := w.round(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	stop := make(chan struct{})
	var reads atomic.Int64
	for range readers {
		read.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				args := [][]string{
					{"search", index, "--queries", vectors, "-k", "3"}, {"verify", index}, {"inspect", index, "--json"},
				}[n%3]
				if out, err := shaleProcess(args...).CombinedOutput(); err != nil {
					t.Errorf("%v: %v: %s", args, err, out)
					return
				}
				reads.Add(1)
			}
		})
	}
	write.Wait()
	close(stop)
	read.Wait()
	checkProcesses(t, index, all)
	t.Logf("%d reads", reads.Load())
}

// checkProcesses compares what the index holds with what was acknowledged.
func checkProcesses(t *testing.T, index string, all []*processWriter) {
	report, err := shale.Verify(context.Background(), index)
	if err != nil || len(report.Problems) > 0 {
		t.Fatal(err, report.Problems)
	}
	x, err := shale.Open(context.Background(), index, shale.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	labels, err := x.Labels()
	if err != nil {
		t.Fatal(err)
	}
	found := map[uint64]bool{}
	for _, l := range labels {
		found[l] = true
	}
	for i, w := range all {
		for label, s := range w.state {
			if s == there && !found[label] || s == gone && found[label] {
				t.Errorf("writer %d: label %d is in the index: %v; acknowledged was another state, %d", i, label, found[label], s)
			}
		}
		t.Logf("writer %d: %d changes acknowledged, %d commands killed", i, w.done, w.killed)
	}
}
