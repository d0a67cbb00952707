package store

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/mmap"
	"github.com/shale-search/shale/internal/race"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// resident is the number of pages of a file that are in the page cache.
func resident(t *testing.T, path string) int {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	m, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(m)
	pages := make([]byte, (len(m)+os.Getpagesize()-1)/os.Getpagesize())
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&m[0])), uintptr(len(m)),
		uintptr(unsafe.Pointer(&pages[0])))
	if errno != 0 {
		t.Fatal(errno)
	}
	n := 0
	for _, p := range pages {
		n += int(p & 1)
	}
	return n
}

// evict drops a file from the page cache.
func evict(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := errors.Join(f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)); err != nil {
		t.Fatal(err)
	}
	if n := resident(t, path); n > 0 {
		t.Skipf("the file system keeps %d pages in memory: what opening reads can't be counted", n)
	}
}

// TestOpeningReadsFewPages opens indexes of different sizes that aren't in the page cache: opening brings in a few
// pages, the same number for all sizes.
func TestOpeningReadsFewPages(t *testing.T) {
	race.SkipSequential(t)
	open := map[string]func(string) (interface{ Close() error }, error){
		"mapped": func(path string) (interface{ Close() error }, error) {
			return OpenMapped(context.Background(), path, Options{})
		},
		"live for searching": func(path string) (interface{ Close() error }, error) { return MapLive(path, Options{}) },
		"live": func(path string) (interface{ Close() error }, error) {
			x, _, err := OpenLive(path, Options{})
			return x, err
		},
	}
	c := hnsw.Config{M: 4, EfConstruction: 20, Codes: hnsw.Codes{Bits: 4}}
	for name, open := range open {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{1200, 12_000} {
				path, x := create(t, c, n)
				if err := x.AddBatch(context.Background(), liveRows(n, 1), nil, hnsw.BatchOptions{}); err != nil {
					t.Fatal(err)
				}
				if name == "mapped" {
					path = filepath.Join(t.TempDir(), "saved.shale")
					if err := Save(context.Background(), path, x); err != nil {
						t.Fatal(err)
					}
				}
				if err := x.Close(); err != nil {
					t.Fatal(err)
				}
				evict(t, path)
				y, err := open(path)
				if err != nil {
					t.Fatal(err)
				}
				if got := resident(t, path); got < 1 || got > 4 {
					t.Errorf("%d pages are read by opening %d elements", got, n)
				}
				if err := y.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestLiveNeedsItsRoom makes files that the system has no room for, by the limit on the size of files and, for root, on
// a file system that is too small: an error tells, and nothing is left behind.
func TestLiveNeedsItsRoom(t *testing.T) {
	refused := func(t *testing.T, dir string, want error) {
		t.Helper()
		x, err := CreateLive(filepath.Join(dir, "large"), hnsw.Config{Dim: liveDim, Capacity: 100_000}, CreateOptions{})
		if !errors.Is(err, want) {
			t.Errorf("%v, %v", x, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%v are left, %v", left, err)
		}
	}
	t.Run("limit", func(t *testing.T) {
		var before unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &before); err != nil {
			t.Fatal(err)
		}
		defer unix.Setrlimit(unix.RLIMIT_FSIZE, &before)
		// Above what the log of the files that the tests open grows to, below what the index needs.
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 8 << 20, Max: before.Max}); err != nil {
			t.Fatal(err)
		}
		refused(t, t.TempDir(), unix.EFBIG)
	})
	t.Run("disk", func(t *testing.T) {
		dir := t.TempDir()
		if err := unix.Mount("shale", dir, "tmpfs", 0, "size=1m"); err != nil {
			t.Skip("only root can make a small file system: ", err)
		}
		defer unix.Unmount(dir, 0)
		refused(t, dir, unix.ENOSPC)
	})
}

// TestLiveOnDiskThatFills takes the room away that a file was given, as file systems that write elsewhere do when they
// are full: changes give errors, and the process lives.
func TestLiveOnDiskThatFills(t *testing.T) {
	race.SkipSequential(t)
	dir := t.TempDir()
	if err := unix.Mount("shale", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skip("only root can make a small file system: ", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	path := filepath.Join(dir, "live")
	x, err := CreateLive(path, hnsw.Config{Dim: liveDim, Capacity: 10_000}, CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rows := liveRows(10_000, 1)
	if err := x.AddBatch(context.Background(), rows.Slice(0, 1000), nil, hnsw.BatchOptions{}); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	// The rows, the largest part and the one before the sums, lose what is not written yet, and something else takes it.
	end := info.Size() - alignUp(4*10_000)
	hole := end - 8000*liveDim*4
	if err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, hole, end-hole); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "other"), make([]byte, 16<<20), 0o644); !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	var fault *mmap.FaultError
	if err := x.AddBatch(context.Background(), rows.Slice(1000, 10_000), nil,
		hnsw.BatchOptions{Threads: 2}); !errors.As(err, &fault) {
		t.Fatalf("added: %v", err)
	}
	if err := x.Add(3, vector.Row[float32](rows, 3), hnsw.AddOptions{}); !errors.Is(err, hnsw.ErrFaulted) {
		t.Errorf("added more: %v", err)
	}
	findAll := func(x *hnsw.Index) {
		t.Helper()
		for i := range 1000 {
			found, err := x.Search(vector.Row[float32](rows, i), 1, search.Options{Ef: 300})
			if err != nil || len(found) != 1 || found[0].Label != uint64(i) {
				t.Errorf("row %d: %v, %v", i, found, err)
			}
		}
	}
	findAll(x)
	if err := x.Close(); !errors.Is(err, hnsw.ErrFaulted) || !strings.Contains(err.Error(), path) {
		t.Errorf("closed: %v", err)
	}
	if firstByte(t, path, dirtyAt) != 1 || firstByte(t, path, faultedAt) != 1 {
		t.Error("the file isn't marked")
	}
	if err := os.Remove(filepath.Join(dir, "other")); err != nil {
		t.Fatal(err)
	}
	y, r := reopen(t, path)
	if y.Len() < 1000 || r.Elements != y.Len() {
		t.Errorf("%d elements, %+v", y.Len(), r)
	}
	findAll(y)
	if err := y.Add(3, vector.Row[float32](rows, 3), hnsw.AddOptions{}); err != nil {
		t.Error(err)
	}
	if err := y.Close(); err != nil {
		t.Error(err)
	}
}

// TestLiveLockEndsWithClose leaves the file's descriptor to a child, as forking does: the
// lock ends with Close all the same.
func TestLiveLockEndsWithClose(t *testing.T) {
	path, x := create(t, hnsw.Config{}, 10)
	if err := x.Close(); err != nil { // its descriptor goes by another name
		t.Fatal(err)
	}
	x, _ = reopen(t, path)
	for range 2 {
		child := exec.Command("cat")
		in, err := child.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		child.ExtraFiles = []*os.File{descriptorOf(t, path)}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := OpenLive(path, Options{}); !errors.Is(err, ErrLocked) {
			t.Errorf("opened twice: %v", err)
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		if x, _, err = OpenLive(path, Options{}); err != nil {
			t.Errorf("the lock outlives its index: %v", err)
		}
		if err := errors.Join(x.Close(), in.Close(), child.Wait()); err != nil {
			t.Error(err)
		}
		if x, err = MapLive(path, Options{}); err != nil {
			t.Fatal(err)
		}
	}
}

// descriptorOf finds the descriptor by which this process has a file open.
func descriptorOf(t *testing.T, path string) *os.File {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err != nil || to != path {
			continue
		}
		fd, err := strconv.Atoi(e.Name())
		if err == nil {
			fd, err = unix.Dup(fd)
		}
		if err != nil {
			t.Fatal(err)
		}
		f := os.NewFile(uintptr(fd), path)
		t.Cleanup(func() { f.Close() })
		return f
	}
	t.Fatalf("%s isn't open", path)
	return nil
}

// TestLiveOnDiskForReading searches files on a file system that can't be written to, one that
// was closed and one that wasn't.
func TestLiveOnDiskForReading(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("shale", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skip("only root can make a small file system: ", err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	b := smallLive(t, hnsw.Config{})
	for name, content := range map[string][]byte{"closed": b, "dirty": dirtied(b)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount("shale", dir, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"closed", "dirty"} {
		path := filepath.Join(dir, name)
		if _, _, err := OpenLive(path, Options{}); !errors.Is(err, unix.EROFS) {
			t.Errorf("%s, to change: %v", name, err)
		}
		x, err := MapLive(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		y, err := MapLive(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		found, err := y.Search(smallVector(7), 1, search.Options{})
		if err != nil || len(found) != 1 || found[0].Label != 7 {
			t.Errorf("%s: %v, %v", name, found, err)
		}
		if err := errors.Join(CheckLive(path, x), x.Close(), y.Close()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
