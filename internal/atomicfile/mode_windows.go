package atomicfile

import (
	"io/fs"

	"github.com/shale-search/shale/internal/vfs"
)

// keepMode does nothing: a file has the access list that its directory gives it.
func keepMode(vfs.File, fs.FileInfo) error { return nil }
