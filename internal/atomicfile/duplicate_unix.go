//go:build unix

package atomicfile

import "syscall"

// duplicate returns another descriptor of an open file.
func duplicate(fd int) (int, error) {
	fd, err := syscall.Dup(fd)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	return fd, err
}
