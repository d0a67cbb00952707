package shale_test

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// Example is the code of README.md on random vectors: an index is built, searched, changed, saved and opened again.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "shale")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	random := rand.New(rand.NewPCG(1, 2))
	data := make([]float32, 1000*384)
	for i := range data {
		data[i] = float32(random.NormFloat64())
	}
	query := data[42*384 : 43*384]

	rows, err := vector.Of(data, 384) // []float32, 384 values a row
	if err != nil {
		log.Fatal(err)
	}
	index, err := shale.Build(ctx, rows, shale.BuildOptions{Metric: vector.Cosine})
	if err != nil {
		log.Fatal(err)
	}
	defer index.Close()
	nearest, err := index.Search(query, 10, search.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(nearest), nearest[0].Label)

	nearest, err = index.Search(query, 10, search.Options{Ef: 200, Filter: search.FilterRange(500, 599, 1)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(nearest), nearest[0].Label >= 500 && nearest[0].Label < 600)

	near, err := index.Range(query, 0.3, 1000, search.Options{}) // all within a distance, at most 1,000
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(near), near[0].Label)

	if err := index.Add(1000, query); err != nil {
		log.Fatal(err)
	}
	if err := index.Delete(42); err != nil {
		log.Fatal(err)
	}
	path := filepath.Join(dir, "my.index")
	if err := index.Save(ctx, path, shale.SaveOptions{}); err != nil {
		log.Fatal(err)
	}
	again, err := shale.Open(ctx, path, shale.OpenOptions{Memory: 1 << 30})
	if err != nil {
		log.Fatal(err)
	}
	defer again.Close()
	nearest, err = again.Search(query, 1, search.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(again.Len(), nearest[0].Label)
	// Output:
	// 10 42
	// 10 true
	// 1 42
	// 1000 1000
}
