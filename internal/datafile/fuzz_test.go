package datafile

import (
	"os"
	"path/filepath"
	"testing"
)

// fuzz feeds any bytes as a file of the extension to the readers of the kinds, from the fixtures on.
func fuzz(f *testing.F, ext string, kinds []string, seeds ...string) {
	for _, name := range fixtures(f, seeds...) {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	path := filepath.Join(f.TempDir(), "a"+ext)
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, kind := range kinds {
			_ = hostile(t, path, readers[kind])
		}
	})
}

func FuzzNpy(f *testing.F) {
	fuzz(f, ".npy", []string{"vectors", "all", "labels", "neighbors", "filter"}, "*.npy")
}

func FuzzNpz(f *testing.F) {
	fuzz(f, ".npz", []string{"vectors", "all", "labels", "filter"}, "*.npz")
}

func FuzzFvecs(f *testing.F) { fuzz(f, ".fvecs", []string{"vectors", "all"}, "*.fvecs") }

func FuzzBvecs(f *testing.F) { fuzz(f, ".bvecs", []string{"vectors", "all"}, "*.bvecs") }

func FuzzIvecs(f *testing.F) { fuzz(f, ".ivecs", []string{"neighbors"}, "*.ivecs") }

func FuzzFbin(f *testing.F) { fuzz(f, ".fbin", []string{"vectors", "all"}, "*.fbin") }

func FuzzU8bin(f *testing.F) { fuzz(f, ".u8bin", []string{"vectors", "all"}, "*.u8bin") }

func FuzzIbin(f *testing.F) { fuzz(f, ".ibin", []string{"neighbors"}, "*.ibin") }

func FuzzParquet(f *testing.F) {
	fuzz(f, ".parquet", []string{"vectors", "all", "labels", "filter", "table"}, "*.parquet")
}

func FuzzRoaring(f *testing.F) { fuzz(f, ".roaring", []string{"filter"}, "*.roaring") }

func FuzzText(f *testing.F) { fuzz(f, ".txt", []string{"labels", "filter"}, "labels.txt") }
