package postings

import (
	"flag"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"pgregory.net/rapid"

	"github.com/shale-search/shale/internal/payload"
)

// TestMain makes the tests do the same every time, unless flags say otherwise.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.seed": "1", "rapid.checks": "300", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	flag.Parse()
	os.Exit(m.Run())
}

// anySet draws sets for which each of the forms is the shortest.
func anySet(r *rapid.T) *roaring.Bitmap {
	s := roaring.New()
	run, gap := rapid.Uint64Range(1, 200).Draw(r, "run"), rapid.Uint64Range(1, 1000).Draw(r, "gap")
	for from, n := uint64(0), rapid.IntRange(0, 100).Draw(r, "runs"); n > 0 && from+run <= mostInChunk; n-- {
		s.AddRange(from, from+run)
		from += run + gap
	}
	for range rapid.IntRange(0, 3).Draw(r, "pieces") {
		from := rapid.Uint64Range(0, mostInChunk-1).Draw(r, "from")
		end := min(from+rapid.Uint64Range(1, 9000).Draw(r, "length"), mostInChunk)
		step := rapid.Uint64Range(1, 3).Draw(r, "step")
		for n := from; n < end; n += step {
			s.Add(uint32(n))
		}
	}
	for _, n := range rapid.SliceOfN(rapid.Uint32Range(0, mostInChunk-1), 0, 20).Draw(r, "single") {
		s.Add(n)
	}
	return s
}

func TestSets(t *testing.T) {
	forms := map[byte]bool{}
	rapid.Check(t, func(r *rapid.T) {
		s := anySet(r)
		b := EncodeSet(s)
		forms[b[0]] = true
		got, err := DecodeSet(b)
		if err != nil || !got.Equals(s) {
			r.Fatalf("%d members became %v, %v", s.GetCardinality(), got, err)
		}
		if len(b) > 1+denseBytes {
			r.Errorf("a set takes %d bytes", len(b))
		}
		words := make([]uint64, chunkWords)
		if err := addSet(words, b); err != nil || !roaring.FromDense(words, false).Equals(s) {
			r.Errorf("%d members became %d bits, %v", s.GetCardinality(), roaring.FromDense(words, false).GetCardinality(), err)
		}
	})
	for _, form := range []byte{listForm, runsForm, denseForm} {
		if !forms[form] {
			t.Errorf("no set was written in form %d", form)
		}
	}
}

// TestMerging applies changes of sets and of numbers one after another, and puts the same changes together in pieces,
// as a store does: of the newest first or last, and with the base or without.
func TestMerging(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		set, numbers := map[uint32]bool{}, map[Value]bool{}
		var sets, values [][]byte
		for range rapid.IntRange(1, 8).Draw(r, "changes") {
			some := rapid.SliceOfNDistinct(rapid.Uint32Range(0, 9), 0, 6, rapid.ID).Draw(r, "documents")
			cut := rapid.IntRange(0, len(some)).Draw(r, "added")
			sets = append(sets, EncodeEdit(roaring.BitmapOf(some[:cut]...), roaring.BitmapOf(some[cut:]...)))
			var news []Value
			for i, d := range some {
				set[d] = i < cut
				maps.DeleteFunc(numbers, func(v Value, _ bool) bool { return uint32(v.Document) == d })
				if i < cut {
					n := payload.Number{Float: float64(rapid.IntRange(-2, 2).Draw(r, "number"))}
					news = append(news, Value{n, uint16(d)})
					numbers[news[len(news)-1]] = true
				}
			}
			values = append(values, EncodeNumbersEdit(roaring.BitmapOf(some...), news))
		}
		maps.DeleteFunc(set, func(_ uint32, there bool) bool { return !there })
		got, err := DecodeSet(merged(r, sets, func(b []byte) (merging, error) { return NewSetMerging(b), nil }))
		if err != nil || !slices.Equal(got.ToArray(), slices.Sorted(maps.Keys(set))) {
			r.Fatalf("the set is %v, %v; want %v", got, err, set)
		}
		_, n, err := decodeNumbersEdit(merged(r, values, func(b []byte) (merging, error) { return NewNumbersMerging(b) }))
		want := slices.SortedFunc(maps.Keys(numbers), compareValues)
		if err != nil || !slices.Equal(n.Values(), want) {
			r.Fatalf("the numbers are %v, %v; want %v", n.Values(), err, want)
		}
	})
}

type merging interface {
	MergeNewer([]byte) error
	MergeOlder([]byte) error
	finish(includesBase bool) ([]byte, error)
}

func (m *SetMerging) finish(includesBase bool) ([]byte, error) {
	b, _, err := m.Finish(includesBase)
	return b, err
}

func (m *NumbersMerging) finish(includesBase bool) ([]byte, error) {
	b, _, err := m.Finish(includesBase)
	return b, err
}

