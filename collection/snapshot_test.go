package collection

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/shale-search/shale/vector"
)

// TestSnapshots takes snapshots while documents are written, sealed and merged, and restores them: all documents of a
// snapshot are of one batch, and those of a later one aren't older.
func TestSnapshots(t *testing.T) {
	const documents, snapshots = 12, 5
	c := created(t, plain(vector.L2), Options{SegmentRows: 20})
	write := func(version int) error {
		var batch []Document
		for i := range documents {
			batch = append(batch, document(NumberID(uint64(i)), version, float32(i), 0, 0, float32(version)))
		}
		return c.Upsert(context.Background(), batch)
	}
	if err := write(0); err != nil {
		t.Fatal(err)
	}
	var over atomic.Bool
	var writer sync.WaitGroup
	writer.Go(func() {
		for version := 1; !over.Load(); version++ {
			if err := write(version); err != nil {
				t.Error(err)
				return
			}
		}
	})
	dir := t.TempDir()
	latest := float32(0)
	for i := range snapshots {
		snapshot, restored := filepath.Join(dir, "s"+string(rune('0'+i))), filepath.Join(dir, "r"+string(rune('0'+i)))
		if err := c.Snapshot(context.Background(), snapshot); err != nil {
			t.Fatal(err)
		}
		if err := Restore(context.Background(), snapshot, restored); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{restored, snapshot} {
			s := opened(t, path, Options{})
			found, err := s.Scroll(context.Background(), ScrollOptions{Fields: Fields{Payload: true, Vectors: true}})
			if err != nil || len(found) != documents {
				t.Fatalf("%d documents are in %s, %v", len(found), path, err)
			}
			version := found[0].Vector[3]
			for i, d := range found {
				want := document(NumberID(uint64(i)), int(version), float32(i), 0, 0, version)
				if version < latest || text(t, d) != text(t, want) {
					t.Fatalf("in %s is %s, not %s, after version %g", path, text(t, d), text(t, want), latest)
				}
			}
			latest = version
			// It can be written to, and the others stay as they are.
			mustUpsert(t, s, document(NumberID(99), 1, 1, 2, 3, 4))
			if err := s.Compact(context.Background()); err != nil {
				t.Fatal(err)
			}
			verified(t, s, documents+1)
		}
	}
	over.Store(true)
	writer.Wait()
	verified(t, c, documents)
}

// TestSnapshotLinks finds the files of segments in a snapshot under another name, and writes copies where the file
// system has no links.
func TestSnapshotLinks(t *testing.T) {
	c := mergeCase(t)
	if err := mergeAll(c); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "s")
	if err := c.Snapshot(context.Background(), dir); err != nil {
		t.Fatal(err)
	}
	if err := c.Snapshot(context.Background(), dir); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a snapshot over another one gave %v", err)
	}
	name := filepath.Join(segmentsDir, segmentFiles(t, c)[0], "manifest.json")
	own, err := os.Stat(filepath.Join(c.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	linked, err := os.Stat(filepath.Join(dir, name))
	if err != nil || !os.SameFile(own, linked) {
		t.Errorf("%s is another file, %v", name, err)
	}
	other := filepath.Join(t.TempDir(), "copy")
	if err := copyFile(filepath.Join(dir, name), other, false); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(other); err != nil || string(got) != string(want) {
		t.Errorf("the copy holds %q, %v", got, err)
	}
}

// TestRestoreVerifies restores snapshots that are damaged or in use: nothing is left at the new place.
func TestRestoreVerifies(t *testing.T) {
	c := mergeCase(t)
	dir := t.TempDir()
	for name, damage := range map[string]func(snapshot string) error{
		"no segment": func(s string) error {
			return os.RemoveAll(filepath.Join(s, segmentsDir, segmentFiles(t, c)[0]))
		},
		"no store": func(s string) error { return os.RemoveAll(filepath.Join(s, storeDir)) },
		"a link": func(s string) error {
			return os.Symlink("/etc/passwd", filepath.Join(s, segmentsDir, segmentFiles(t, c)[0], "link"))
		},
		"open": func(s string) error { opened(t, s, Options{}); return nil },
	} {
		snapshot, to := filepath.Join(dir, name), filepath.Join(dir, "restored")
		if err := c.Snapshot(context.Background(), snapshot); err != nil {
			t.Fatal(err)
		}
		if err := damage(snapshot); err != nil {
			t.Fatal(err)
		}
		if err := Restore(context.Background(), snapshot, to); err == nil {
			t.Errorf("%s: it was restored", name)
		}
		if _, err := os.Stat(to); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: something is left at the new place: %v", name, err)
		}
	}
	checkMergeCase(t, "after snapshots", c)
	verified(t, c, 28)
}
