package diskread

import "golang.org/x/sys/unix"

// allocate maps memory that starts on a page, as reads past the page cache want it.
func allocate(n int) ([]byte, error) {
	return unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
}

func release(b []byte) error { return unix.Munmap(b) }
