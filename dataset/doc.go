// Package dataset reads and writes files of vectors, labels and neighbours in the ecosystem's formats: npy, npz, fvecs,
// bvecs, ivecs, fbin, u8bin, i8bin, ibin, Parquet and Roaring bitmaps. HDF5 files are turned into npy by
// bench/convert_hdf5.py first.
//
// Pipes and standard input ("-") are read as they come where the format allows it, and else into memory up to a bound;
// what is read more than once or mapped must be a file.
//
// Vectors stream: a reader holds a block, never the file. Every file is taken as hostile: its claims are checked against
// its real length before memory is asked for, and what is wrong is said in a *FormatError with file, offset, field and
// the way to mend it. NaN and infinities pass; who indexes vectors decides about them.
package dataset
