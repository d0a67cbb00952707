package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// smallLive is the bytes of a live file of few elements.
func smallLive(t testing.TB, c hnsw.Config) []byte {
	t.Helper()
	c.Dim, c.Capacity, c.M = 5, 24, 2
	path := filepath.Join(t.TempDir(), "small")
	x, err := CreateLive(path, c, CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if err := x.Add(uint64(i), smallVector(i), hnsw.AddOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(x.Delete(3), x.Close()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func smallVector(i int) []float32 {
	rnd := rand.New(rand.NewPCG(uint64(i), 9))
	v := make([]float32, 5)
	for j := range v {
		v[j] = rnd.Float32()
	}
	return v
}

// useLive opens whatever b may be, searches and changes it. Nothing may crash, run out of the arrays or fail to end;
// what is opened again after a change is an index by the rules, or is refused.
func useLive(t testing.TB, b []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hostile")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if x, err := MapLive(path, Options{}); err == nil {
		useReader(x)
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	}
	x, _, err := OpenLive(path, Options{})
	if err != nil {
		return
	}
	useReader(x)
	v := make([]float32, x.Dim())
	for i := range uint64(30) {
		_ = x.Add(i*3, v, hnsw.AddOptions{})
		_ = x.Delete(i)
		_ = x.Vector(i, v)
	}
	useReader(x)
	_ = x.Sync()
	_ = x.Close()
	if x, _, err := OpenLive(path, Options{}); err == nil {
		useReader(x)
		_ = x.Close()
	}
}

func useReader(x *hnsw.Index) {
	v := make([]float32, x.Dim())
	for _, k := range []int{1, 30} {
		_, _ = x.Search(v, k, search.Options{})
	}
	even := func(label uint64) bool { return label%2 == 0 }
	_, _ = x.Search(v, 3, search.Options{Filter: search.FilterFunc(even)})
	_, _ = x.Stats()
	_, _ = x.Reachable()
	_, _ = x.Labels()
	_ = CheckLive("", x)
}

// dirtied marks a live file as one that wasn't closed.
func dirtied(b []byte) []byte {
	b = bytes.Clone(b)
	b[dirtyAt] = 1
	return b
}

var smallConfigs = []hnsw.Config{
	{}, {ReplaceDelete: true, Codes: hnsw.Codes{Bits: 2}}, {Storage: rowtype.NoRows, Codes: hnsw.Codes{Bits: 4}},
	{Storage: rowtype.ScaledInt8, Metric: vector.Cosine},
}

// TestLiveDamageStaysInside damages the state and the parts of files, their sums being right.
func TestLiveDamageStaysInside(t *testing.T) {
	race.SkipSequential(t)
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, c := range smallConfigs {
		whole := smallLive(t, c)
		for range 60 {
			b := bytes.Clone(whole)
			for range 1 + rnd.IntN(60) {
				b[centerAt+rnd.IntN(len(b)-centerAt)] = byte(rnd.IntN(256))
			}
			for range rnd.IntN(3) {
				b[countsAt+rnd.IntN(countsSize)] = byte(rnd.IntN(30))
			}
			binary.LittleEndian.PutUint32(b[stateCRCAt:], checksum(b[countsAt:countsAt+countsSize]))
			useLive(t, b)
			useLive(t, dirtied(b))
		}
	}
}

// TestLiveRecoversFromAnyLinks puts noise into all lists of a file that wasn't closed: recovering gives a graph by the
// rules with all elements in it.
func TestLiveRecoversFromAnyLinks(t *testing.T) {
	race.SkipSequential(t)
	rnd := rand.New(rand.NewPCG(5, 6))
	for round := range 40 {
		b := dirtied(smallLive(t, smallConfigs[round%2]))
		path := filepath.Join(t.TempDir(), "noise")
		l := layoutFrom(t, b)
		for _, p := range []hnsw.Part{hnsw.PartLinks0, hnsw.PartUpper, hnsw.PartInbound, hnsw.PartLevels, hnsw.PartUpperAt} {
			for i := range l.size[p] {
				if rnd.IntN(1+round%4) == 0 {
					b[l.at[p]+i] = byte(rnd.IntN(20))
				}
			}
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		x, r, err := OpenLive(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckLive(path, x); err != nil || x.Len() != 20 || r.Elements != 20 {
			t.Fatalf("round %d: %v, %d elements, %+v", round, err, x.Len(), r)
		}
		if n, err := x.Reachable(); err != nil || n < 19 { // nothing has to lead to what is deleted
			t.Errorf("round %d: %d reachable, %v", round, n, err)
		}
		for i := range 20 {
			found, err := x.Search(smallVector(i), 1, search.Options{Ef: 20})
			if err != nil || i != 3 && (len(found) != 1 || found[0].Label != uint64(i)) {
				t.Errorf("round %d: element %d: %v, %v", round, i, found, err)
			}
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLiveHeaderIsChecked changes every byte of the first page and of the state: the file is refused.
func TestLiveHeaderIsChecked(t *testing.T) {
	whole := smallLive(t, smallConfigs[1])
	path := filepath.Join(t.TempDir(), "header")
	for at := range stateCRCAt + 4 {
		if at >= 200 && at < headerSize-8 {
			continue // zeros under the same sum
		}
		b := bytes.Clone(whole)
		b[at] ^= 0x40
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		x, err := MapLive(path, Options{})
		var format *FormatError
		if !errors.As(err, &format) && (at < centerCRCAt || at >= stateCRCAt) {
			t.Errorf("byte %d: %v, %v", at, x, err)
		}
		if x != nil {
			x.Close()
		}
	}
	for _, cut := range []int{0, 100, headerSize, centerAt, len(whole) - 1} {
		if err := os.WriteFile(path, whole[:cut], 0o644); err != nil {
			t.Fatal(err)
		}
		var format *FormatError
		if _, _, err := OpenLive(path, Options{}); !errors.As(err, &format) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
}

// FuzzLive opens whatever the header may say.
func FuzzLive(f *testing.F) {
	for _, c := range smallConfigs {
		b := smallLive(f, c)
		f.Add(b)
		f.Add(dirtied(b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= headerSize {
			binary.LittleEndian.PutUint32(b[crcAt:], checksum(b[:crcAt]))
		}
		useLive(t, b)
	})
}

// FuzzLiveParts does the same with whatever the state and the arrays may hold.
func FuzzLiveParts(f *testing.F) {
	var seeds [][]byte
	for i, c := range smallConfigs {
		seeds = append(seeds, smallLive(f, c))
		f.Add(uint8(i), false, seeds[i][countsAt:countsAt+countsSize], seeds[i][centerAt:])
	}
	f.Fuzz(func(t *testing.T, seed uint8, dirty bool, state, parts []byte) {
		b := bytes.Clone(seeds[int(seed)%len(seeds)])
		copy(b[countsAt:countsAt+countsSize], state)
		binary.LittleEndian.PutUint32(b[stateCRCAt:], checksum(b[countsAt:countsAt+countsSize]))
		copy(b[centerAt:], parts)
		if dirty {
			b = dirtied(b)
		}
		useLive(t, b)
	})
}

// TestLiveAddsWhereItWasLeft closes a file after every few additions.
func TestLiveAddsWhereItWasLeft(t *testing.T) {
	race.SkipSequential(t)
	path, x := create(t, hnsw.Config{Codes: hnsw.Codes{Bits: 4}}, 1600)
	rows := liveRows(1600, 4)
	for at := 0; at < 1600; at += 200 {
		labels := make([]uint64, 200)
		for i := range labels {
			labels[i] = uint64(at + i)
		}
		if err := x.AddBatch(context.Background(), rows.Slice(at, at+200), labels, hnsw.BatchOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		var r hnsw.Recovery
		if x, r = reopen(t, path); r != (hnsw.Recovery{}) {
			t.Fatalf("recovered %+v after closing", r)
		}
	}
	if err := CheckLive(path, x); err != nil || x.Len() != 1600 {
		t.Fatalf("%v with %d elements", err, x.Len())
	}
	for i := range 1600 {
		found, err := x.Search(vector.Row[float32](rows, i), 1, search.Options{Ef: 200})
		if err != nil || len(found) != 1 || found[0].Label != uint64(i) {
			t.Fatalf("row %d: %v, %v", i, found, err)
		}
	}
}

// TestLiveDamagedRowIsTold damages a byte of a row, or of its sum, in files that were closed, and in such that weren't
// before the power was cut: checking and opening name its label, and it can be dropped.
func TestLiveDamagedRowIsTold(t *testing.T) {
	for i, c := range smallConfigs {
		whole := smallLive(t, c)
		l := layoutFrom(t, whole)
		part := hnsw.PartRows
		if c.Storage == rowtype.NoRows {
			part = hnsw.PartCodes
		}
		stride := l.size[part] / 24 // of 24 elements; codes have a tail
		for _, at := range []int64{l.at[part] + 5*stride + 1, l.at[hnsw.PartSums] + 5*4} {
			b := bytes.Clone(whole)
			b[at] ^= 0x10
			path := filepath.Join(t.TempDir(), "damaged")
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
			x, err := MapLive(path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			var damage *FormatError
			if err := CheckLive(path, x); !errors.As(err, &damage) || !strings.Contains(err.Error(), "of the labels 5 ") {
				t.Errorf("%d: checked: %v", i, err)
			}
			if err := x.Close(); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, dirtied(b), 0o644); err != nil {
				t.Fatal(err)
			}
			for range 2 { // being refused changes nothing
				if _, _, err := OpenLive(path, Options{}); !errors.As(err, &damage) ||
					!strings.Contains(err.Error(), "of the labels 5 ") {
					t.Errorf("%d: opened: %v", i, err)
				}
			}
			x, r, err := OpenLive(path, Options{DropDamaged: true})
			if err != nil {
				t.Fatal(err)
			}
			if err := CheckLive(path, x); err != nil || x.Len() != 19 || r.Damaged != 1 {
				t.Errorf("%d: %v, %d elements, %+v", i, err, x.Len(), r)
			}
			if err := x.Vector(5, make([]float32, 5)); !errors.Is(err, hnsw.ErrLabel) {
				t.Errorf("%d: the damaged row: %v", i, err)
			}
			if err := x.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// layoutFrom is the layout that the header of a live file says.
func layoutFrom(t *testing.T, b []byte) liveLayout {
	t.Helper()
	var lc liveConfig
	if _, err := binary.Decode(b[liveConfigAt:], binary.LittleEndian, &lc); err != nil {
		t.Fatal(err)
	}
	c, err := lc.config(Options{}, "")
	if err != nil {
		t.Fatal(err)
	}
	l, err := layoutOf(c, int(lc.UpperLists), lc.Flags&flagSums != 0)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
