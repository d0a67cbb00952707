//go:build unix

package shale_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/internal/store/manifest"
	"github.com/shale-search/shale/vector"
)

// matrixSource is rows in memory that come in one block.
type matrixSource struct{ vector.Matrix }

func (matrixSource) ID() string { return "rows" }

func (s matrixSource) Blocks(_ context.Context, fn func(int, vector.Matrix) error) error {
	return fn(0, s.Matrix)
}

// damage does something to a directory and gives the names of the files of which an error must name one; none where
// nothing was changed, since the directory has no such place.
type damage struct {
	name string
	do   func(*testing.T, *victim, *rand.Rand) []string
}

var damages = []damage{
	{"a bit flipped", flipOne},
	{"bits flipped in a section", flipInSection},
	{"a page of zeros", zeroPage},
	{"cut", cut},
	{"lengthened", lengthen},
	{"missing", remove},
	{"swapped within the index", swap},
	{"file of another index", fromTwin},
	{"all files of another index but one", mixTwin},
	{"an earlier generation", earlier},
	{"another version", version},
	{"something else than a file", notAFile},
	{"manifest edited", edit},
	{"manifest edited", edit},
	{"manifest edited", edit},
}

// some picks a file of the directory.
func (v *victim) some(rnd *rand.Rand) (name string, b []byte) {
	names := slices.Sorted(maps.Keys(v.whole))
	name = names[rnd.IntN(len(names))]
	return name, bytes.Clone(v.whole[name])
}

// someShard picks a file in Shale's format.
func (v *victim) someShard(rnd *rand.Rand) (name string, b []byte) {
	for name == "" || name == manifest.Name {
		name, b = v.some(rnd)
	}
	return name, b
}

// replace puts b in the place of a file, and gives its name where that changes it.
func (v *victim) replace(t *testing.T, name string, b []byte) []string {
	t.Helper()
	if bytes.Equal(b, v.whole[name]) {
		return nil
	}
	v.put(t, name, b)
	return []string{name}
}

func flipOne(t *testing.T, v *victim, rnd *rand.Rand) []string {
	name, b := v.some(rnd)
	b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(8)
	return v.replace(t, name, b)
}

