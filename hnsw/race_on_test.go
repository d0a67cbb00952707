//go:build race

package hnsw

// realRows is smaller here: the race detector makes everything several times slower.
const realRows = 1500
