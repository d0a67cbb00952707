package collection

import (
	"cmp"
	"strings"

	pebblevfs "github.com/cockroachdb/pebble/v2/vfs"
)

// markerFirst is a disk on which the directory is synced before a marker is created in it. Pebble's markers name the
// manifest to be read, and it syncs the directory once after it has created both. A power cut before that may leave the
// marker without the manifest on a file system that doesn't keep the order of changes of a directory.
type markerFirst struct{ pebblevfs.FS }

// orderedDisk returns a disk for a store, by default the system's.
func orderedDisk(disk pebblevfs.FS) pebblevfs.FS {
	if disk == nil {
		disk = pebblevfs.Default
	}
	return markerFirst{disk}
}

// Create creates a file.
func (d markerFirst) Create(name string, category pebblevfs.DiskWriteCategory) (pebblevfs.File, error) {
	if strings.HasPrefix(d.PathBase(name), "marker.") {
		dir, err := d.OpenDir(d.PathDir(name))
		if err != nil {
			return nil, err
		}
		if err := cmp.Or(dir.Sync(), dir.Close()); err != nil {
			return nil, err
		}
	}
	return d.FS.Create(name, category)
}
