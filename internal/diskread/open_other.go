//go:build !linux

package diskread

import (
	"os"

	"github.com/shale-search/shale/internal/vfs"
)

func openDirect(path string) (*os.File, error) { return vfs.Open(path) }

func newBackend(depth int) (backend, error) { return newParallel(depth), nil }

func allocate(n int) ([]byte, error) { return make([]byte, n), nil }

func release([]byte) error { return nil }
