//go:build !linux

package store

import "io/fs"

// writerOf returns 0, because this system has no unique identifier of the time since it was started.
func writerOf(fs.FileInfo) uint64 { return 0 }
