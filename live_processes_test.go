//go:build unix

package shale

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

const (
	processEnv  = "SHALE_TEST_LIVE_PROCESS" // tells the test's own program what to be
	secondsEnv  = "SHALE_TEST_SECONDS"      // how long processes work on one index; default: processSeconds
	processPath = "SHALE_TEST_LIVE_PATH"
	processSeed = "SHALE_TEST_LIVE_SEED"

	processSeconds = 2
	processDim     = 8
	labelsEach     = 1 << 20 // labels of one writing process
)

// patience is how long processes wait for each other, on a machine that has much else to do.
const patience = 5 * time.Minute

func TestMain(m *testing.M) {
	var err error
	switch path := os.Getenv(processPath); os.Getenv(processEnv) {
	case "write":
		err = writeLive(path)
	case "read":
		err = readLive(path)
	case "read once":
		err = readOnceWithoutRights(path)
	case "hold to write":
		err = holdLive(path, OpenOptions{})
	case "hold to read":
		err = holdLive(path, OpenOptions{Mapped: true})
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// versioned returns the vector of a label in the given version, the number of its updates.
func versioned(label uint64, version int) []float32 {
	rnd := rand.New(rand.NewPCG(label, uint64(version)))
	v := make([]float32, processDim)
	for i := range v {
		v[i] = rnd.Float32()
	}
	return v
}

// writeLive opens a live file again and again until standard input ends. Each time it adds, updates and deletes a few
// labels that no other process has, syncs and closes. It prints a line before each change, and one when all are synced.
func writeLive(path string) error {
	seed, err := strconv.ParseUint(os.Getenv(processSeed), 10, 64)
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	w := liveWriter{rnd: rand.New(rand.NewPCG(seed, 1)), next: seed * labelsEach, version: map[uint64]int{}}
	for {
		select {
		case <-ended:
			return nil
		default:
		}
		if err := w.round(path); err != nil {
			return fmt.Errorf("writer %d: %w", seed, err)
		}
	}
}

type liveWriter struct {
	rnd     *rand.Rand
	next    uint64
	version map[uint64]int // of labels that are there
}

func (w *liveWriter) round(path string) error {
	x, err := Open(context.Background(), path, OpenOptions{Wait: patience})
	if err != nil {
		return err
	}
	for range 1 + w.rnd.IntN(20) {
		if err := w.change(x); err != nil {
			return errors.Join(err, x.Close())
		}
	}
	if err := x.Sync(); err != nil {
		return errors.Join(err, x.Close())
	}
	fmt.Println("synced")
	return x.Close()
}

func (w *liveWriter) change(x *Index) error {
	label, version := w.next, 0
	switch w.rnd.IntN(30) {
	case 28: // another file in the place of this one
		return x.Resize(x.Len() + x.Deleted() + w.rnd.IntN(100))
	}
	switch w.rnd.IntN(4) {
	case 0: // any of those that are there
		for there, v := range w.version {
			label, version = there, v+1
			break
		}
	case 1:
		for there := range w.version {
			fmt.Println("delete", there)
			delete(w.version, there)
			return x.Delete(there)
		}
	}
	fmt.Println("put", label, version)
	if label == w.next {
		w.next++
	}
	w.version[label] = version
	return x.Add(label, versioned(label, version))
}

// readLive opens a live file again and again until standard input ends, searches it and verifies it.
func readLive(path string) error {
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	for i := uint64(0); ; i++ {
		select {
		case <-ended:
			return nil
		default:
		}
		if err := readOnce(path, i); err != nil {
			return fmt.Errorf("reader: %w", err)
		}
		fmt.Println("read")
	}
}

func readOnce(path string, i uint64) error {
	x, err := Open(context.Background(), path, OpenOptions{Mapped: true, Wait: patience})
	if err != nil {
		return err
	}
	found, err := x.Search(versioned(i, 0), 5, search.Options{})
	if err == nil && len(found) < min(5, x.Len()) {
		err = fmt.Errorf("%d found among %d", len(found), x.Len())
	}
	if err := errors.Join(err, x.Close()); err != nil {
		return err
	}
	r, err := Verify(context.Background(), path)
	return errors.Join(append(r.Problems, err)...)
}

// labelState is what a label stands for.
type labelState struct {
	version int
	gone    bool
}

// acknowledgements holds what writers have reported.
type acknowledgements struct {
	synced map[uint64]labelState
	since  map[uint64][]labelState // what a writer has begun to make of a label since it synced, oldest first
}

func (a *acknowledgements) note(line string, open map[uint64][]labelState) error {
	var label uint64
	var version int
	switch {
	case line == "synced":
		for l, s := range open {
			a.synced[l] = s[len(s)-1]
			delete(a.since, l)
		}
		clear(open)
		return nil
	case scans(line, "put %d %d", &label, &version):
		open[label] = append(open[label], labelState{version: version})
	case scans(line, "delete %d", &label):
		open[label] = append(open[label], labelState{gone: true})
	default:
		return fmt.Errorf("a process says %q", line)
	}
	a.since[label] = open[label]
	return nil
}

func scans(line, format string, into ...any) bool {
	n, err := fmt.Sscanf(line, format, into...)
	return err == nil && n == len(into)
}

// process is one of those that work on the file.
type process struct {
	c     *exec.Cmd
	in    io.Closer
	lines *bufio.Scanner
}

func startProcess(what, path string, seed int) (*process, error) {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), processEnv+"="+what, processPath+"="+path, processSeed+"="+strconv.Itoa(seed))
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &process{c, in, bufio.NewScanner(out)}, c.Start()
}

