// Package datafile reads and writes files of vectors, labels, sets of labels, neighbours, codebooks and results.
// Package dataset is the part of it that other programs use.
package datafile
