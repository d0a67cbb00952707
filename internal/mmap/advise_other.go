//go:build unix && !linux

package mmap

import "os"

const mapNoReserve = 0

func adviseHuge([]byte) {}

// NoReadAhead lets reads of f bring in what they ask for and nothing else, where the system takes such advice.
func NoReadAhead(*os.File) {}