// TestLiveFileOfManyProcesses lets four processes change one live file, some of which are killed in the middle, while
// four others search and verify it: no change that was synced is lost, and no call fails.
func TestLiveFileOfManyProcesses(t *testing.T) {
	seconds := processSeconds
	if s := os.Getenv(secondsEnv); s != "" {
		var err error
		if seconds, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "many.live")
	x, err := New(processDim, BuildOptions{Path: path, Live: true, M: 8, EfConstruction: 40,
		Capacity: 100, Codes: Float32})
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Duration(seconds)*time.Second)
	defer stop()
	m := manyProcesses{t: t, ctx: ctx, path: path,
		all: acknowledgements{map[uint64]labelState{}, map[uint64][]labelState{}}}
	for i := range 4 {
		m.running.Go(func() { m.write(i) })
		m.running.Go(m.read)
	}
	m.running.Wait()
	t.Logf("%d labels synced by %d calls, %d processes killed, read %d times",
		len(m.all.synced), m.syncs, m.kills, m.reads)
	if m.syncs == 0 || m.reads == 0 || m.kills == 0 {
		t.Errorf("%d syncs, %d reads, %d kills", m.syncs, m.reads, m.kills)
	}
	checkAcknowledged(t, path, &m.all)
}

// manyProcesses is what the processes of one test do.
type manyProcesses struct {
	t       *testing.T
	ctx     context.Context // ends when they are to end
	path    string
	running sync.WaitGroup

	mu                  sync.Mutex
	all                 acknowledgements
	syncs, kills, reads int
}

// write starts one writing process after another. It kills every other one after some of its lines, and ends the others
// by closing their standard input.
func (m *manyProcesses) write(i int) {
	rnd := rand.New(rand.NewPCG(uint64(i), 7))
	for round := 0; m.ctx.Err() == nil || round < 2; round++ {
		p, err := startProcess("write", m.path, 1+i+4*round)
		if err == nil {
			err = m.follow(p, 5+rnd.IntN(60), round%2 == 0)
		}
		if err != nil {
			m.t.Error(err)
			return
		}
	}
}

// follow notes what a process prints, and kills or ends the process after the given number of lines.
func (m *manyProcesses) follow(p *process, lines int, kill bool) error {
	open := map[uint64][]labelState{}
	for said := 1; p.lines.Scan(); said++ {
		switch {
		case said != lines:
		case kill:
			if err := p.c.Process.Kill(); err != nil {
				return err
			}
		default:
			p.in.Close()
		}
		if err := m.note(p.lines.Text(), open, kill && said == lines); err != nil {
			return err
		}
	}
	err := p.c.Wait()
	var exit *exec.ExitError
	if kill && errors.As(err, &exit) && exit.ExitCode() == -1 { // by a signal
		return nil
	}
	if kill {
		return fmt.Errorf("the process ended by itself: %w", err)
	}
	return err
}

func (m *manyProcesses) note(line string, open map[uint64][]labelState, killed bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if line == "synced" {
		m.syncs++
	}
	if killed {
		m.kills++
	}
	return m.all.note(line, open)
}

// read lets one process search until the end.
func (m *manyProcesses) read() {
	p, err := startProcess("read", m.path, 0)
	if err != nil {
		m.t.Error(err)
		return
	}
	for p.lines.Scan() {
		m.mu.Lock()
		m.reads++
		m.mu.Unlock()
		if m.ctx.Err() != nil {
			p.in.Close()
		}
	}
	if err := p.c.Wait(); err != nil {
		m.t.Error(err)
	}
}

func checkAcknowledged(t *testing.T, path string, a *acknowledgements) {
	t.Helper()
	x, err := Open(context.Background(), path, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	for label, s := range a.synced {
		row, err := x.Vectors(label)
		holds := func(s labelState) bool {
			if s.gone {
				return errors.Is(err, hnsw.ErrLabel)
			}
			return err == nil && slices.Equal(vector.Row[float32](row, 0), versioned(label, s.version))
		}
		if !holds(s) && !slices.ContainsFunc(a.since[label], holds) {
			t.Errorf("label %d is neither %+v nor one of %+v: %v, %v", label, s, a.since[label], row, err)
		}
	}
	r, err := Verify(context.Background(), path)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "this process has it open") {
		t.Errorf("verified while it is open for changing: %+v, %v", r, err)
	}
}
