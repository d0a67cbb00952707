package hnsw

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"unsafe"

	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// copyImage fills to, of the same sizes, with from.
func copyImage(to, from *Image) {
	copyLinks(to, from)
	for i := range from.Count {
		copy(to.Rows.RowBytes(i), from.Rows.RowBytes(i))
	}
}

// copyLinks is copyImage but for the rows.
func copyLinks(to, from *Image) {
	to.TopLevel, to.Entry = from.TopLevel, from.Entry
	copy(to.Links0, from.Links0)
	copy(to.Levels, from.Levels)
	copy(to.UpperAt, from.UpperAt)
	copy(to.Upper, from.Upper)
	copy(to.Labels, from.Labels)
	copy(to.Deleted, from.Deleted)
	to.Coded = from.Coded
	copy(to.Quantizer, from.Quantizer)
	copy(to.Codes, from.Codes)
}

// restored is a copy of x after damage.
func restored(x *Index, damage func(*Image)) (*Index, error) {
	var y *Index
	err := x.WithImage(func(from *Image) (err error) {
		y, err = Restore(from.Config, from.Count, from.UpperLists(), func(to *Image) error {
			copyImage(to, from)
			damage(to)
			return nil
		})
		return err
	})
	return y, err
}

func bytesOf[T any](s []T) []byte {
	var zero T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(zero)))
}

// contentOf is an image as bytes.
func contentOf(t *testing.T, withImage func(func(*Image) error) error) []byte {
	t.Helper()
	var b []byte
	must(t, withImage(func(m *Image) error {
		b = append(b, byte(m.Count), byte(m.TopLevel), byte(m.Entry))
		for _, part := range [][]byte{bytesOf(m.Links0), m.Levels, bytesOf(m.UpperAt), bytesOf(m.Upper), bytesOf(m.Labels),
			bytesOf(m.Deleted), bytesOf(m.Quantizer), m.Codes} {
			b = append(b, part...)
		}
		for i := range m.Count {
			b = append(b, m.Rows.RowBytes(i)...)
		}
		return m.Check()
	}))
	return b
}

// worn is a graph that has seen updates, deletions and replacements, always the same ones.
func worn(t *testing.T) *Index {
	t.Helper()
	const n, dim = 600, 7
	rows := matrix(t, randomRows(n, dim, 1), dim)
	x := build(t, Config{M: 4, EfConstruction: 30, ReplaceDelete: true, Storage: vector.Float16}, rows)
	for i := range uint64(n / 6) {
		must(t, x.Delete(6*i))
		must(t, x.Add(6*i+1, decoded(rows, int(6*i+2)), AddOptions{}))
	}
	for i := range n / 12 {
		must(t, x.Add(uint64(n+i), decoded(rows, i), AddOptions{ReplaceDeleted: true}))
	}
	return x
}

func TestSameOrderGivesSameBytes(t *testing.T) {
	a, b := worn(t), worn(t)
	if !bytes.Equal(contentOf(t, a.WithImage), contentOf(t, b.WithImage)) {
		t.Fatal("two builds differ")
	}
	fa, err := a.Freeze()
	must(t, err)
	defer fa.Close()
	fb, err := b.Freeze()
	must(t, err)
	defer fb.Close()
	if !bytes.Equal(contentOf(t, fa.WithImage), contentOf(t, fb.WithImage)) {
		t.Fatal("two frozen graphs differ")
	}
}

func TestRestoreGivesTheSameIndex(t *testing.T) {
	x := worn(t)
	y, err := restored(x, func(*Image) {})
	must(t, err)
	defer y.Close()
	if !bytes.Equal(contentOf(t, x.WithImage), contentOf(t, y.WithImage)) {
		t.Fatal("contents differ")
	}
	if y.Len() != x.Len() || y.Deleted() != x.Deleted() || y.Config().M != 4 {
		t.Fatalf("%d elements, %d deleted", y.Len(), y.Deleted())
	}
	soundBooks(t, y)
	must(t, y.Resize(y.Len()+100))
	for i := range 100 { // goes on growing, over freed slots and new ones
		must(t, y.Add(uint64(10000+i), randomRows(1, 7, uint64(i)), AddOptions{ReplaceDeleted: true}))
	}
	contentOf(t, y.WithImage)
	soundBooks(t, y)
}

func TestRestoreOfAnEmptyIndex(t *testing.T) {
	nothing := func(*Image) error { return nil }
	y, err := Restore(Config{Dim: 2}, 0, 0, func(m *Image) error { m.TopLevel = -1; return nil })
	must(t, err)
	must(t, y.Add(1, point(1), AddOptions{}))
	must(t, y.Close())
	for _, sizes := range [][2]int{{-1, 0}, {0, -1}, {maxRows + 1, 0}} {
		if _, err := Restore(Config{Dim: 2}, sizes[0], sizes[1], nothing); err == nil {
			t.Errorf("%d elements with %d lists were accepted", sizes[0], sizes[1])
		}
	}
	failure := errors.New("read failure")
	_, err = Restore(Config{Dim: 2}, 5, 0, func(*Image) error { return failure })
	wantError(t, err, failure)
	_, err = Restore(Config{Dim: 2}, 0, 0, func(m *Image) error { m.TopLevel = 1; return nil })
	wantImageError(t, err, "TopLevel")
}

func wantImageError(t *testing.T, err error, field string) {
	t.Helper()
	var wrong *ImageError
	if !errors.As(err, &wrong) || wrong.Field != field || wrong.Error() == "" {
		t.Fatalf("error %v, want one about %s", err, field)
	}
}

