"""Pictures to make data sets of: photographs and paintings from Debian's wallpaper packages.

Needs apt-get, dpkg-deb, numpy and opencv-python-headless.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

PACKAGES = (
    "plasma-workspace-wallpapers",
    "mate-backgrounds",
    "gnome-backgrounds",
    "ukui-wallpapers",
    "lomiri-wallpapers-16.04",
    "lomiri-wallpapers-20.04",
    "stellarium-data",
)
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
SMALLEST_FILE = 100_000  # bytes; smaller ones are thumbnails and icons
LONGEST_SIDE = 2000  # pixels
QUERIES = 1000
SPARE = 1.2  # duplicates are dropped at the end
SEED = 1


def unpack(folder: Path) -> Path:
    """Downloads the packages and unpacks those that could be had."""
    for package in PACKAGES:
        got = subprocess.run(["apt-get", "download", "-q", package], cwd=folder, capture_output=True, check=False)
        if got.returncode:
            print(f"{package} could not be downloaded", file=sys.stderr)
    tree = folder / "tree"
    for deb in sorted(folder.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", str(deb), str(tree)], check=True)
    return tree


def pictures(tree: Path) -> Iterator[np.ndarray]:
    """Grey pictures of at most LONGEST_SIDE, each motif once."""
    seen = set()
    for path in sorted(tree.rglob("*")):
        if path.suffix not in SUFFIXES or path.is_symlink() or path.stat().st_size <= SMALLEST_FILE:
            continue
        picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if picture is None:
            continue
        thumbnail = cv2.resize(picture, (8, 8), interpolation=cv2.INTER_AREA).tobytes()
        if thumbnail in seen:
            continue
        seen.add(thumbnail)
        scale = LONGEST_SIDE / max(picture.shape)
        if scale < 1:
            picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        yield picture


def distinct(parts: Iterator[np.ndarray], wanted: int) -> np.ndarray:
    """At least wanted distinct rows of the parts, if there are so many, in a random order."""
    kept, found = [], 0
    for part in parts:
        kept.append(part)
        found += len(part)
        if found >= wanted * SPARE:
            break
    if not found:
        raise SystemExit("no pictures: is the package index up to date (apt-get update)?")
    rows = np.unique(np.concatenate(kept), axis=0)
    return rows[np.random.default_rng(SEED).permutation(len(rows))]


def make(description: str, default_rows: int, describe: Callable[[np.ndarray], np.ndarray | None]) -> None:
    """The command of a script that makes a set: downloads, describes every picture, splits and writes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("output", type=Path)
    parser.add_argument("rows", type=int, nargs="?", default=default_rows)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        parts = map(describe, pictures(unpack(Path(folder))))
        rows = distinct((part for part in parts if part is not None), options.rows + QUERIES)
    options.output.mkdir(parents=True, exist_ok=True)
    np.save(options.output / "queries.npy", rows[:QUERIES])
    np.save(options.output / "base.npy", rows[QUERIES : QUERIES + options.rows])
