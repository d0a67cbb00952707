//go:build unix && !linux

package vfs

import "errors"

func (f file) Allocate(int64) error { return errors.ErrUnsupported }