// merged puts changes together, those that follow each other first, until one value is left.
func merged(r *rapid.T, changes [][]byte, begin func([]byte) (merging, error)) []byte {
	for {
		at := rapid.IntRange(0, len(changes)-1).Draw(r, "at")
		end := rapid.IntRange(at+1, len(changes)).Draw(r, "end")
		piece := slices.Clone(changes[at:end])
		add := merging.MergeNewer
		if rapid.Bool().Draw(r, "newest first") {
			slices.Reverse(piece)
			add = merging.MergeOlder
		}
		m, err := begin(piece[0])
		for _, change := range piece[1:] {
			if err == nil {
				err = add(m, change)
			}
		}
		if err != nil {
			r.Fatal(err)
		}
		all := len(piece) == len(changes)
		b, err := m.finish(all)
		if err != nil {
			r.Fatal(err)
		}
		if all {
			return b
		}
		changes = slices.Replace(slices.Clone(changes), at, end, b)
	}
}

// memory is numbers as a store would hold them.
type memory map[string][]byte

func (m memory) get(term string, fn func([]byte) error) error { return fn(m[term]) }

func (m memory) add(runs []Run, values []Value) []Run {
	r, groups := NewRun(uint16(len(runs)), slices.Clone(values))
	for i, g := range groups {
		m[GroupTerm(r.ID, i)] = g
	}
	runs = append(runs, r)
	m[DirectoryTerm] = EncodeDirectory(runs)
	return runs
}

// TestRanges compares ranges of numbers with a look at each value, in runs with documents of one number or several, and
// after the numbers of some documents were changed.
func TestRanges(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		different, each := rapid.IntRange(1, 3000).Draw(r, "different"), rapid.IntRange(1, 2).Draw(r, "each")
		number := func() payload.Number {
			n := rapid.IntRange(-1, different).Draw(r, "number")
			return payload.Number{Float: float64(n / 2), Rest: int16(n % 2)}
		}
		m, all, runs, document := memory{}, map[Value]bool{}, []Run(nil), 0
		for range rapid.IntRange(0, 3).Draw(r, "runs") {
			var values []Value
			for range rapid.IntRange(1, 6000).Draw(r, "values") {
				n := document * 7919 % different
				v := Value{payload.Number{Float: float64(n / 2), Rest: int16(n % 2)}, uint16(document / each)}
				values, all[v] = append(values, v), true
				document++
			}
			runs = m.add(runs, values)
		}
		if rapid.Bool().Draw(r, "changed") {
			news := []Value{{number(), 3}, {number(), 3}}
			maps.DeleteFunc(all, func(v Value, _ bool) bool { return v.Document == 3 || v.Document == 4 })
			all[news[0]], all[news[1]] = true, true
			m[NumbersTerm] = EncodeNumbersEdit(roaring.BitmapOf(3, 4), news)
		}
		b := payload.Bounds{
			Low: number(), High: number(), HasLow: rapid.Bool().Draw(r, "low"), HasHigh: rapid.Bool().Draw(r, "high"),
			OpenLow: rapid.Bool().Draw(r, "open"), OpenHigh: rapid.Bool().Draw(r, "open"),
		}
		want := roaring.New()
		for v := range all {
			if b.Contain(v.Number) {
				want.Add(uint32(v.Document))
			}
		}
		if got, err := Stored(m.get).Range(b); err != nil || !got.Equals(want) {
			r.Fatalf("%+v: %v, %v; want %v", b, got, err, want)
		}
		values, err := Stored(m.get).Values()
		if err != nil || !slices.Equal(values, slices.SortedFunc(maps.Keys(all), compareValues)) {
			r.Fatalf("%d values, %v; want %d", len(values), err, len(all))
		}
	})
}

// FuzzDecode reads what may be postings: nothing is read out of bounds.
func FuzzDecode(f *testing.F) {
	s := roaring.BitmapOf(1, 2, 3, 70)
	f.Add(EncodeSet(s))
	f.Add(EncodeEdit(s, roaring.BitmapOf(7)))
	values := []Value{{payload.Number{Float: 1}, 3}, {payload.Number{Float: 2}, 4}}
	f.Add(EncodeNumbers(values))
	f.Add(EncodeNumbersEdit(s, values))
	run, groups := NewRun(1, values)
	f.Add(EncodeDirectory([]Run{run}))
	f.Add(groups[0])
	f.Fuzz(func(t *testing.T, b []byte) {
		if set, err := DecodeSet(b); err == nil && !set.IsEmpty() && set.Maximum() >= mostInChunk {
			t.Errorf("a set of a chunk holds %d", set.Maximum())
		}
		if n, err := DecodeNumbers(b); err == nil {
			n.Range(payload.Bounds{HasLow: true})
			n.Values()
		}
		any := func(_ string, fn func([]byte) error) error { return fn(b) }
		if set, err := Stored(any).Range(payload.Bounds{HasLow: true}); err == nil && set == nil {
			t.Error("no set, and no error")
		}
		if m := NewSetMerging(b); m.MergeOlder(b) == nil && m.MergeNewer(b) == nil {
			if b, err := m.finish(false); err != nil || m.MergeNewer(b) != nil {
				t.Error("a set can't be merged again")
			}
		}
		if m, err := NewNumbersMerging(b); err == nil && m.MergeOlder(b) == nil && m.MergeNewer(b) == nil {
			if b, err := m.finish(false); err != nil || m.MergeNewer(b) != nil {
				t.Error("numbers can't be merged again")
			}
		}
	})
}
