package store

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/search"
)

const (
	killEnv      = "SHALE_TEST_LIVE_FILE" // tells the test's own program to change that file until it is killed
	killDim      = 8
	killCapacity = 200_000
	replacedFrom = 1_000_000 // labels of the elements that are deleted and replaced
)

// killVector is the vector that a label has after so many updates.
func killVector(label uint64, version int) []float32 {
	rnd := rand.New(rand.NewPCG(label, uint64(version)))
	v := make([]float32, killDim)
	for i := range v {
		v[i] = rnd.Float32()
	}
	return v
}

// TestLiveSurvivesKills changes a live index from a process of its own, kills that at any moment and opens the file
// again, many times over: everything that a call had returned from is there and found, and all rules of the graph hold.
func TestLiveSurvivesKills(t *testing.T) {
	if path := os.Getenv(killEnv); path != "" {
		changeUntilKilled(path)
		return
	}
	rounds := 4
	if testing.Short() {
		rounds = 2
	}
	for name, codes := range map[string]hnsw.Codes{"rows": {}, "codes": {Bits: 4}} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "killed.shale")
			x, err := CreateLive(path, hnsw.Config{
				Dim: killDim, M: 16, EfConstruction: 100, Capacity: killCapacity, Codes: codes, ReplaceDelete: true,
			}, CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if err := x.Close(); err != nil {
				t.Fatal(err)
			}
			known := acknowledged{version: map[uint64]int{}, deleted: map[uint64]bool{}}
			rnd := rand.New(rand.NewPCG(5, uint64(codes.Bits)))
			for round := range rounds {
				known.changeAndKill(t, path, time.Duration(30+rnd.IntN(400))*time.Millisecond, true)
				known.changeAndKill(t, path, time.Duration(5+rnd.IntN(40))*time.Millisecond, false)
				known.check(t, path, round)
			}
		})
	}
}

// acknowledged is what calls have returned from.
type acknowledged struct {
	version map[uint64]int // of labels that are there
	deleted map[uint64]bool
}

// changeAndKill runs this test in a process of its own, and kills it a while after its first change, or after it has
// begun to start: it is then perhaps repairing what the one before has left.
func (a *acknowledged) changeAndKill(t *testing.T, path string, after time.Duration, changed bool) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^TestLiveSurvivesKills$")
	c.Env = append(os.Environ(), killEnv+"="+path)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	kill := func() { time.AfterFunc(after, func() { _ = c.Process.Kill() }) }
	if !changed {
		kill()
	}
	for lines.Scan() {
		if changed {
			changed = false
			kill()
		}
		a.note(t, lines.Text())
	}
	if err := c.Wait(); err == nil || changed {
		t.Fatalf("the process ended by itself: %v", err)
	}
}

func (a *acknowledged) note(t *testing.T, line string) {
	t.Helper()
	var what string
	var label uint64
	var version int
	if _, err := fmt.Sscan(line, &what, &label, &version); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	switch what {
	case "put":
		a.version[label] = version
		delete(a.deleted, label)
	case "delete":
		delete(a.version, label)
		a.deleted[label] = true
	default:
		t.Fatalf("the process says %q", line)
	}
}

// check opens the file and looks for everything acknowledged.
func (a *acknowledged) check(t *testing.T, path string, round int) {
	t.Helper()
	x, r, err := OpenLive(path, Options{})
	if err != nil {
		t.Fatalf("round %d: %v", round, err)
	}
	t.Logf("round %d: %d elements acknowledged, %+v", round, len(a.version), r)
	if err := x.WithImage(func(m *hnsw.Image) error { return m.Check() }); err != nil {
		t.Errorf("round %d: %v", round, err)
	}
	labels, err := x.Labels()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(labels)
	if len(slices.Compact(labels)) != x.Len() {
		t.Errorf("round %d: %d labels of %d elements differ", round, len(labels), x.Len())
	}
	if x.Len() < len(a.version) || x.Len() > len(a.version)+len(a.deleted)+6*(round+1) {
		t.Errorf("round %d: %d elements, %d and %d deleted ones were acknowledged", round, x.Len(),
			len(a.version), len(a.deleted))
	}
	got := make([]float32, killDim)
	for label, version := range a.version {
		if err := x.Vector(label, got); err != nil {
			if label >= replacedFrom {
				continue // its deletion had begun, perhaps
			}
			t.Fatalf("round %d: label %d of version %d: %v", round, label, version, err)
		}
		if !slices.Equal(got, killVector(label, version)) {
			if !slices.Equal(got, killVector(label, version+1)) {
				t.Fatalf("round %d: label %d is neither of version %d nor the next", round, label, version)
			}
			a.version[label]++ // an update under way
		}
		a.find(t, x, label, got, round)
	}
	for label := range a.deleted {
		if err := x.Vector(label, got); err == nil && !slices.Equal(got, killVector(label, 0)) {
			t.Fatalf("round %d: label %d is back", round, label)
		}
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
}

func (a *acknowledged) find(t *testing.T, x *hnsw.Index, label uint64, v []float32, round int) {
	t.Helper()
	found, err := x.Search(v, 1, search.Options{Ef: 400})
	if err != nil || len(found) != 1 || found[0].Label != label {
		t.Errorf("round %d: label %d: found %v, %v", round, label, found, err)
	}
}

// changeUntilKilled adds, updates, deletes and replaces, from a goroutine each, and tells after each call.
func changeUntilKilled(path string) {
	x, _, err := OpenLive(path, Options{})
	if err != nil {
		panic(err)
	}
	var telling sync.Mutex
	tell := func(err error, what string, label uint64, version int) {
		if err != nil {
			panic(err)
		}
		telling.Lock()
		defer telling.Unlock()
		fmt.Printf("%s %d %d\n", what, label, version)
	}
	labels, err := x.Labels()
	if err != nil {
		panic(err)
	}
	fresh, replaced := uint64(0), uint64(replacedFrom)
	for _, l := range labels {
		if l < replacedFrom {
			fresh = max(fresh, l+1)
		} else {
			replaced = max(replaced, l+1)
		}
	}
	old := fresh
	go func() {
		rnd := rand.New(rand.NewPCG(old, 1))
		version := map[uint64]int{}
		for old > 0 {
			label := rnd.Uint64N(old)
			if _, ok := version[label]; !ok {
				version[label] = versionOf(x, label)
			}
			version[label]++
			tell(x.Add(label, killVector(label, version[label]), hnsw.AddOptions{}), "put", label, version[label])
		}
	}()
	go func() {
		for ; ; replaced++ {
			tell(x.Add(replaced, killVector(replaced, 0), hnsw.AddOptions{ReplaceDeleted: true}), "put", replaced, 0)
			if replaced%3 > 0 {
				tell(x.Delete(replaced), "delete", replaced, 0)
			}
		}
	}()
	for ; ; fresh++ {
		tell(x.Add(fresh, killVector(fresh, 0), hnsw.AddOptions{}), "put", fresh, 0)
	}
}

// versionOf tells how often a label was updated.
func versionOf(x *hnsw.Index, label uint64) int {
	got := make([]float32, killDim)
	if err := x.Vector(label, got); err != nil {
		panic(err)
	}
	for version := 0; ; version++ {
		if slices.Equal(got, killVector(label, version)) {
			return version
		}
	}
}
