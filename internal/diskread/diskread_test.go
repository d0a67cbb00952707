package diskread

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"
)

// backends are those that this system has.
func backends(t *testing.T, test func(t *testing.T, make func(depth, largest int) *Reader)) {
	fresh := func(depth, largest int) *Reader {
		r, err := New(depth, largest)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	t.Run("as picked", func(t *testing.T) { test(t, fresh) })
	t.Run("goroutines", func(t *testing.T) {
		test(t, func(depth, largest int) *Reader {
			r := fresh(depth, largest)
			if err := r.backend.close(); err != nil {
				t.Fatal(err)
			}
			r.backend = newParallel(depth)
			return r
		})
	})
}

// sample makes a file of random bytes.
func sample(t *testing.T, size int) (*File, []byte) {
	t.Helper()
	b := make([]byte, size)
	rnd := rand.New(rand.NewPCG(1, uint64(size)))
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, b
}

func TestPiecesAreThoseOfTheFile(t *testing.T) {
	for _, size := range []int{1, 511, 4096, 100_001} {
		f, want := sample(t, size)
		backends(t, func(t *testing.T, make func(depth, largest int) *Reader) {
			rapid.Check(t, func(t *rapid.T) {
				depth := rapid.IntRange(1, 9).Draw(t, "depth")
				r := make(depth, 10_000)
				defer r.Close()
				type piece struct{ at, n int }
				var pieces []piece
				for range rapid.IntRange(1, 30).Draw(t, "pieces") {
					at := rapid.IntRange(0, size-1).Draw(t, "at")
					pieces = append(pieces, piece{at, rapid.IntRange(1, min(10_000, size-at)).Draw(t, "n")})
				}
				seen, next := 0, 0
				for seen < len(pieces) {
					for ; next < len(pieces) && r.Free() > 0; next++ {
						if err := r.Start(f, int64(pieces[next].at), pieces[next].n, uint64(next)); err != nil {
							t.Fatal(err)
						}
					}
					err := r.Wait(func(tag uint64, b []byte, err error) {
						p := pieces[tag]
						if err != nil || !bytes.Equal(b, want[p.at:p.at+p.n]) {
							t.Fatalf("%d bytes at %d: others came, %v", p.n, p.at, err)
						}
						seen++
					})
					if err != nil {
						t.Fatal(err)
					}
				}
				if reads, read := r.Stats(); reads != int64(len(pieces)) || read < int64(len(pieces)) {
					t.Fatalf("%d reads of %d bytes counted", reads, read)
				}
			})
		})
	}
}

func TestStartRefuses(t *testing.T) {
	f, _ := sample(t, 10_000)
	r, err := New(2, 5000)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		at int64
		n  int
	}{
		"before":    {-1, 1},
		"past":      {10_000, 1},
		"across":    {9_999, 2},
		"far":       {1<<63 - 1, 1},
		"nothing":   {0, 0},
		"negative":  {0, -1},
		"too large": {0, 5001},
	} {
		if err := r.Start(f, c.at, c.n, 0); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for range 2 {
		if err := r.Start(f, 0, 1, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Start(f, 0, 1, 0); err == nil {
		t.Error("a third read of two")
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	for _, c := range [][2]int{{0, 1}, {1, 0}, {1 << 20, 1}, {1, 1 << 40}} {
		if _, err := New(c[0], c[1]); err == nil {
			t.Errorf("New(%d, %d): no error", c[0], c[1])
		}
	}
}

func TestFileCutMeanwhile(t *testing.T) {
	backends(t, func(t *testing.T, make func(depth, largest int) *Reader) {
		f, _ := sample(t, 50_000)
		if err := os.Truncate(f.f.Name(), 20_000); err != nil {
			t.Fatal(err)
		}
		r := make(4, 9000)
		defer r.Close()
		for i, at := range []int64{0, 19_000, 30_000} {
			if err := r.Start(f, at, 9000, uint64(i)); err != nil {
				t.Fatal(err)
			}
		}
		for seen := 0; seen < 3; {
			err := r.Wait(func(tag uint64, b []byte, err error) {
				if cut := tag > 0; cut != errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("piece %d: %d bytes, %v", tag, len(b), err)
				}
				seen++
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestReadingDoesNotAllocate(t *testing.T) {
	f, _ := sample(t, 1<<20)
	r, err := New(16, 4096)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	seen := func(uint64, []byte, error) {}
	read := func() {
		for i := range 16 {
			if err := r.Start(f, int64(i)*60_000, 768, 0); err != nil {
				t.Fatal(err)
			}
		}
		for r.Free() < 16 {
			if err := r.Wait(seen); err != nil {
				t.Fatal(err)
			}
		}
	}
	read()
	if n := testing.AllocsPerRun(50, read); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
