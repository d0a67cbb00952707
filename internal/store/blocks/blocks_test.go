package blocks

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/rowtype"
	"github.com/shale-search/shale/internal/store"
	"github.com/shale-search/shale/vector"
)

const index = 0x1234abcd // the checksum of an index file's header

// written makes an index of random rows and its file of blocks.
func written(t testing.TB, rows, dim, m int, typ vector.Type) (path string, image *hnsw.Image) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(uint64(dim), 1))
	data := make([]float32, rows*dim)
	for i := range data {
		data[i] = float32(rnd.NormFloat64())
	}
	matrix, err := vector.Of(data, dim)
	if err != nil {
		t.Fatal(err)
	}
	x, err := hnsw.New(hnsw.Config{Dim: dim, M: m, Storage: typ})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	if err := x.AddBatch(context.Background(), matrix, nil, hnsw.BatchOptions{}); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "x.blocks")
	err = x.WithImage(func(m *hnsw.Image) error {
		image = m // nothing changes the index any more
		return Write(context.Background(), path, m, index)
	})
	if err != nil {
		t.Fatal(err)
	}
	return path, image
}

func TestBlocksHoldRowsAndLinks(t *testing.T) {
	for _, c := range []struct {
		rows, dim, m int
		typ          vector.Type
	}{
		{1000, 24, 4, vector.Float32}, {300, 384, 8, vector.Float16}, {50, 1000, 16, vector.Float32},
		{20, 3000, 5, vector.Float32},
		{300, 7, 3, rowtype.ScaledInt8}, {1, 5, 2, vector.Float16},
	} {
		path, image := written(t, c.rows, c.dim, c.m, c.typ)
		l, of, err := Inspect(path)
		if err != nil || of != index {
			t.Fatalf("%+v: %08x, %v", c, of, err)
		}
		if err := Verify(context.Background(), path, index); err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		links := make([]uint32, 2*c.m)
		for id := range uint32(c.rows) {
			number := l.BlockOf(id)
			block := file[l.Offset(number):][:l.Block]
			if err := l.Check(path, number, block); err != nil {
				t.Fatal(err)
			}
			l.Links(block, id, links)
			if !bytes.Equal(l.Row(block, id), image.Rows.RowBytes(int(id))) ||
				!slices.Equal(links, image.Links0[int(id)*2*c.m:][:2*c.m]) {
				t.Fatalf("%+v: element %d is another", c, id)
			}
		}
	}
}

// A record lies in one block, whole, and blocks are whole pages.
func TestLayout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		typ := rapid.SampledFrom([]vector.Type{vector.Float32, vector.Float16, rowtype.ScaledInt8}).Draw(t, "type")
		l := LayoutOf(rapid.IntRange(0, 1<<20).Draw(t, "count"), rapid.IntRange(1, 5000).Draw(t, "dim"), typ,
			rapid.IntRange(2, 200).Draw(t, "m"))
		if l.Each < 1 || l.Each*l.Record+sumSize > l.Block || l.Block%page != 0 || l.Blocks()*l.Each < l.Count ||
			l.Record < rowtype.Size(typ, l.Dim)+8*l.M {
			t.Fatalf("%+v", l)
		}
	})
}

func TestDamageIsToldOf(t *testing.T) {
	path, _ := written(t, 500, 24, 4, vector.Float32)
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	check := func(what string, b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		var damage *store.FormatError
		if err := Verify(context.Background(), path, index); !errors.As(err, &damage) ||
			damage.File != path || damage.Field == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	for range 300 {
		b := slices.Clone(sound)
		b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(8)
		check("a flipped bit", b)
	}
	for _, n := range []int{0, 1, headerSize - 1, headerSize, headerSize + 1, len(sound) - 1} {
		check("a cut file", sound[:n])
	}
	check("a longer file", append(slices.Clone(sound), 0))
	if err := os.WriteFile(path, sound, 0o600); err != nil {
		t.Fatal(err)
	}
	var damage *store.FormatError
	if err := Verify(context.Background(), path, index+1); !errors.As(err, &damage) {
		t.Errorf("blocks of another index: %v", err)
	}
}

// FuzzVerify: no bytes make reading crash, and those that pass can be read throughout.
func FuzzVerify(f *testing.F) {
	path, _ := written(f, 40, 8, 2, vector.Float32)
	sound, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sound)
	f.Add(sound[:headerSize])
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= headerSize {
			seal(b[:headerSize]) // or hardly any input would get further
		}
		path := filepath.Join(t.TempDir(), "x.blocks")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Verify(context.Background(), path, index); err != nil {
			return
		}
		l, _, err := Inspect(path)
		if err != nil || l.Bytes() != int64(len(b)) {
			t.Fatalf("%+v of %d bytes, %v", l, len(b), err)
		}
	})
}
