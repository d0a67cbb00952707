//go:build linux

package shale

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/shale-search/shale/vector"
	"golang.org/x/sys/unix"
)

// BenchmarkOpenMapped opens an index directory whose files aren't in the page cache, and tells the bytes read from the
// disk and the major faults beside the time. SHALE_BENCH_INDEX names the directory; without it a small one is built.
func BenchmarkOpenMapped(b *testing.B) {
	path := os.Getenv("SHALE_BENCH_INDEX")
	if path == "" {
		path = smallIndex(b)
	}
	var read, faults int64
	for range b.N {
		b.StopTimer()
		forget(b, path)
		beforeRead, beforeFaults := diskReads(b)
		b.StartTimer()
		x, err := Open(context.Background(), path, OpenOptions{Mapped: true})
		b.StopTimer()
		if err != nil {
			b.Fatal(err)
		}
		afterRead, afterFaults := diskReads(b)
		read, faults = read+afterRead-beforeRead, faults+afterFaults-beforeFaults
		if err := x.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(read)/1024/float64(b.N), "KiB-read/op")
	b.ReportMetric(float64(faults)/float64(b.N), "major-faults/op")
}

func smallIndex(b *testing.B) string {
	b.Helper()
	rnd := rand.New(rand.NewPCG(1, 2))
	values := make([]float32, 20_000*32)
	for i := range values {
		values[i] = float32(rnd.NormFloat64())
	}
	rows, err := vector.Of(values, 32)
	if err != nil {
		b.Fatal(err)
	}
	x, err := Build(context.Background(), rows, BuildOptions{Metric: vector.L2})
	if err != nil {
		b.Fatal(err)
	}
	defer x.Close()
	path := filepath.Join(b.TempDir(), "index")
	if err := x.Save(context.Background(), path, SaveOptions{}); err != nil {
		b.Fatal(err)
	}
	return path
}

// forget drops the files of a directory from the page cache.
func forget(b *testing.B, dir string) {
	b.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_ = f.Sync() // dirty pages stay otherwise
		return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	})
	if err != nil {
		b.Fatal(err)
	}
}

// diskReads is what the process has read from disks, in bytes, and its major faults.
func diskReads(b *testing.B) (read, faults int64) {
	b.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	stat, err := os.ReadFile("/proc/self/io")
	if err != nil {
		b.Skip("the system doesn't count the bytes read: ", err)
	}
	at := bytes.Index(stat, []byte("\nread_bytes:"))
	if _, err := fmt.Sscanf(string(stat[at+1:]), "read_bytes: %d", &read); err != nil {
		b.Fatal(err)
	}
	return read, int64(usage.Majflt)
}
