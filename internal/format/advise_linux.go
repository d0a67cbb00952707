package format

import (
	"os"

	"golang.org/x/sys/unix"
)

// adviseRandom keeps the kernel from reading ahead, which may be megabytes. Without the advice reads are only slower.
func adviseRandom(f *os.File) { _ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM) }