// sections are those of a file that hold anything.
func (v *victim) sections(t *testing.T, name string) []store.Section {
	t.Helper()
	info, err := store.Inspect(filepath.Join(v.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(info.Sections, func(s store.Section) bool { return s.Length == 0 })
}

func flipInSection(t *testing.T, v *victim, rnd *rand.Rand) []string {
	name, b := v.someShard(rnd)
	sections := v.sections(t, name)
	s := sections[rnd.IntN(len(sections))]
	for range 1 + rnd.IntN(20) {
		b[s.Offset+rnd.Int64N(s.Length)] ^= byte(1 + rnd.IntN(255))
	}
	return v.replace(t, name, b)
}

func zeroPage(t *testing.T, v *victim, rnd *rand.Rand) []string {
	name, b := v.some(rnd)
	at := rnd.IntN(len(b)) &^ 4095
	clear(b[at:min(at+4096, len(b))])
	return v.replace(t, name, b)
}

func cut(t *testing.T, v *victim, rnd *rand.Rand) []string {
	name, b := v.some(rnd)
	places := []int{0, 1, len(b) / 2, len(b) - 1, rnd.IntN(len(b)), 4095, 4096, 4097}
	if name != manifest.Name {
		for _, s := range v.sections(t, name) {
			places = append(places, int(s.Offset)-1, int(s.Offset), int(s.Offset)+1, int(s.End())-1, int(s.End()))
		}
	}
	if name == manifest.Name {
		places[3] -= 2 // what comes after the last brace says nothing
	}
	return v.replace(t, name, b[:min(places[rnd.IntN(len(places))], len(b))])
}

func lengthen(t *testing.T, v *victim, rnd *rand.Rand) []string {
	name, b := v.some(rnd)
	return v.replace(t, name, append(b, make([]byte, 1+rnd.IntN(5000))...))
}

func remove(t *testing.T, v *victim, rnd *rand.Rand) []string {
	name, _ := v.some(rnd)
	if err := os.Remove(filepath.Join(v.dir, name)); err != nil {
		t.Fatal(err)
	}
	return []string{name}
}

func swap(t *testing.T, v *victim, rnd *rand.Rand) []string {
	a, of := v.some(rnd)
	b, other := v.some(rnd)
	if a == b {
		return nil
	}
	return append(v.replace(t, a, other), v.replace(t, b, of)...)
}

func fromTwin(t *testing.T, v *victim, rnd *rand.Rand) []string {
	name, _ := v.some(rnd)
	other, ok := v.twin[name]
	if !ok { // generations differ
		other = v.twin[slices.Sorted(maps.Keys(v.twin))[rnd.IntN(len(v.twin))]]
	}
	changed := v.replace(t, name, other)
	if name == manifest.Name { // its shards are then the wrong ones
		changed = append(changed, slices.Sorted(maps.Keys(v.twin))...)
	}
	return changed
}

func mixTwin(t *testing.T, v *victim, rnd *rand.Rand) []string {
	keep, _ := v.someShard(rnd)
	names := slices.Sorted(maps.Keys(v.twin))
	for _, name := range names {
		if name != keep {
			v.put(t, name, v.twin[name])
		}
	}
	if _, ok := v.twin[keep]; !ok {
		keep = names[1+rnd.IntN(len(names)-1)]
		v.put(t, keep, v.whole[slices.Sorted(maps.Keys(v.whole))[1]])
	}
	return []string{keep}
}

// earlier mixes files of an index and of an earlier generation of it.
func earlier(t *testing.T, v *victim, rnd *rand.Rand) []string {
	if v.before == nil {
		return nil
	}
	now, before := slices.Sorted(maps.Keys(v.whole))[1], slices.Sorted(maps.Keys(v.before))[1]
	if rnd.IntN(2) == 0 { // the earlier shard under the new name
		return v.replace(t, now, v.before[before])
	}
	v.put(t, manifest.Name, v.before[manifest.Name]) // the earlier manifest, whose shard was removed
	return []string{before}
}

// castagnoli sums as Shale's files do.
func castagnoli(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// version makes a file that of another version, with checksums as that version would have them.
func version(t *testing.T, v *victim, rnd *rand.Rand) []string {
	name, b := v.someShard(rnd)
	binary.LittleEndian.PutUint32(b[8:], []uint32{0, 1, 3, 1 << 31}[rnd.IntN(4)])
	binary.LittleEndian.PutUint32(b[4092:], castagnoli(b[:4092]))
	changed := v.replace(t, name, b)
	if rnd.IntN(2) == 0 {
		v.describe(t, name)
	}
	return changed
}

// describe makes the manifest say of a file what it is now.
func (v *victim) describe(t *testing.T, name string) {
	t.Helper()
	m, err := manifest.Read(v.dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := manifest.Describe(v.dir, name)
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Shards {
		if m.Shards[i].File == name {
			s.Rows = m.Shards[i].Rows
			m.Shards[i] = s
		}
	}
	if m.Routing != nil && m.Routing.File == name {
		s.Rows = m.Routing.Rows
		m.Routing.Shard = s
	}
	if err := m.Write(v.dir); err != nil {
		t.Fatal(err)
	}
}

// notAFile puts a directory, a pipe, or a link in the place of a file.
func notAFile(t *testing.T, v *victim, rnd *rand.Rand) []string {
	name, _ := v.some(rnd)
	path := filepath.Join(v.dir, name)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	var err error
	switch rnd.IntN(6) {
	case 0:
		err = os.Mkdir(path, 0o755)
	case 1:
		err = syscall.Mkfifo(path, 0o644)
	case 2:
		err = os.Symlink("nowhere", path)
	case 3:
		err = os.Symlink(name, path)
	case 4:
		err = os.Symlink(os.DevNull, path)
	case 5:
		err = os.Symlink("/dev/zero", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return []string{name}
}

// edits are what a manifest may say that isn't so, or can't be. They give false where the manifest has no such field.
var edits = []func(m map[string]any, rnd *rand.Rand) bool{
	setField("format", "slate index"),
	setField("version", 0, 2, -1, 1<<40),
	setField("generation", -1),
	setField("rows", 0, 1, victimRows-1, victimRows+1, -1, 1<<62, json.Number("99999999999999999999"), "many", 1.5),
	setField("deleted", 2, -1, victimRows+1, 1<<62),
	setField("dim", 0, -1, victimDim+1, 1<<40),
	setField("metric", "", "ip", "cosine", "l3"),
	setField("storage", "", "fp16", "rabitq1"),
	setField("keep", "", "external", "none", "fp8"),
	setField("m", 0, -1, 6, 1<<40),
	setField("base_links", 0, -1, 1<<40),
	setField("ef_construction", 0, -1, 1<<40),
	setField("seed", 101, -1),
	setField("tuned", map[string]any{"ef": 0}, map[string]any{"ef": -1}, map[string]any{"ef": 1 << 40},
		map[string]any{"ef": 9, "slack": -1}),
	setField("build", map[string]any{"from": "", "parts": []int{1}}),
	setField("shards", []any{}, nil, "none"),
	func(m map[string]any, rnd *rand.Rand) bool { // one less
		shards := m["shards"].([]any)
		m["shards"] = slices.Delete(shards, 0, 1)
		return true
	},
	func(m map[string]any, rnd *rand.Rand) bool { // one twice
		shards := m["shards"].([]any)
		m["shards"] = append(shards, shards[rnd.IntN(len(shards))])
		return true
	},
	func(m map[string]any, rnd *rand.Rand) bool { // in another order, which routing would be wrong for
		shards := m["shards"].([]any)
		slices.Reverse(shards)
		return len(shards) > 1
	},
	inShard("file", "", ".", "..", "../shard-0000.shale", "/etc/hostname", "manifest.json",
		"routing.shale", "nowhere", "a\x00b"),
	inShard("rows", 0, -1, 1, 1<<62),
	inShard("bytes", 0, -1, 4096, 1<<62),
	inShard("header_crc32c", "", "00000000", 7),
	setField("routing", nil),
	inRouting("copies", 0, 1, 2, 3, -1, 1<<62),
	inRouting("file", "", "shard-0000.shale", "nowhere", "../routing.shale"),
	inRouting("rows", 0, -1, 1, 1<<62),
	inRouting("header_crc32c", "00000000"),
	inRouting("reach", []any{map[string]any{"share": 0.9, "mass": 0.9}, map[string]any{"share": 0.8, "mass": 0.95}},
		[]any{map[string]any{"share": 2, "mass": 0.9}}, []any{map[string]any{"share": 0.9, "mass": -1}}, "far"),
}

func setField(name string, values ...any) func(map[string]any, *rand.Rand) bool {
	return func(m map[string]any, rnd *rand.Rand) bool {
		value := values[rnd.IntN(len(values))]
		if _, ok := m[name]; !ok && (value == nil || name == "routing") {
			return false
		}
		m[name] = value
		return true
	}
}

func inShard(name string, values ...any) func(map[string]any, *rand.Rand) bool {
	return func(m map[string]any, rnd *rand.Rand) bool {
		shards := m["shards"].([]any)
		return setField(name, values...)(shards[rnd.IntN(len(shards))].(map[string]any), rnd)
	}
}

func inRouting(name string, values ...any) func(map[string]any, *rand.Rand) bool {
	return func(m map[string]any, rnd *rand.Rand) bool {
		r, ok := m["routing"].(map[string]any)
		return ok && setField(name, values...)(r, rnd)
	}
}

// edit changes a field of the manifest and makes its checksum right.
func edit(t *testing.T, v *victim, rnd *rand.Rand) []string {
	m := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(v.whole[manifest.Name]))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	delete(m, "manifest_crc32c")
	encode := func() []byte {
		b, err := json.MarshalIndent(m, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	before := encode()
	if !edits[rnd.IntN(len(edits))](m, rnd) {
		return nil
	}
	b := encode()
	if bytes.Equal(b, before) {
		return nil
	}
	b = append(bytes.TrimSuffix(b, []byte("\n}")), ",\n  \"manifest_crc32c\": \"00000000\"\n}\n"...)
	at := bytes.LastIndex(b, []byte("00000000"))
	copy(b[at:], fmt.Sprintf("%08x", castagnoli(b)))
	v.put(t, manifest.Name, b)
	// A file that the manifest names and that isn't there, or is another, is named in its place.
	return append(slices.Sorted(maps.Keys(v.whole)), "nowhere", "routing.shale")
}
