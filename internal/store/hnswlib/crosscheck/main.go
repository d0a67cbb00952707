// Command crosscheck is Shale's half of testdata/cross.py: it reads the files that hnswlib wrote to a folder, rewrites
// and searches them, and builds indexes of its own from the same rows.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/shale-search/shale/internal/hnsw"
	"github.com/shale-search/shale/internal/store/hnswlib"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

type testCase struct {
	Name, Space      string
	Dim, M, K, Count int
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: crosscheck FOLDER")
		os.Exit(2)
	}
	if err := run(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "crosscheck:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, folder string) error {
	b, err := os.ReadFile(filepath.Join(folder, "cases.json"))
	if err != nil {
		return err
	}
	var all struct{ Cases, Flats []testCase }
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	for _, c := range all.Cases {
		if err := rewrite(ctx, folder, &c); err != nil {
			return fmt.Errorf("index %s: %w", c.Name, err)
		}
		if err := build(ctx, folder, &c); err != nil {
			return fmt.Errorf("index %s, built by Shale: %w", c.Name, err)
		}
	}
	for _, c := range all.Flats {
		if err := rewriteFlat(ctx, folder, &c); err != nil {
			return fmt.Errorf("brute-force index %s: %w", c.Name, err)
		}
	}
	return nil
}

// rewriteFlat reads a brute-force index, searches it and writes it again.
func rewriteFlat(ctx context.Context, folder string, c *testCase) error {
	metric, err := vector.ParseMetric(c.Space)
	if err != nil {
		return err
	}
	base := filepath.Join(folder, c.Name+".flat")
	x, err := hnswlib.ReadFlat(ctx, base, hnswlib.Options{Dim: c.Dim, Metric: metric, FixedCapacity: true})
	if err != nil {
		return err
	}
	defer x.Close()
	if err := hnswlib.WriteFlat(ctx, base+".rewritten", x); err != nil {
		return err
	}
	return answer(base, x, c)
}

// rewrite reads an index, searches it and writes it again.
func rewrite(ctx context.Context, folder string, c *testCase) error {
	metric, err := vector.ParseMetric(c.Space)
	if err != nil {
		return err
	}
	base := filepath.Join(folder, c.Name)
	x, err := hnswlib.Read(ctx, base+".bin", hnswlib.Options{Dim: c.Dim, Metric: metric, FixedCapacity: true})
	if err != nil {
		return err
	}
	defer x.Close()
	if err := hnswlib.Write(ctx, base+".rewritten", x); err != nil {
		return err
	}
	return answer(base, x, c)
}

// searcher is either kind of index.
type searcher interface {
	Search(query []float32, k int, o search.Options) ([]search.Neighbor, error)
	Len() int
	Deleted() int
}

// answer writes the labels and distances that Shale finds, as many for each query as for all of them.
func answer(base string, x searcher, c *testCase) error {
	queries, err := floats(base + ".queries")
	if err != nil {
		return err
	}
	var labels, distances []byte
	k := min(c.K, x.Len()-x.Deleted())
	for at := 0; at < len(queries) && k > 0; at += c.Dim {
		found, err := x.Search(queries[at:at+c.Dim], k, search.Options{Ef: c.Count})
		if err != nil {
			return err
		}
		for i := range k {
			n := search.Neighbor{Label: math.MaxUint64, Distance: float32(math.Inf(1))}
			if i < len(found) {
				n = found[i]
			}
			labels = binary.LittleEndian.AppendUint64(labels, n.Label)
			distances = binary.LittleEndian.AppendUint32(distances, math.Float32bits(n.Distance))
		}
	}
	if err := os.WriteFile(base+".answer.labels", labels, 0o600); err != nil {
		return err
	}
	return os.WriteFile(base+".answer.distances", distances, 0o600)
}

// build makes an index of the same rows with Shale and writes it for hnswlib.
func build(ctx context.Context, folder string, c *testCase) error {
	base := filepath.Join(folder, c.Name)
	values, err := floats(base + ".rows")
	if err != nil {
		return err
	}
	rows, err := vector.Of(values, c.Dim)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(base + ".labels")
	if err != nil {
		return err
	}
	labels := make([]uint64, len(b)/8)
	for i := range labels {
		labels[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	metric, err := vector.ParseMetric(c.Space)
	if err != nil {
		return err
	}
	x, err := hnsw.New(hnsw.Config{Dim: c.Dim, Metric: metric, M: c.M})
	if err != nil {
		return err
	}
	defer x.Close()
	if err := x.AddBatch(ctx, rows, labels, hnsw.BatchOptions{}); err != nil {
		return err
	}
	return hnswlib.Write(ctx, base+".built", x)
}

func floats(path string) ([]float32, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v, nil
}
