package mmap

import (
	"os"

	"golang.org/x/sys/unix"
)

const mapNoReserve = unix.MAP_NORESERVE

// adviseHuge asks for huge pages. A kernel without them still serves the mapping, so its answer changes nothing.
func adviseHuge(b []byte) { _ = unix.Madvise(b, unix.MADV_HUGEPAGE) }

// NoReadAhead lets reads of f bring in what they ask for and nothing else. Without the advice they only bring more.
func NoReadAhead(f *os.File) { _ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM) }