// TestDamagedImages: every rule that a search or an addition relies on is checked.
func TestDamagedImages(t *testing.T) {
	x := worn(t)
	var upper, low, high int // an element above level 0, one on level 0 only, and another one above
	must(t, x.WithImage(func(m *Image) error {
		upper = slices.IndexFunc(m.Levels, func(l uint8) bool { return l == 1 })
		high = upper + 1 + slices.IndexFunc(m.Levels[upper+1:], func(l uint8) bool { return l == 1 })
		low = slices.Index(m.Levels, 0)
		return nil
	}))
	const m0, m1 = 8, 4
	list := func(m *Image, id int) []uint32 { return m.Upper[int(m.UpperAt[id])*m1:][:m1] }
	cases := map[string]struct {
		field  string
		damage func(*Image)
	}{
		"entry past the end":       {"Entry", func(m *Image) { m.Entry = uint32(m.Count) }},
		"entry too low":            {"Entry", func(m *Image) { m.Entry = uint32(low) }},
		"top level too high":       {"Entry", func(m *Image) { m.TopLevel++ }},
		"no top level":             {"Entry", func(m *Image) { m.TopLevel = -1 }},
		"level above the top":      {"Levels", func(m *Image) { m.Levels[low] = uint8(m.TopLevel + 1) }},
		"level without lists":      {"UpperAt", func(m *Image) { m.Levels[low], m.UpperAt[low] = 1, uint32(m.UpperLists()) }},
		"list past the end":        {"UpperAt", func(m *Image) { m.UpperAt[upper] = uint32(m.UpperLists()) }},
		"list far past the end":    {"UpperAt", func(m *Image) { m.UpperAt[upper] = 1<<32 - 1 }},
		"list of two elements":     {"UpperAt", func(m *Image) { m.UpperAt[high] = m.UpperAt[upper] }},
		"link past the end":        {"Links0", func(m *Image) { m.Links0[7*m0] = uint32(m.Count + 1) }},
		"link far past the end":    {"Links0", func(m *Image) { m.Links0[7*m0] = 1<<32 - 1 }},
		"link to itself":           {"Links0", func(m *Image) { m.Links0[7*m0] = 8 }},
		"upper link past the end":  {"Upper", func(m *Image) { list(m, upper)[0] = uint32(m.Count + 1) }},
		"upper link to itself":     {"Upper", func(m *Image) { list(m, upper)[0] = uint32(upper + 1) }},
		"upper link to level 0":    {"Upper", func(m *Image) { list(m, upper)[0] = uint32(low + 1) }},
		"mark past the last":       {"Deleted", func(m *Image) { m.Deleted[len(m.Deleted)-1] |= 1 << (m.Count & 31) }},
		"one label twice":          {"Labels", func(m *Image) { m.Labels[9] = m.Labels[3] }},
		"one label twice, deleted": {"Labels", func(m *Image) { m.Labels[0], m.Deleted[0] = m.Labels[3], 1 }},
		"link after the end":       {"Links0", func(m *Image) { copy(m.Links0[7*m0:], []uint32{9, 0, 10}) }},
		"link in a list's last place": {"Links0", func(m *Image) {
			for i := range m0 {
				m.Links0[7*m0+i] = uint32(i + 20)
			}
			m.Links0[8*m0-1] = uint32(m.Count + 5)
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := restored(x, c.damage)
			wantImageError(t, err, c.field)
			if c.field == "Labels" {
				return // a frozen graph doesn't look for labels
			}
			err = x.WithImage(func(from *Image) error {
				_, err := RestoreFrozen(from.Config, from.Count, from.UpperLists(), func(to *Image) error {
					copyImage(to, from)
					c.damage(to)
					return nil
				})
				return err
			})
			wantImageError(t, err, c.field)
		})
	}
}

func TestFreezeKeepsTheContent(t *testing.T) {
	x := worn(t)
	f, err := x.Freeze()
	must(t, err)
	defer f.Close()
	if f.Len() != x.Len() || f.Deleted() != x.Deleted() {
		t.Fatalf("%d elements, %d deleted", f.Len(), f.Deleted())
	}
	q := make([]float32, 7)
	n := x.Len()
	want, err := x.Search(q, n, search.Options{Ef: n})
	must(t, err)
	got, err := f.Search(q, n, search.Options{Ef: n})
	must(t, err)
	sameNeighbors(t, got, want, 1e-6) // rows may be compared in other groups, which changes the rounding
	labels, err := x.Labels()
	must(t, err)
	must(t, f.WithImage(func(m *Image) error {
		frozen := slices.Clone(m.Labels)
		slices.Sort(frozen)
		slices.Sort(labels)
		if !slices.Equal(frozen, labels) {
			t.Error("labels differ")
		}
		if m.Entry != 0 {
			t.Errorf("the entry point is element %d, not the first", m.Entry)
		}
		return m.Check()
	}))
	again, err := f.SearchBatch(context.Background(), matrix(t, q, 7), 3, search.Options{})
	must(t, err)
	if again.Labels[0] != want[0].Label {
		t.Errorf("a batch finds %d first, want %d", again.Labels[0], want[0].Label)
	}
}

func TestFreezeOfAnEmptyIndex(t *testing.T) {
	x, err := New(Config{Dim: 2, Capacity: 5})
	must(t, err)
	defer x.Close()
	f, err := x.Freeze()
	must(t, err)
	defer f.Close()
	if found, err := f.Search(point(1), 3, search.Options{}); err != nil || len(found) != 0 {
		t.Fatalf("found %v, %v", found, err)
	}
}
