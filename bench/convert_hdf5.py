#!/usr/bin/env python3
"""Turns the datasets of an HDF5 file, as ann-benchmarks lays them out, into npy files that `shale` reads.

    python bench/convert_hdf5.py glove-100-angular.hdf5          # writes glove-100-angular.train.npy, .test.npy, ...
    python bench/convert_hdf5.py glove-100-angular.hdf5 train    # only that dataset

Needs h5py and numpy. Memory stays at one block of rows, whatever the file's size.
"""

import argparse
import os
import pathlib
import sys

import h5py
import numpy as np

BLOCK_BYTES = 64 << 20


def convert(dataset: h5py.Dataset, target: pathlib.Path) -> None:
    """Writes dataset to target: under a temporary name first, so that target is whole or not there."""
    partial = target.with_name(f".{target.name}.partial")
    header = {
        "descr": np.lib.format.dtype_to_descr(dataset.dtype),
        "fortran_order": False,
        "shape": dataset.shape,
    }
    row_bytes = dataset.dtype.itemsize * int(np.prod(dataset.shape[1:], dtype=np.int64))
    step = max(1, BLOCK_BYTES // max(1, row_bytes))
    try:
        with open(partial, "wb") as out:
            np.lib.format.write_array_header_2_0(out, header)
            for start in range(0, dataset.shape[0], step):
                out.write(np.ascontiguousarray(dataset[start : start + step]).tobytes())
            out.flush()
            os.fsync(out.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("datasets", nargs="*", help="names; without any, all arrays of numbers")
    parser.add_argument("--output", type=pathlib.Path, help="the folder to write to; without it, the file's own")
    args = parser.parse_args()

    with h5py.File(args.file, "r") as f:
        names = args.datasets or [n for n, d in f.items() if isinstance(d, h5py.Dataset)]
        for name in names:
            dataset = f.get(name)
            if not isinstance(dataset, h5py.Dataset) or dataset.ndim < 1 or dataset.dtype.kind not in "fiub":
                if not args.datasets:
                    continue
                print(f"{args.file}: no array of numbers is named {name!r}; there are: {', '.join(f)}", file=sys.stderr)
                return 1
            target = (args.output or args.file.parent) / f"{args.file.stem}.{name.replace('/', '.')}.npy"
            convert(dataset, target)
            print(f"{target}: {dataset.shape} {dataset.dtype}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
