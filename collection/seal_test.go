package collection

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/shale-search/shale/internal/vfs/crashfs"
	"github.com/shale-search/shale/vector"
)

// sealCase returns a collection that is about to be sealed: document i of 9 has the vector (i, 0, 0, 0), and document 4
// is gone.
func sealCase(t *testing.T) *Collection {
	t.Helper()
	c := created(t, plain(vector.L2), Options{})
	for i := range 9 {
		mustUpsert(t, c, document(NumberID(uint64(i)), i, float32(i), 0, 0, 0))
	}
	if n, err := c.Delete(context.Background(), NumberID(4)); n != 1 || err != nil {
		t.Fatalf("%d documents were deleted, %v", n, err)
	}
	return c
}

// checkSealCase checks the contents and searches.
func checkSealCase(t *testing.T, about string, c *Collection) {
	t.Helper()
	all := Fields{Payload: true, Vectors: true}
	listed, err := c.Scroll(context.Background(), ScrollOptions{Fields: all})
	hits := mustQuery(t, c, Query{Near: [][]float32{{0, 0, 0, 0}}, K: 20, Fields: all})[0]
	if err != nil || len(listed) != 8 || len(hits) != 8 {
		t.Fatalf("%s: %d documents are listed and %d found, %v", about, len(listed), len(hits), err)
	}
	for i, d := range listed {
		if i >= 4 {
			i++
		}
		want := text(t, document(NumberID(uint64(i)), i, float32(i), 0, 0, 0))
		if got := text(t, d); got != want {
			t.Fatalf("%s: listed %s, not %s", about, got, want)
		}
	}
	for i, h := range hits {
		if text(t, h.Document) != text(t, listed[i]) {
			t.Fatalf("%s: found %s, not %s", about, text(t, h), text(t, listed[i]))
		}
	}
}

// TestSealSurvivesEveryFault lets every operation on the files of a segment fail, and cuts the power after it. What was
// written is there: at once, and after opening the collection again.
func TestSealSurvivesEveryFault(t *testing.T) {
	x, err := sealWith(t, sealCase(t), crashfs.Fault{})
	if err != nil {
		t.Fatal(err)
	}
	eachFault(t, x, func(op crashfs.Op, fault crashfs.Fault) { sealFault(t, op, fault) })
}

// eachFault calls try with each operation that changes files, and two faults of it: it and all later ones fail, or the
// power is cut after it.
func eachFault(t *testing.T, x *crashfs.FS, try func(crashfs.Op, crashfs.Fault)) {
	t.Helper()
	changes := 0
	for i, op := range x.Ops() {
		if !op.Changes {
			continue
		}
		changes++
		try(op, crashfs.Fault{At: i + 1, Kind: crashfs.Fails, Err: syscall.EIO, Lasting: crashfs.Any})
		try(op, crashfs.Fault{At: i + 1, Kind: crashfs.Cut})
	}
	if changes < 5 {
		t.Errorf("files are changed %d times: the file system of the test isn't used", changes)
	}
}

// withFault calls do while an operation on the segments of a collection has a fault.
func withFault(t *testing.T, c *Collection, f crashfs.Fault, do func() error) (*crashfs.FS, error) {
	t.Helper()
	x, err := crashfs.New(filepath.Join(c.dir, segmentsDir), f)
	if err != nil {
		t.Fatal(err)
	}
	stop := x.Use(t)
	defer stop()
	return x, do()
}

// sealWith seals a collection while an operation on its segments has a fault.
func sealWith(t *testing.T, c *Collection, f crashfs.Fault) (*crashfs.FS, error) {
	t.Helper()
	return withFault(t, c, f, func() error { return c.Seal(context.Background()) })
}

func sealFault(t *testing.T, op crashfs.Op, fault crashfs.Fault) {
	t.Helper()
	c := sealCase(t)
	x, err := sealWith(t, c, fault)
	about := op.String() + " " + fault.Kind.String()
	checkSealCase(t, about, c)
	if fault.Kind == crashfs.Cut {
		cutPower(t, c, x)
	}
	c = reopened(t, c)
	checkSealCase(t, about+", opened again", c)
	info, infoErr := c.Info()
	if infoErr != nil || (err == nil) != (len(info.Segments) == 1) {
		t.Fatalf("%s: Seal gave %v, and there are %d segments, %v", about, err, len(info.Segments), infoErr)
	}
	if err := c.Seal(context.Background()); err != nil {
		t.Fatalf("%s: sealing again: %v", about, err)
	}
	verified(t, c, 8)
}

// cutPower closes a collection and drops what its segments' files hold that wasn't synced.
func cutPower(t *testing.T, c *Collection, x *crashfs.FS) {
	t.Helper()
	image, err := x.Image()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(c.dir, segmentsDir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := crashfs.Write(dir, image.Entries(crashfs.Synced, 0)); err != nil {
		t.Fatal(err)
	}
}

// TestUnpublishedSegment opens a collection whose process ended after it had written the files of a segment.
func TestUnpublishedSegment(t *testing.T) {
	c := sealCase(t)
	v := c.state.views[c.state.growing()]
	v.End = c.next
	if _, err := c.writeSegment(context.Background(), v, 0); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(c.dir, segmentsDir, "notes.txt")
	if err := os.WriteFile(other, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	c = reopened(t, c)
	entries, err := os.ReadDir(filepath.Join(c.dir, segmentsDir))
	if err != nil || len(entries) != 1 || entries[0].Name() != "notes.txt" {
		t.Errorf("segments holds %v, %v", entries, err)
	}
	checkSealCase(t, "opened again", c)
	verified(t, c, 8)
}
