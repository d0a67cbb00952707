package shale_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/shale-search/shale"
	"github.com/shale-search/shale/search"
	"github.com/shale-search/shale/vector"
)

// cities are places by longitude and latitude.
var cities = map[uint64]string{1: "Paris", 2: "London", 3: "Rome", 4: "Athens", 5: "Oslo"}

var places = []float32{
	2.35, 48.86, // Paris
	-0.13, 51.51, // London
	12.50, 41.90, // Rome
	23.73, 37.98, // Athens
	10.75, 59.91, // Oslo
}

func build() *shale.Index {
	rows, err := vector.Of(places, 2)
	if err != nil {
		log.Fatal(err)
	}
	index, err := shale.Build(context.Background(), rows, shale.BuildOptions{Labels: []uint64{1, 2, 3, 4, 5}})
	if err != nil {
		log.Fatal(err)
	}
	return index
}

func ExampleBuild() {
	index := build()
	defer index.Close()
	brussels := []float32{4.35, 50.85}
	nearest, err := index.Search(brussels, 2, search.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, n := range nearest {
		fmt.Printf("%s %.1f\n", cities[n.Label], n.Distance)
	}
	// Output:
	// Paris 8.0
	// London 20.5
}

func ExampleIndex_Save() {
	dir, err := os.MkdirTemp("", "shale")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "cities")

	ctx := context.Background()
	index := build()
	defer index.Close()
	if err := index.Save(ctx, path, shale.SaveOptions{}); err != nil {
		log.Fatal(err)
	}
	again, err := shale.Open(ctx, path, shale.OpenOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer again.Close()
	fmt.Println(again.Len(), again.Dim(), again.Metric())
	// Output: 5 2 l2
}

func ExampleIndex_Add() {
	index := build()
	defer index.Close()
	if err := index.Add(6, []float32{4.35, 50.85}); err != nil { // Brussels
		log.Fatal(err)
	}
	if err := index.Delete(1, 2); err != nil {
		log.Fatal(err)
	}
	err := index.Delete(2)
	fmt.Println(index.Len(), errors.Is(err, shale.ErrDeleted))
	// Output: 4 true
}

func ExampleIndex_Range() {
	index := build()
	defer index.Close()
	brussels := []float32{4.35, 50.85}
	const degrees = 8
	near, err := index.Range(brussels, degrees*degrees, 0, search.Options{}) // L2 distances are squares
	if err != nil {
		log.Fatal(err)
	}
	for _, n := range near {
		fmt.Println(cities[n.Label])
	}
	// Output:
	// Paris
	// London
}

func ExampleBuildOptions_distance() {
	rows, err := vector.Of(places, 2)
	if err != nil {
		log.Fatal(err)
	}
	manhattan := func(a, b []float32) (d float32) {
		for i := range a {
			d += max(a[i]-b[i], b[i]-a[i])
		}
		return d
	}
	index, err := shale.Build(context.Background(), rows, shale.BuildOptions{
		Labels: []uint64{1, 2, 3, 4, 5}, Distance: manhattan, DistanceName: "manhattan",
	})
	if err != nil {
		log.Fatal(err)
	}
	defer index.Close()
	brussels := []float32{4.35, 50.85}
	nearest, err := index.Search(brussels, 2, search.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, n := range nearest {
		fmt.Printf("%s %.2f\n", cities[n.Label], n.Distance)
	}
	// Output:
	// Paris 3.99
	// London 5.14
}
