package store

import (
	"bytes"
	"errors"
	commandline "flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/vfs"
	"github.com/shale-search/shale/vector"
)

// power is the system's file system, of which it notes what is on the disk: the content of a
// live file as of its last sync.
type power struct {
	vfs.System
	disk    []byte
	moments [][]byte // what the file held at times since, with what has been synced in part
}

func (p *power) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	f, err := p.System.OpenFile(name, flag, perm)
	return powerFile{f, p}, err
}

func (p *power) Unnamed(dir string, perm fs.FileMode) (vfs.File, error) {
	f, err := p.System.Unnamed(dir, perm)
	return powerFile{f, p}, err
}

type powerFile struct {
	vfs.File
	p *power
}

func (f powerFile) Sync() error {
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() {
		f.p.disk, err = readAll(f)
	}
	return errors.Join(err, f.File.Sync())
}

func (f powerFile) Msync(b []byte) error {
	if len(b) > len(f.p.disk) {
		f.p.disk = make([]byte, len(b))
	}
	copy(f.p.disk, b)
	for _, m := range f.p.moments {
		copy(m, b)
	}
	return f.File.Msync(b)
}

func readAll(f vfs.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b := make([]byte, info.Size())
	_, err = f.ReadAt(b, 0)
	return b, err
}

// cut is what a file may hold after a power cut: each page is as it was on the disk, or as it was at one of the moments
// since.
func cut(rnd *rand.Rand, disk []byte, moments ...[]byte) []byte {
	after := bytes.Clone(disk)
	keep := rnd.IntN(101) // percent
	for at := 0; at < len(after); at += headerSize {
		if rnd.IntN(100) >= keep {
			copy(after[at:at+headerSize], moments[rnd.IntN(len(moments))][at:])
		}
	}
	return after
}

// cutAgain cuts the power once more, while a file is repaired.
func cutAgain(t *testing.T, rnd *rand.Rand, path string, disk []byte) []byte {
	t.Helper()
	if err := os.WriteFile(path, disk, 0o644); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(path)
	s := &failing{at: 3 + rnd.IntN(5)} // to open and sync the folder, to sync the mark, all, the state, and the mark
	defer vfs.Swap(vfs.Swap(s))
	x, _, err := OpenLive(path, Options{})
	if err == nil {
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	} else if !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	now, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.done) >= 5 && !strings.HasPrefix(s.done[4], "msync ") {
		t.Fatalf("operations are others: %v", s.done)
	}
	if s.at <= 5 {
		return cut(rnd, disk, now)
	}
	if rnd.IntN(2) == 0 { // the state and the mark are as before
		copy(now[stateAt:centerAt], disk[stateAt:])
	}
	return now
}

var powerRounds = commandline.Int("live.cuts", 40, "rounds of power cuts for each kind of live index")

var powerConfigs = map[string]hnsw.Config{
	"rows":  faultConfigs["rows"],
	"codes": faultConfigs["codes"],
	"codes and rows": {Dim: killDim, M: 4, EfConstruction: 40, Capacity: 1500,
		Storage: vector.Float16, Codes: hnsw.Codes{Bits: 4}},
}

// TestLivePowerCuts changes a live file, cuts the power at a moment after some Sync and opens whatever
// mix of pages the disk has then: what was acknowledged is there, all else is there as a whole or not,
// and the index is one by the rules.
func TestLivePowerCuts(t *testing.T) {
	race.SkipSequential(t)
	cuts, torn := 0, 0
	for name, c := range powerConfigs {
		t.Run(name, func(t *testing.T) {
			rounds := *powerRounds
			if c.Storage != rowtype.NoRows && c.Codes.Bits != 0 {
				rounds = (rounds + 19) / 20 // of many elements, since codes are trained on many
			}
			for round := range rounds {
				n, dropped := powerCut(t, c, uint64(round))
				cuts, torn = cuts+n, torn+dropped
				if t.Failed() {
					t.Fatalf("seed %d", round)
				}
			}
		})
	}
	t.Logf("%d power cuts, %d elements that were there in part", cuts, torn)
}

func powerCut(t *testing.T, c hnsw.Config, seed uint64) (cuts, torn int) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 77))
	dir := memoryDir(t)
	path := filepath.Join(dir, "x.live")
	p := &power{}
	defer vfs.Swap(vfs.Swap(p))
	c.Capacity, c.ReplaceDelete = max(c.Capacity, 400), true
	x, err := CreateLive(path, c, CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	k := &changing{tracked: track(x), rnd: rnd}
	if c.Codes.Bits != 0 && c.Storage != rowtype.NoRows {
		if err := k.changeSome(1400); err != nil {
			t.Fatal(err)
		}
	}
	for range 1 + rnd.IntN(4) {
		p.moments = nil
		for range 1 + rnd.IntN(4) {
			if err := k.changeSome(20); err != nil {
				t.Fatal(err)
			}
			now, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			p.moments = append(p.moments, now)
		}
		for range 3 {
			name := filepath.Join(dir, fmt.Sprint("cut", cuts))
			after := cut(rnd, p.disk, p.moments...)
			if rnd.IntN(2) == 0 {
				after = cutAgain(t, rnd, name, after)
			}
			n := openAfterCut(t, k.tracked, name, after)
			cuts, torn = cuts+1, torn+n
		}
		if err := k.sync(); err != nil {
			t.Fatal(err)
		}
	}
	return cuts, torn
}

// changing is a tracked index that changes at random.
type changing struct {
	*tracked
	rnd  *rand.Rand
	next uint64 // label
}

// changeSome makes n changes of any kind.
func (k *changing) changeSome(n int) error {
	for range n {
		if err := k.changeOne(); err != nil {
			return err
		}
	}
	return nil
}

func (k *changing) changeOne() error {
	label := k.rnd.Uint64N(k.next + 1)
	s, known := k.now[label]
	switch kind := k.rnd.IntN(10); {
	case known && !s.deleted && kind < 2:
		return k.remove(label)
	case known && !s.deleted && kind < 5:
		return k.add(label, label+1, s.version+1)
	}
	label = k.next
	k.next++
	v := state{}
	return k.note(label, v, k.x.Add(label, trackedVector(label, 0), hnsw.AddOptions{ReplaceDeleted: k.rnd.IntN(2) == 0}))
}

// openAfterCut opens a file for searching and for changing, and tests what it holds.
func openAfterCut(t *testing.T, k *tracked, path string, content []byte) (torn int) {
	t.Helper()
	defer vfs.Swap(vfs.Swap(vfs.System{}))
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(path)
	m, err := MapLive(path, Options{})
	if err != nil {
		t.Errorf("for searching: %v", err)
		return 0
	}
	k.check(t, m, path)
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	x, r, err := OpenLive(path, Options{})
	if err != nil {
		t.Errorf("for changing: %v", err)
		return 0
	}
	k.check(t, x, path)
	if err := errors.Join(x.Add(1<<40, killVector(1<<40, 0), hnsw.AddOptions{}), x.Close()); err != nil {
		t.Error(err)
	}
	return r.Torn
}
