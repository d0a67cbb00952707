//go:build unix

package atomicfile

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/shale-search/shale/internal/vfs"
)

// modeBits are those that Chmod sets.
const modeBits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// keepMode gives f the mode of old and, where the user may do that, its owner and group.
func keepMode(f vfs.File, old fs.FileInfo) error {
	now, err := f.Stat()
	if err != nil {
		return err
	}
	is, ok1 := now.Sys().(*syscall.Stat_t)
	was, ok2 := old.Sys().(*syscall.Stat_t)
	if ok1 && ok2 && (is.Uid != was.Uid || is.Gid != was.Gid) {
		if err := f.Chown(int(was.Uid), int(was.Gid)); err != nil {
			_ = f.Chown(-1, int(was.Gid)) // files are given away by the superuser only
		}
	}
	err = f.Chmod(old.Mode() & modeBits)
	if errors.Is(err, syscall.EPERM) {
		return nil // file systems that keep no modes
	}
	return err
}
