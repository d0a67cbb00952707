package collection

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/shale-search/shale/internal/vfs/crashfs"
	"github.com/shale-search/shale/vector"
)

var updateFormat = flag.Bool("collection.update", false, "write testdata of the format anew with this version's writer")

// formatDir has a collection of each version of the format. Document i of 8 has the vector (i, 0, 0, 0) and a payload;
// 2 is deleted and 3 overwritten. 0 to 4 are in a segment.
var formatDir = filepath.Join("testdata", "format-1")

func writeFormat(t *testing.T) {
	t.Helper()
	if err := os.RemoveAll(formatDir); err != nil {
		t.Fatal(err)
	}
	if err := Create(formatDir, plain(vector.L2)); err != nil {
		t.Fatal(err)
	}
	c := opened(t, formatDir, Options{idle: true})
	for i := range 8 {
		mustUpsert(t, c, document(NumberID(uint64(i)), i, float32(i), 0, 0, 0))
		if i == 4 {
			sealNow(t, c)
		}
	}
	if n, err := c.Delete(context.Background(), NumberID(2)); n != 1 || err != nil {
		t.Fatalf("%d documents were deleted, %v", n, err)
	}
	mustUpsert(t, c, document(NumberID(3), 3, 3, 0, 0, 0))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestFormat opens a collection that was written when the format was new, reads it, searches it and changes it.
func TestFormat(t *testing.T) {
	if *updateFormat {
		writeFormat(t)
	}
	dir := filepath.Join(t.TempDir(), "c")
	if err := crashfs.Copy(formatDir, dir); err != nil {
		t.Fatal(err)
	}
	c := opened(t, dir, Options{})
	for i := range 8 {
		want := "null"
		if i != 2 {
			want = text(t, []Document{document(NumberID(uint64(i)), i, float32(i), 0, 0, 0)})
		}
		if got := text(t, mustGet(t, c, NumberID(uint64(i)))); got != want {
			t.Errorf("document %d is %s, not %s", i, got, want)
		}
	}
	hits := mustQuery(t, c, Query{Near: [][]float32{{2.1, 0, 0, 0}}, K: 2})[0]
	if len(hits) != 2 || hits[0].ID != NumberID(3) || hits[1].ID != NumberID(1) {
		t.Errorf("found %s", text(t, hits))
	}
	mustUpsert(t, c, document(NumberID(2), 2, 2, 0, 0, 0))
	if err := c.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	verified(t, c, 8)
}
