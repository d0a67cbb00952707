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

// writerOf returns a number that an index writes to its file when it begins to change it. It identifies the file and
// the time since the system was started. If it is the same at the next opening, the page cache holds everything that
// was written, however the writer ended. Otherwise there may have been a power cut, or the file is a copy. 0 means that
// the system has no such number.
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

// bootID identifies the time since the system was started.
var bootID = sync.OnceValue(func() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
})
