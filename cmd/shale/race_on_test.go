//go:build race

package main

// raced says that the race detector is in the program, which takes several times the memory.
const raced = true
