//go:build !race && !purego

package hnsw

// realRows is how many rows of the real data set tests use.
const realRows = 4000
