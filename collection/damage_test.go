package collection

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/shale-search/shale/internal/vfs/crashfs"
	"github.com/shale-search/shale/vector"
)

// TestDamage changes keys of the store and files of segments: Verify reports it, and nothing else panics. Documents 0
// to 4 are in a sealed segment, of which 4 is dead, and 5 to 9 in the growing one.
func TestDamage(t *testing.T) {
	c := created(t, plain(vector.L2), Options{})
	for i := range 10 {
		mustUpsert(t, c, document(NumberID(uint64(i)), i, float32(i), 0, 0, 0))
		if i == 4 {
			if err := c.Seal(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := c.Delete(context.Background(), NumberID(4)); err != nil {
		t.Fatal(err)
	}
	verified(t, c, 9)

	set := func(key []byte, value string) func(*pebble.DB) error {
		return func(db *pebble.DB) error { return db.Set(key, []byte(value), pebble.Sync) }
	}
	remove := func(key []byte) func(*pebble.DB) error {
		return func(db *pebble.DB) error { return db.Delete(key, pebble.Sync) }
	}
	number := func(n uint64) string { return string(binary.BigEndian.AppendUint64(nil, n)) }
	for name, damage := range map[string]struct {
		change func(*pebble.DB) error
		want   string
	}{
		"no document":     {remove(keyOfNumber(documentKey, 1)), "no document of this number"},
		"document":        {set(keyOfNumber(documentKey, 1), "\x01\x07"), "the document is damaged"},
		"no id":           {remove(keyOfID(NumberID(1))), "its id leads to another document"},
		"other id":        {set(keyOfID(NumberID(1)), number(2)), "its id leads to another document"},
		"id into nowhere": {set(keyOfID(NumberID(1)), number(1<<60)), "no document of this number"},
		"short id":        {set(keyOfID(NumberID(1)), "1"), "the number of the document is damaged"},
		"no vector":       {remove(keyOfVector(0, 6)), `its vector "" is missing`},
		"short vector":    {set(keyOfVector(0, 6), "123"), "the vector is damaged"},
		"NaN":             {set(keyOfVector(0, 6), strings.Repeat("\xff", 16)), "the vector is damaged"},
		"vector of none":  {set(keyOfVector(0, 99), strings.Repeat("\x00", 16)), "no document of this number"},
		"sealed vector":   {set(keyOfVector(0, 1), strings.Repeat("\x00", 16)), "or a segment has it"},
		"vector 9":        {set(keyOfVector(9, 6), strings.Repeat("\x00", 16)), "no such vector"},
		"payload of none": {set(keyOfNumber(payloadKey, 99), "{}"), "no document of this number"},
		"counters":        {set([]byte{countersKey}, "123"), "the counters are damaged"},
		"count": {set([]byte{countersKey}, number(10)+number(1)+number(5)+number(8)+number(0)),
			"counts 8 documents"},
		"dead document":    {set(keyOfTombstone(0, 1), ""), `its vector "" is missing`},
		"no tombstone":     {remove(keyOfTombstone(0, 4)), "rows of no document, such as 4"},
		"tombstone":        {set(keyOfTombstone(7, 1), ""), "no segment has such a row"},
		"tombstone beyond": {set(keyOfTombstone(0, 7), ""), "no segment has such a row"},
		"no segment":       {remove(keyOfNumber(segmentKey, 0)), "no segment has such a row"},
		"segment":          {set(keyOfNumber(segmentKey, 0), `{"first":5,"end":2,"rows":[1]}`), "is wrong"},
		"segment rows":     {set(keyOfNumber(segmentKey, 0), `{"first":0,"end":5,"rows":[4]}`), "it holds 5 rows"},
		"segment range":    {set(keyOfNumber(segmentKey, 0), `{"first":0,"end":9,"rows":[5]}`), "into the growing segment"},
		"no schema":        {remove([]byte{schemaKey}), "unexpected end"},
		"new version":      {set([]byte{schemaKey}, `{"version":2}`), "the format version is 2"},
		"schema":           {set([]byte{schemaKey}, `{"version":1,"vectors":[{"dim":-1,"metric":"l2"}]}`), "dimensions"},
	} {
		dir := filepath.Join(t.TempDir(), "c")
		if err := crashfs.Copy(c.dir, dir); err != nil {
			t.Fatal(err)
		}
		db, err := openStore(dir, storeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := damage.change(db); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		checkDamage(t, name, dir, damage.want)
	}
	for name, damage := range map[string]func(string) error{
		"no files": os.RemoveAll,
		"cut":      func(index string) error { return os.Truncate(filepath.Join(index, "manifest.json"), 10) },
	} {
		dir := filepath.Join(t.TempDir(), "c")
		if err := crashfs.Copy(c.dir, dir); err != nil {
			t.Fatal(err)
		}
		if err := damage(segmentPath(dir, 0, 0)); err != nil {
			t.Fatal(err)
		}
		checkDamage(t, name, dir, segmentName(0, 0))
	}
}

// checkDamage fails unless Verify reports a problem, and uses the collection in case it opens.
func checkDamage(t *testing.T, name, dir, want string) {
	t.Helper()
	r, err := Verify(context.Background(), dir, Options{})
	found := false
	for _, p := range r.Problems {
		found = found || strings.Contains(p.Error(), want)
	}
	if err != nil || !found {
		t.Errorf("%s: Verify gave %v and %q, not %q", name, err, r.Problems, want)
	}
	c, err := Open(context.Background(), dir, Options{})
	if err != nil {
		return
	}
	all := Fields{Payload: true, Vectors: true}
	for i := range 10 {
		_, _ = c.Get(context.Background(), all, NumberID(uint64(i)))
		_ = c.Upsert(context.Background(), []Document{document(NumberID(uint64(i)), i, 1, 2, 3, 4)})
	}
	_, _ = c.Query(context.Background(), Query{Near: [][]float32{{0, 0, 0, 0}}, Fields: all})
	_, _ = c.Scroll(context.Background(), ScrollOptions{Fields: all})
	if err := c.Close(); err != nil {
		t.Errorf("%s: Close gave %v", name, err)
	}
}
