package atomicfile

import (
	"crypto/rand"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/shale-search/shale/internal/filelock"
	"github.com/shale-search/shale/internal/vfs"
)

// A temporary name is a dot, the target's name, a dot, a random number and tempSuffix.
const (
	tempSuffix = ".shale-tmp"
	tempRandom = 8   // bytes
	longestTop = 200 // bytes of the target's name that the temporary one repeats: file systems allow 255
)

// tempName returns a new temporary name beside path.
func tempName(path string) string {
	var random [tempRandom]byte
	_, _ = rand.Read(random[:]) // never fails
	top := filepath.Base(path)
	top = top[:min(len(top), longestTop)]
	return filepath.Join(filepath.Dir(path), "."+top+"."+hex.EncodeToString(random[:])+tempSuffix)
}

// target returns the target's name in a temporary name, cut off at longestTop bytes. It reports false for other names.
func target(name string) (top string, ok bool) {
	name, ok = strings.CutSuffix(name, tempSuffix)
	at := len(name) - 2*tempRandom - 1
	if !ok || at < 2 || name[0] != '.' || name[at] != '.' {
		return "", false
	}
	random := name[at+1:]
	if _, err := hex.DecodeString(random); err != nil || strings.ToLower(random) != random {
		return "", false
	}
	return name[1:at], true
}

// IsTemp reports whether a name is a temporary one.
func IsTemp(name string) bool {
	_, ok := target(name)
	return ok
}

// Leftovers returns the files and directories in dir with temporary names that no process holds: their writers were
// killed. If name isn't empty, it returns only those of that target.
func Leftovers(dir, name string) []string {
	entries, err := vfs.ReadDir(dir)
	if err != nil {
		return nil // then nothing is known of any
	}
	var left []string
	for _, e := range entries {
		top, ok := target(e.Name())
		if !ok || name != "" && top != name[:min(len(name), longestTop)] {
			continue
		}
		path := filepath.Join(dir, e.Name())
		if lock := claim(path); lock != nil {
			left = append(left, path)
			_ = filelock.Release(lock) // nothing was written
		}
	}
	return left
}

// Clear removes the leftovers in dir. It leaves what it can't remove to the next writer.
func Clear(dir string) {
	synced := false
	for _, path := range Leftovers(dir, "") {
		lock := claim(path)
		if lock == nil {
			continue
		}
		// A temporary name may be that of a replaced file, so the new file must be durable first.
		if !synced {
			synced = vfs.SyncDir(dir) == nil
		}
		if synced {
			_ = vfs.RemoveAll(path)
		}
		_ = filelock.Release(lock) // nothing was written
	}
}

// claim locks and returns the file or directory at path, which has a temporary name. It returns nil if somebody else
// holds the lock or if that can't be found out.
func claim(path string) vfs.File {
	info, err := vfs.Lstat(path)
	if err != nil || !info.IsDir() && !info.Mode().IsRegular() {
		return nil
	}
	mode := os.O_RDONLY
	if !info.IsDir() {
		mode = os.O_RDWR // without it network file systems give no lock
	}
	f, err := vfs.OpenFile(path, mode|vfs.NoFollow|vfs.NonBlock, 0)
	if err != nil {
		return nil
	}
	ok, err := filelock.TryFile(f, false)
	if err == nil && ok && sameFile(f, path) {
		return f
	}
	_ = filelock.Release(f) // nothing was written
	return nil
}

func sameFile(f vfs.File, path string) bool {
	open, err := f.Stat()
	if err != nil {
		return false
	}
	var there fs.FileInfo
	there, err = vfs.Lstat(path)
	return err == nil && os.SameFile(open, there)
}
