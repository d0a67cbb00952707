//go:build !linux

package shard

import "os"

// exchange swaps two names. A crash in between leaves the index at b under the name b.old.
func exchange(a, b string) error {
	if err := os.Rename(b, b+".old"); err != nil {
		return err
	}
	if err := os.Rename(a, b); err != nil {
		return err
	}
	return os.Rename(b+".old", a)
}
