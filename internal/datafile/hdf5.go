package datafile

// hdf5Error is all that this package has for HDF5: no Go module that reads it without cgo could be had, and one run of
// a script makes npy files, which stream and map better.
func hdf5Error(o origin) error {
	return o.caused(ErrUnsupported, 0, "format",
		"this is HDF5: convert it with `python bench/convert_hdf5.py %s`, which writes a .npy a dataset", o.file)
}
