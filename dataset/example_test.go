package dataset_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/shale-search/shale/dataset"
	"github.com/shale-search/shale/vector"
)

// Example writes a file of three vectors and reads it back block by block.
func Example() {
	dir, err := os.MkdirTemp("", "dataset")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "rows.npy")

	rows, err := vector.Of([]float32{1, 2, 3, 4, 5, 6}, 2)
	if err != nil {
		log.Fatal(err)
	}
	put := func(put func(vector.Matrix) error) error { return put(rows) }
	if err := dataset.Write(path, rows.Type(), rows.Dim(), put); err != nil {
		log.Fatal(err)
	}

	f, err := dataset.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(f.Rows(), "rows of", f.Dim(), f.Type())
	err = f.Blocks(context.Background(), func(first int, block vector.Matrix) error {
		v := make([]float32, block.Dim())
		for i := range block.Rows() {
			block.Decode(i, v)
			fmt.Println(first+i, v)
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// 3 rows of 2 fp32
	// 0 [1 2]
	// 1 [3 4]
	// 2 [5 6]
}
