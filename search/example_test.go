package search_test

import (
	"context"
	"fmt"
	"log"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// build makes an index of the numbers 0 to 9, labelled by themselves.
func build() *shale.Index {
	rows, err := vector.Of([]float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 1)
	if err != nil {
		log.Fatal(err)
	}
	index, err := shale.Build(context.Background(), rows, shale.BuildOptions{})
	if err != nil {
		log.Fatal(err)
	}
	return index
}

func print(found []search.Neighbor, err error) {
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range found {
		fmt.Print(f.Label, " ")
	}
	fmt.Println()
}

func ExampleFilterLabels() {
	index := build()
	defer index.Close()
	print(index.Search([]float32{4.1}, 2, search.Options{Filter: search.FilterLabels(1, 2, 7)}))
	// Output: 2 7
}

func ExampleFilterRange() {
	index := build()
	defer index.Close()
	even := search.FilterRange(0, 9, 2)
	print(index.Search([]float32{4.9}, 3, search.Options{Filter: even}))
	// Output: 4 6 2
}

// A document here is two numbers that follow each other: 0 and 1, 2 and 3, and so on.
func ExampleMultiVector() {
	index := build()
	defer index.Close()
	document := func(label uint64) uint64 { return label / 2 }
	print(index.Search([]float32{4.1}, 1, search.Options{Stop: search.MultiVector(document, 2, 10)}))
	// Output: 4 5 3 2
}
