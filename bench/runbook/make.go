package main

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/shale-search/shale/dataset"
	"github.com/shale-search/shale/internal/cluster"
	"github.com/shale-search/shale/vector"
)

const (
	expirationSteps = 100
	// Of the rows inserted at once some stay, some are deleted after a long time and most after a short one, in steps.
	staying, long   = 0.1, 0.2
	longAge         = 50
	shortAge        = 10
	clusteredRounds = 3
	searchEvery     = 8
)

// expiration is a runbook in which rows are inserted in order and deleted when they have reached an age, with a search
// after every few steps.
func expiration(rows int) []step {
	var steps []step
	due := map[int][]step{}
	for t := range expirationSteps {
		first, last := t*rows/expirationSteps, (t+1)*rows/expirationSteps
		if first == last {
			continue
		}
		steps = append(steps, step{"insert", first, last})
		steps = append(steps, due[t]...)
		stay := first + int(staying*float64(last-first))
		old := stay + int(long*float64(last-first))
		if stay < old {
			due[t+longAge] = append(due[t+longAge], step{"delete", stay, old})
		}
		due[t+shortAge] = append(due[t+shortAge], step{"delete", old, last})
		if t%searchEvery == searchEvery-1 || t == expirationSteps-1 {
			steps = append(steps, step{Operation: "search"})
		}
	}
	return steps
}

// clustered is a runbook in which some of each cluster in turn are inserted, and then some of each deleted, several
// times. starts are the first rows of the clusters, and the number of rows at the end.
func clustered(starts []int) []step {
	random := rand.New(rand.NewPCG(5, 6))
	n := len(starts) - 1
	inserted, deleted := make([]int, n), make([]int, n)
	var steps []step
	do := func(operation string, c, first, last int) {
		if first < last {
			steps = append(steps, step{operation, starts[c] + first, starts[c] + last})
		}
		if c%searchEvery == searchEvery-1 {
			steps = append(steps, step{Operation: "search"})
		}
	}
	for round := range clusteredRounds {
		for c := range n {
			size := starts[c+1] - starts[c]
			more := size - inserted[c]
			if round < clusteredRounds-1 {
				more = int(float64(more) * random.Float64())
			}
			do("insert", c, inserted[c], inserted[c]+more)
			inserted[c] += more
		}
		for c := range n {
			gone := int(float64(inserted[c]-deleted[c]) * random.Float64())
			do("delete", c, deleted[c], deleted[c]+gone)
			deleted[c] += gone
		}
	}
	return append(steps, step{Operation: "search"})
}

// makeClustered divides rows into clusters, and writes them in the order of these, and the runbook.
func makeClustered(ctx context.Context, s settings) error {
	if s.input == "" || s.sorted == "" {
		return fmt.Errorf("-input and -sorted are needed")
	}
	rows, closer, err := dataset.Map(s.input)
	if err != nil {
		return err
	}
	defer func() { _ = closer.Close() }() // it was only read
	centroids, err := cluster.KMeans(ctx, rows, s.clusters, cluster.KMeansOptions{Seed: 1})
	if err != nil {
		return err
	}
	of, err := clustersOf(ctx, centroids, rows)
	if err != nil {
		return err
	}
	starts := make([]int, s.clusters+1)
	for _, c := range of {
		starts[c+1]++
	}
	for c := range s.clusters {
		starts[c+1] += starts[c]
	}
	if err := writeSorted(s.sorted, rows, of, starts); err != nil {
		return err
	}
	return writeBook(s.book, "clustered", rows.Rows(), clustered(starts))
}

// clustersOf returns the cluster of each row.
func clustersOf(ctx context.Context, centroids *cluster.Centroids, rows vector.Matrix) ([]uint32, error) {
	of, distance := make([]uint32, rows.Rows()), make([]float32, rows.Rows())
	return of, centroids.Assign(ctx, rows, 0, of, distance)
}

// writeSorted writes rows in the order of their clusters, which begin at starts.
func writeSorted(path string, rows vector.Matrix, of []uint32, starts []int) error {
	at := append([]int(nil), starts...)
	order := make([]int, len(of))
	for i, c := range of {
		order[at[c]] = i
		at[c]++
	}
	return dataset.Write(path, vector.Float32, rows.Dim(), func(put func(vector.Matrix) error) error {
		row := make([]float32, rows.Dim())
		for _, i := range order {
			rows.Decode(i, row)
			m, err := vector.Of(row, len(row))
			if err != nil {
				return err
			}
			if err := put(m); err != nil {
				return err
			}
		}
		return nil
	})
}
