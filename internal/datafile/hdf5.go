package datafile

import (
	"cmp"
	"strings"

	"github.com/shale-search/shale/internal/dataname"
)

// hdf5Error says how to convert an HDF5 file to what this package reads: docs/notes/hdf5.md says why it reads none.
// member is the name of the array, or empty.
func (in *input) hdf5Error(member string) error {
	member = cmp.Or(member, "train")
	file := in.file
	if in.pipe != nil {
		file = "FILE.hdf5"
	}
	stem := strings.TrimSuffix(file, dataname.Extension(file))
	return in.caused(ErrUnsupported, 0, "format", "this is HDF5: convert it first, with Python's h5py,\n"+
		"  import h5py, numpy\n"+
		"  numpy.save(%q, h5py.File(%q)[%q])\n"+
		"or, block by block, with bench/convert_hdf5.py of Shale's repository",
		stem+"."+strings.ReplaceAll(member, "/", ".")+".npy", file, member)
}
