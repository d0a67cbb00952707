// Package dataset reads and writes files of vectors, labels and neighbours: npy, npz, fvecs, bvecs, ivecs, fbin, u8bin,
// i8bin, ibin, Parquet and Roaring bitmaps. HDF5 files must be converted first, by bench/convert_hdf5.py.
//
// The extension of a file chooses its format, or else its first bytes. A format before the path, as in fvecs:base.bin,
// replaces the extension. A member after the path, as in base.npz:rows or base.parquet:embedding, names an array or a
// column. ReadAll, ReadLabels, ReadFilter and ReadNeighbors also read pipes, and standard input if the path is "-".
//
// Files may be hostile. Counts are checked against the length of the file before memory is allocated. An error in a
// file is a [*FormatError] with the file, the offset, the field and a way to mend it. A file of a kind that this
// package doesn't read gives an error with [errors.ErrUnsupported]. NaN and infinities aren't errors here.
//
// Written files are atomic: a file appears under its name when it is complete, or not at all.
package dataset
