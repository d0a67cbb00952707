package store

import (
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
)

// writerOf is a number that an index leaves in its file when it begins to change it: of the system since it
// was started, and of the file. Where it is the same, what the file holds is what was written, however the one
// that wrote it ended: it is in the page cache. Else there may have been a power cut, or the file is a copy. 0
// means that the system gives no such number.
func writerOf(f fs.FileInfo) uint64 {
	boot := bootID()
	s, ok := f.Sys().(*syscall.Stat_t)
	if !ok || boot == "" {
		return 0
	}
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %d %d", boot, s.Dev, s.Ino)
	return h.Sum64()
}

// bootID names the time since the system was started.
var bootID = sync.OnceValue(func() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
})
