//go:build unix && !linux

package diskread

import "os"

func openDirect(path string) (*os.File, error) { return os.Open(path) }

func newBackend(depth int) (backend, error) { return newParallel(depth), nil }
