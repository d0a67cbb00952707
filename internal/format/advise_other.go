//go:build !linux

package format

import "os"

func adviseRandom(*os.File) {}
