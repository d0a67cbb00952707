package dataset_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/shale-search/shale/dataset"
	"github.com/shale-search/shale/vector"
)

// Example writes a file and streams it back through a buffer of two rows.
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
	w, err := dataset.Create(path, rows.Type(), rows.Dim())
	if err != nil {
		log.Fatal(err)
	}
	if err := errors.Join(w.Write(rows), w.Close()); err != nil {
		log.Fatal(err)
	}

	r, err := dataset.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	fmt.Println(r.Rows(), "rows of", r.Dim(), r.Type())
	buf := make([]float32, 2*r.Dim())
	for {
		n, err := r.ReadFloat32(buf)
		if err == io.EOF {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(buf[:n*r.Dim()])
	}
	// Output:
	// 3 rows of 2 fp32
	// [1 2 3 4]
	// [5 6]
}
