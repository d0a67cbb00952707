package collection

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/shale-search/shale/vector"
)

const (
	killEnv     = "SHALE_TEST_COLLECTION" // tells the test's own program to change that collection until it is killed
	killFrom    = "SHALE_TEST_VERSION"    // the first version that it writes
	killWriters = 2
	killGroups  = 10 // of a writer
	killMembers = 3  // documents of a group, which are written and deleted together
)

// group is documents that are always written in one batch.
type group struct{ writer, number int }

func (g group) id(member int) ID {
	return NumberID(uint64((g.writer*killGroups+g.number)*killMembers + member))
}

// documents returns the batch that writes the group.
func (g group) documents(version int) (batch []Document) {
	for m := range killMembers {
		batch = append(batch, document(g.id(m), version, float32(g.writer), float32(g.number), float32(m), float32(version)))
	}
	return batch
}

// TestSurvivesKills changes a collection from a process of its own, kills that at any moment, and opens the collection
// again: every change that was acknowledged is there, and no batch is there by half.
func TestSurvivesKills(t *testing.T) {
	if dir := os.Getenv(killEnv); dir != "" {
		changeUntilKilled(dir)
		return
	}
	dir := filepath.Join(t.TempDir(), "c")
	s := plain(vector.L2)
	s.Indexes = []PayloadIndex{{"number", Integer}} // which Verify compares with the payloads
	if err := Create(dir, s); err != nil {
		t.Fatal(err)
	}
	k := &killed{t: t, dir: dir, known: map[group]int{}}
	rnd := rand.New(rand.NewPCG(7, 7))
	for range 3 {
		k.run(20 + rnd.IntN(100))
		k.check()
	}
}

// changeUntilKilled changes a collection and prints each change to standard output before and after it is made.
func changeUntilKilled(dir string) {
	version, err := strconv.Atoi(os.Getenv(killFrom))
	if err != nil {
		panic(err)
	}
	c, err := Open(context.Background(), dir, Options{SegmentRows: 15})
	if err != nil {
		panic(err)
	}
	for w := 1; w < killWriters; w++ {
		go changeGroups(c, w, version)
	}
	changeGroups(c, 0, version)
}

func changeGroups(c *Collection, writer, version int) {
	rnd := rand.New(rand.NewPCG(uint64(writer), uint64(version)))
	for ; ; version++ {
		g, written, err := group{writer, rnd.IntN(killGroups)}, version, error(nil)
		if rnd.IntN(4) == 0 {
			written = 0
		}
		fmt.Printf("begin %d %d %d\n", g.writer, g.number, written)
		if written > 0 {
			err = c.Upsert(context.Background(), g.documents(version))
		} else {
			_, err = c.Delete(context.Background(), g.id(0), g.id(1), g.id(2))
		}
		if err != nil {
			panic(err)
		}
		fmt.Printf("done %d %d %d\n", g.writer, g.number, written)
	}
}

// killed is what is known of a collection whose process was killed.
type killed struct {
	t       *testing.T
	dir     string
	known   map[group]int              // the version that was acknowledged; 0: deleted, or never written
	pending [killWriters]map[group]int // the version that may have been written or not
	latest  int
}

// run changes the collection, and kills the process once it has reported a number of changes as done.
func (k *killed) run(changes int) {
	k.t.Helper()
	p := exec.Command(os.Args[0], "-test.run=^TestSurvivesKills$")
	p.Env = append(os.Environ(), killEnv+"="+k.dir, killFrom+"="+strconv.Itoa(k.latest+1))
	var messages strings.Builder
	p.Stderr = &messages
	out, err := p.StdoutPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		k.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if k.note(lines.Text()) {
			changes--
		}
		if changes == 0 {
			if err := p.Process.Kill(); err != nil {
				k.t.Fatal(err)
			}
		}
	}
	if err := p.Wait(); err == nil || changes > 0 {
		k.t.Fatalf("the process ended by itself: %v\n%s", err, messages.String())
	}
}

// note reads a line of the process, and reports whether it says that something was done.
func (k *killed) note(line string) (done bool) {
	k.t.Helper()
	var g group
	var what string
	var version int
	if _, err := fmt.Sscanf(line, "%s %d %d %d", &what, &g.writer, &g.number, &version); err != nil {
		k.t.Fatalf("the process said %q: %v", line, err)
	}
	k.latest = max(k.latest, version)
	if what == "begin" {
		k.pending[g.writer] = map[group]int{g: version}
		return false
	}
	k.pending[g.writer] = nil
	k.known[g] = version
	return true
}

// check opens the collection and compares it with what is known.
func (k *killed) check() {
	k.t.Helper()
	c := opened(k.t, k.dir, Options{})
	documents := 0
	for w := range killWriters {
		for n := range killGroups {
			g := group{w, n}
			version := k.version(c, g)
			if pending, may := k.pending[w][g]; version != k.known[g] && (!may || version != pending) {
				k.t.Errorf("%+v has version %d, %d was acknowledged, and %d (%v) may be", g, version, k.known[g], pending, may)
			}
			k.known[g] = version
			if version > 0 {
				documents += killMembers
			}
		}
	}
	k.pending = [killWriters]map[group]int{}
	verified(k.t, c, documents)
}

// version returns the version of a group, 0 if it isn't there. All documents must have it and be found.
func (k *killed) version(c *Collection, g group) int {
	k.t.Helper()
	ids := []ID{g.id(0), g.id(1), g.id(2)}
	got := mustGet(k.t, c, ids...)
	if len(got) == 0 {
		return 0
	}
	if len(got) != killMembers {
		k.t.Fatalf("%d documents of %+v are there", len(got), g)
	}
	version := int(got[0].Vector[3])
	want := g.documents(version)
	if text(k.t, got) != text(k.t, want) {
		k.t.Fatalf("%+v is %s, not %s", g, text(k.t, got), text(k.t, want))
	}
	for m, d := range want {
		hits := mustQuery(k.t, c, Query{Near: [][]float32{d.Vector}, K: 1, Exact: true})[0]
		if len(hits) != 1 || hits[0].ID != ids[m] || hits[0].Distance != 0 {
			k.t.Fatalf("a query for document %d of %+v found %s", m, g, text(k.t, hits))
		}
	}
	return version
}
