package collection

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/shale-search/shale/internal/vfs/crashfs"
	"github.com/shale-search/shale/vector"
)

// mergeCase returns a collection of two sealed segments, which mergeAll makes one: document i of 36 has the vector
// (i, 0, 0, 0), and those whose number is a multiple of 5 are gone.
func mergeCase(t *testing.T) *Collection {
	t.Helper()
	c := created(t, plain(vector.L2), Options{idle: true})
	for first := 0; first < 36; first += 18 {
		var batch []Document
		for i := first; i < first+18; i++ {
			batch = append(batch, document(NumberID(uint64(i)), i, float32(i), 0, 0, 0))
		}
		mustUpsert(t, c, batch...)
		sealNow(t, c)
	}
	var gone []ID
	for i := uint64(0); i < 36; i += 5 {
		gone = append(gone, NumberID(i))
	}
	if n, err := c.Delete(context.Background(), gone...); n != 8 || err != nil {
		t.Fatalf("%d documents were deleted, %v", n, err)
	}
	return c
}

// sealNow seals a collection without its background.
func sealNow(t *testing.T, c *Collection) {
	t.Helper()
	c.writing.Lock()
	c.freeze()
	c.writing.Unlock()
	if _, err := c.sealOldest(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// checkMergeCase checks the contents and searches.
func checkMergeCase(t *testing.T, about string, c *Collection) {
	t.Helper()
	all := Fields{Payload: true, Vectors: true}
	hits := mustQuery(t, c, Query{Near: [][]float32{{0, 0, 0, 0}}, K: 50, Fields: all})[0]
	if len(hits) != 28 {
		t.Fatalf("%s: %d documents were found: %s", about, len(hits), text(t, hits))
	}
	i := 0
	for _, h := range hits {
		if i%5 == 0 {
			i++
		}
		id := NumberID(uint64(i))
		want := text(t, document(id, i, float32(i), 0, 0, 0))
		got := mustGet(t, c, id)
		if text(t, h.Document) != want || len(got) != 1 || text(t, got[0]) != want {
			t.Fatalf("%s: found %s and got %s, not %s", about, text(t, h), text(t, got), want)
		}
		i++
	}
}

// segmentFiles returns the names in the directory of segments.
func segmentFiles(t *testing.T, c *Collection) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(c.dir, segmentsDir))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestMergeSurvivesEveryFault lets every operation on the files of a merged segment fail, and cuts the power after it.
func TestMergeSurvivesEveryFault(t *testing.T) {
	whole := mergeCase(t)
	if err := whole.Close(); err != nil {
		t.Fatal(err)
	}
	c := copied(t, whole.dir)
	x, err := mergeWith(t, c, crashfs.Fault{})
	if err != nil {
		t.Fatal(err)
	}
	verified(t, c, 28)
	eachFault(t, x, func(op crashfs.Op, fault crashfs.Fault) { mergeFault(t, whole.dir, op, fault) })
}

func mergeWith(t *testing.T, c *Collection, f crashfs.Fault) (*crashfs.FS, error) {
	t.Helper()
	return withFault(t, c, f, func() error {
		err := mergeAll(c)
		c.running.Wait() // for the removal of files
		return err
	})
}

// mergeAll merges all segments of a collection without its background.
func mergeAll(c *Collection) error {
	c.merging.asked++
	_, err := c.mergeSome(context.Background())
	return err
}

// copied opens a copy of a collection, without its background.
func copied(t *testing.T, dir string) *Collection {
	t.Helper()
	to := filepath.Join(t.TempDir(), "c")
	if err := crashfs.Copy(dir, to); err != nil {
		t.Fatal(err)
	}
	return opened(t, to, Options{idle: true})
}

func mergeFault(t *testing.T, dir string, op crashfs.Op, fault crashfs.Fault) {
	t.Helper()
	c := copied(t, dir)
	x, err := mergeWith(t, c, fault)
	about := op.String() + " " + fault.Kind.String()
	checkMergeCase(t, about, c)
	info := mustInfo(t, c)
	if merged := len(info.Segments) == 1; merged != (err == nil) {
		t.Fatalf("%s: the merge gave %v, and there are %d segments", about, err, len(info.Segments))
	}
	if fault.Kind == crashfs.Cut {
		cutPower(t, c, x)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = opened(t, c.dir, Options{})
	checkMergeCase(t, about+", opened again", c)
	if err := c.Compact(context.Background()); err != nil {
		t.Fatalf("%s: merging again: %v", about, err)
	}
	if info := mustInfo(t, c); len(info.Segments) != 1 || info.Segments[0].Dead != 0 || info.Segments[0].Rows[0] != 28 {
		t.Fatalf("%s: after merging again: %+v", about, info)
	}
	checkMergeCase(t, about+", merged again", c)
	verified(t, c, 28)
}

// TestDeadWhileMerging deletes and overwrites documents after the files of a merge were written and before they take
// the place of others.
func TestDeadWhileMerging(t *testing.T) {
	c := mergeCase(t)
	s := c.pin()
	from := s.views[:s.unsealed()]
	record, err := c.writeMerged(context.Background(), from, 100)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := c.Delete(context.Background(), NumberID(1), NumberID(35), NumberID(17)); n != 2 || err != nil {
		t.Fatalf("%d documents were deleted, %v", n, err)
	}
	mustUpsert(t, c, document(NumberID(17), 17, 17, 0, 0, 0), document(NumberID(1), 1, 1, 0, 0, 0))
	if err := c.install(context.Background(), replacement{from: from, number: 100, record: record}); err != nil {
		t.Fatal(err)
	}
	if err := s.release(); err != nil {
		t.Fatal(err)
	}
	info := mustInfo(t, c)
	if len(info.Segments) != 1 || info.Segments[0].Dead != 2 || info.Segments[0].Rows[0] != 28 {
		t.Errorf("after the merge: %+v", info)
	}
	checkMergeCase(t, "merged", c)
	c = reopened(t, c)
	checkMergeCase(t, "opened again", c)
	verified(t, c, 28)
}

// TestReadingOutlivesMerge reads segments that a merge has replaced.
func TestReadingOutlivesMerge(t *testing.T) {
	c := mergeCase(t)
	before := segmentFiles(t, c)
	r, err := c.read()
	if err != nil {
		t.Fatal(err)
	}
	if err := mergeAll(c); err != nil {
		t.Fatal(err)
	}
	if files := segmentFiles(t, c); len(files) != len(before)+1 {
		t.Errorf("while they are read: %q, before it was %q", files, before)
	}
	for _, v := range r.views[:r.unsealed()] {
		m, err := v.indexes[0].Vectors(v.First + 1)
		if err != nil || vector.Row[float32](m, 0)[0] != float32(v.First+1) {
			t.Errorf("a segment that was merged has %v, %v", m, err)
		}
	}
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	c.running.Wait()
	if files := segmentFiles(t, c); len(files) != 1 {
		t.Errorf("when nobody reads any more: %q", files)
	}
	verified(t, c, 28)
}

// TestMergesByItself overwrites and deletes documents: few segments are left, hardly any row is dead, and files that
// were merged are gone.
func TestMergesByItself(t *testing.T) {
	const documents, rounds = 200, 10
	c := created(t, plain(vector.L2), Options{SegmentRows: 20})
	rnd := rand.New(rand.NewPCG(8, 8))
	versions := map[ID]int{}
	for round := range rounds {
		for range documents / 20 {
			var batch []Document
			for _, i := range rnd.Perm(documents)[:20] {
				id := NumberID(uint64(i))
				batch = append(batch, document(id, round, float32(i), 0, 0, 0))
				versions[id] = round
			}
			mustUpsert(t, c, batch...)
			id := NumberID(uint64(rnd.IntN(documents)))
			if _, err := c.Delete(context.Background(), id); err != nil {
				t.Fatal(err)
			}
			delete(versions, id)
		}
	}
	if err := c.Seal(context.Background()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing is left to be merged, and files are gone", func() bool {
		info := mustInfo(t, c)
		var all []mergeCandidate
		for _, s := range info.Segments {
			all = append(all, mergeCandidate{s.Rows[0], s.Dead})
		}
		from, to := chooseMerge(all)
		return from == to && len(segmentFiles(t, c)) == len(info.Segments)
	})
	if n := len(mustInfo(t, c).Segments); n > 10 {
		t.Errorf("%d segments are left", n)
	}
	check := func() {
		for i := range documents {
			id := NumberID(uint64(i))
			got := mustGet(t, c, id)
			version, there := versions[id]
			if len(got) != 0 != there || there && text(t, got[0]) != text(t, document(id, version, float32(i), 0, 0, 0)) {
				t.Fatalf("document %d is %s, of version %d, %v", i, text(t, got), version, there)
			}
		}
	}
	check()
	c = reopened(t, c)
	check()
	verified(t, c, len(versions))
}

// TestMergesCanWait imports documents with merges that wait until they are asked for.
func TestMergesCanWait(t *testing.T) {
	const segments, rows = 8, 20
	c := created(t, plain(vector.L2), Options{SegmentRows: rows, DeferMerges: true})
	for first := 0; first < segments*rows; first += rows {
		var batch []Document
		for i := first; i < first+rows; i++ {
			batch = append(batch, document(NumberID(uint64(i)), i, float32(i), 0, 0, 0))
		}
		mustUpsert(t, c, batch...)
	}
	if err := c.Seal(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := len(mustInfo(t, c).Segments); n != segments {
		t.Errorf("%d segments, not %d", n, segments)
	}
	mustUpsert(t, c, document(StringID("last"), 0, -1, 0, 0, 0))
	if err := c.Merge(context.Background()); err != nil {
		t.Fatal(err)
	}
	if info := mustInfo(t, c); len(info.Segments) != 1 || info.Segments[0].Rows[0] != segments*rows {
		t.Errorf("merged: %+v", info.Segments)
	}
	verified(t, c, segments*rows+1)
}

// diskBytes returns the size of the files in a directory.
func diskBytes(t *testing.T, dir string) (size int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			size += info.Size()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return size
}

// TestCompactGivesDiskBack deletes all documents and compacts: hardly anything is left on the disk.
func TestCompactGivesDiskBack(t *testing.T) {
	const documents, dim = 3000, 512
	s := Schema{Vectors: []Vector{{Dim: dim, M: 4, EfConstruction: 8}}}
	c := created(t, s, Options{SegmentRows: 1000})
	rnd := rand.New(rand.NewPCG(2, 2))
	var ids []ID
	for len(ids) < documents {
		var batch []Document
		for range 500 {
			v := make([]float32, dim)
			for i := range v {
				v[i] = float32(rnd.NormFloat64())
			}
			ids = append(ids, NumberID(uint64(len(ids))))
			batch = append(batch, Document{ID: ids[len(ids)-1], Vector: v})
		}
		mustUpsert(t, c, batch...)
	}
	if err := c.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	if info := mustInfo(t, c); len(info.Segments) != 1 || info.Segments[0].Rows[0] != documents {
		t.Errorf("compacted: %+v", info)
	}
	before := diskBytes(t, c.dir)
	for i := 0; i < documents; i += 1000 {
		if n, err := c.Delete(context.Background(), ids[i:i+1000]...); n != 1000 || err != nil {
			t.Fatalf("%d documents were deleted, %v", n, err)
		}
	}
	if err := c.Compact(context.Background()); err != nil {
		t.Fatal(err)
	}
	c = reopened(t, c) // Pebble keeps a few logs to write them again
	eventually(t, fmt.Sprintf("less than 2 %% of %d bytes are on the disk", before), func() bool {
		return diskBytes(t, c.dir) < before/50
	})
	verified(t, c, 0)
}

// TestWritesWaitForMerges writes to a collection of too many segments: changes wait until some are merged, or for some
// time.
func TestWritesWaitForMerges(t *testing.T) {
	c := created(t, plain(vector.L2), Options{SegmentRows: 1, idle: true})
	c.longestPause = time.Hour
	write := func(ctx context.Context, i int) error {
		return c.Upsert(ctx, []Document{document(NumberID(uint64(i)), i, float32(i), 0, 0, 0)})
	}
	for i := range mostSegments + 1 {
		if err := write(context.Background(), i); err != nil {
			t.Fatal(err)
		}
		sealNow(t, c)
	}
	if err := write(context.Background(), 100); err != nil { // there is room for one
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := write(ctx, 101); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a change that should wait gave %v", err)
	}
	written := make(chan error)
	go func() { written <- write(context.Background(), 102) }()
	if _, err := c.mergeSome(context.Background()); err != nil {
		t.Fatal(err)
	}
	c.merger.end(nil)
	if err := <-written; err != nil {
		t.Error(err)
	}
	if n := len(mustInfo(t, c).Segments); n > mostSegments {
		t.Errorf("%d segments are left", n)
	}
	verified(t, c, mostSegments+3)
}

// TestPauseEnds writes to a collection that isn't merged at all.
func TestPauseEnds(t *testing.T) {
	c := created(t, plain(vector.L2), Options{SegmentRows: 1, idle: true})
	c.longestPause = time.Millisecond
	for i := range mostSegments + 3 {
		mustUpsert(t, c, document(NumberID(uint64(i)), i, float32(i), 0, 0, 0))
		sealNow(t, c)
	}
	mustUpsert(t, c, document(NumberID(98), 1, 1, 0, 0, 0))
	mustUpsert(t, c, document(NumberID(99), 1, 1, 0, 0, 0))
	verified(t, c, mostSegments+5)
}
