// Package dataset reads and writes files of vectors, labels and neighbours: npy, npz, fvecs, bvecs, ivecs, fbin, u8bin,
// i8bin, ibin, Parquet and Roaring bitmaps. HDF5 files must be converted first, by bench/convert_hdf5.py.
//
// Vectors are streamed: a reader holds one block in memory, never the file.
//
// Files may be hostile. Counts are checked against the length of the file before memory is allocated. An error in a file
// is a *FormatError with the file, the offset, the field and a way to mend it. NaN and infinities aren't errors here.
package dataset
