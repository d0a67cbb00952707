//go:build race || purego

package hnsw

// realRows is smaller here: the race detector, and kernels in plain Go, make everything several times slower.
const realRows = 1500
