package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/shale-search/shale/internal/datafile"
	"github.com/shale-search/shale/internal/filelock"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/vector"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"shale": main, "shale-peak": mainPeak})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Condition: func(name string) (bool, error) {
			if name != "race" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			return race.Enabled, nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"vectors":   vectors,
			"exits":     exits,
			"json":      isJSON,
			"only":      only,
			"interrupt": interrupt,
			"damage":    damage,
			"coded":     coded,
			"mask":      mask,
			"archive":   archive,
			"lock":      lockIndex,
			"peak":      peak,
			"readme":    readme,

			"same-queries": sameQueries,
		},
	})
}

// vectors FILE ROWS DIM SEED [nan | scale N] writes random vectors; with nan, one value in the last row is NaN, with
// scale all are N times as large.
func vectors(ts *testscript.TestScript, _ bool, args []string) {
	rows, dim, seed := number(ts, args[1]), number(ts, args[2]), number(ts, args[3])
	random := rand.New(rand.NewPCG(uint64(seed), 1))
	data := make([]float32, rows*dim)
	for i := range data {
		data[i] = float32(random.NormFloat64())
	}
	if len(args) == 5 {
		data[len(data)-1] = float32(math.NaN())
	}
	if len(args) == 6 {
		for i := range data {
			data[i] *= float32(number(ts, args[5]))
		}
	}
	m, err := vector.Of(data, dim)
	ts.Check(err)
	put := func(put func(vector.Matrix) error) error { return put(m) }
	ts.Check(datafile.Write(ts.MkAbs(args[0]), vector.Float32, dim, put))
}

func number(ts *testscript.TestScript, s string) int {
	n, err := strconv.Atoi(s)
	ts.Check(err)
	return n
}

// exits CODE COMMAND… runs a command that must end with the code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("%v ended with %d, not %s", args[1:], code, args[0])
	}
}

// json FIELD… checks that standard output is one JSON document with these fields.
func isJSON(ts *testscript.TestScript, _ bool, fields []string) {
	d := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	var document map[string]any
	ts.Check(d.Decode(&document))
	if d.More() {
		ts.Fatalf("more than one document on standard output")
	}
	for _, f := range fields {
		if _, ok := document[f]; !ok {
			ts.Fatalf("no field %s in %v", f, document)
		}
	}
}

// sameQueries A B [nearly] checks that two searches, as JSON, found the same; nearly, that they found the same labels
// at distances that rounding may tell apart.
func sameQueries(ts *testscript.TestScript, _ bool, args []string) {
	var found [2]searchReport
	for i, f := range args[:2] {
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(f)), &found[i]))
	}
	a, b := found[0].Queries, found[1].Queries
	same := len(a) > 0 && len(a) == len(b)
	for q := 0; same && q < len(a); q++ {
		same = slices.Equal(a[q].Labels, b[q].Labels) &&
			slices.EqualFunc(a[q].Distances, b[q].Distances, func(x, y float32) bool {
				return x == y || len(args) > 2 && math.Abs(float64(x-y)) < 1e-6*float64(x)
			})
	}
	if !same {
		ts.Fatalf("%s and %s differ", args[0], args[1])
	}
}

// coded STORAGE KEEP builds an index of base.npy, named as its storage, that must find what the file exact holds.
func coded(ts *testscript.TestScript, _ bool, args []string) {
	storage, keep := args[0], args[1]
	for _, command := range [][]string{
		{"build", "--input", "base.npy", "--output", storage, "--metric", "l2", "--storage", storage, "--keep", keep},
		{"verify", storage},
		{"eval", storage, "--queries", "q.npy", "--groundtruth", "truth.npy", "--ef", "20"},
		{"search", storage, "--queries", "q.npy", "--ef", "1100", "--rerank", "1100", "--json"},
	} {
		ts.Check(ts.Exec("shale", command...))
	}
	ts.Check(os.WriteFile(ts.MkAbs("found"), []byte(ts.ReadFile("stdout")), 0o644))
	sameQueries(ts, false, []string{"exact", "found", "nearly"})
}

// lock INDEX locks an index until the script ends.
func lockIndex(ts *testscript.TestScript, _ bool, args []string) {
	l, err := filelock.Try(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Defer(func() { ts.Check(l.Close()) })
}

// only DIR NAME… checks what lies in a directory.
func only(ts *testscript.TestScript, _ bool, args []string) {
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	var names []string
	for _, e := range entries {
		if e.Name() != ".tmp" { // testscript's own
			names = append(names, e.Name())
		}
	}
	slices.Sort(args[1:])
	if !slices.Equal(names, args[1:]) {
		ts.Fatalf("in %s lie %v, not %v", args[0], names, args[1:])
	}
}

// interrupt SIGNAL COMMAND… starts a command, sends it a signal once it is well at work, and
// checks that it ends with code 130, or by the signal if that is KILL.
func interrupt(ts *testscript.TestScript, _ bool, args []string) {
	path := ""
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if p := filepath.Join(dir, args[1]); path == "" && exec.Command(p, "--help").Run() == nil {
			path = p
		}
	}
	c := exec.Command(path, args[2:]...)
	c.Dir = ts.MkAbs(".")
	var messages bytes.Buffer
	c.Stderr = &messages
	ts.Check(c.Start())
	for cpuTime(ts, c.Process.Pid) < 300*time.Millisecond {
		time.Sleep(5 * time.Millisecond)
	}
	signals := map[string]os.Signal{"INT": os.Interrupt, "TERM": syscall.SIGTERM, "KILL": os.Kill}
	want := 130
	if args[0] == "KILL" {
		want = -1 // no code
	}
	ts.Check(c.Process.Signal(signals[args[0]]))
	late := time.AfterFunc(2*time.Minute, func() { _ = c.Process.Kill() })
	defer late.Stop()
	_ = c.Wait()
	if code := c.ProcessState.ExitCode(); code != want {
		ts.Fatalf("ended with %d, not %d: %s", code, want, messages.String())
	}
}

// cpuTime returns the processor time that a process has used so far, as proc(5) counts it in hundredths of a second. It
// shows how far the process has come, whatever else the machine does.
func cpuTime(ts *testscript.TestScript, pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	ts.Check(err)
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if fields[0] == "Z" {
		ts.Fatalf("the command ended before it was interrupted")
	}
	return time.Duration(number(ts, fields[11])+number(ts, fields[12])) * 10 * time.Millisecond
}

// damage FILE OFFSET flips the bits of one byte; an OFFSET from −1 down counts from the end.
func damage(ts *testscript.TestScript, _ bool, args []string) {
	found, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	b, err := os.ReadFile(found[0])
	ts.Check(err)
	at := number(ts, args[1])
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 0xff
	ts.Check(os.WriteFile(found[0], b, 0o644))
}
