package store

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/store/hnswlib"
)

func TestDetect(t *testing.T) {
	dir, ctx := t.TempDir(), context.Background()
	name := func(s string) string { return filepath.Join(dir, s) }
	m := small().make(t)
	if err := hnswlib.Write(ctx, name("index.bin"), m.source); err != nil {
		t.Fatal(err)
	}
	flat, err := hnsw.NewFlat(hnsw.Config{Dim: 2, Capacity: 9})
	if err != nil {
		t.Fatal(err)
	}
	if err := hnswlib.WriteFlat(ctx, name("flat.bin"), flat); err != nil {
		t.Fatal(err)
	}
	if err := Save(ctx, name("native"), m.source); err != nil {
		t.Fatal(err)
	}
	index, err := os.ReadFile(name("index.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name("truncated"), index[:len(index)-5], 0o600); err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string]string{"empty": "", "text": "SHALE is a rock",
		"zeros": string(make([]byte, 500))} {
		if err := os.WriteFile(name(file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for file, want := range map[string]Format{
		"index.bin": HnswlibIndex, "truncated": HnswlibIndex, "flat.bin": HnswlibFlat, "native": Native, "empty": Unknown,
		"text": Unknown, "zeros": Unknown,
	} {
		if got, err := Detect(name(file)); got != want || err != nil {
			t.Errorf("%s is %v, %v; want %v", file, got, err, want)
		}
	}
	if _, err := Detect(dir); err == nil {
		t.Error("a directory was taken as a file")
	}
}
