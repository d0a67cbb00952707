#!/usr/bin/env python3
"""Makes HOG-900: histograms of oriented gradients of windows of pictures, 5 x 5 blocks of 4 cells of 9 directions.

Writes base.npy (up to ROWS rows) and queries.npy (1,000 rows), float32, into OUTPUT.
"""

from __future__ import annotations

import cv2
import numpy as np
import pictures

WINDOW, BLOCK, CELL, DIRECTIONS = (48, 48), (16, 16), (8, 8), 9  # pixels; Dalal and Triggs, CVPR 2005
STRIDE = (24, 24)
BLOCKS = 25
WINDOWS = 1200  # of a picture, so that the set is of many
HOG = cv2.HOGDescriptor(WINDOW, BLOCK, CELL, CELL, DIRECTIONS)
RANDOM = np.random.default_rng(pictures.SEED)


def describe(picture: np.ndarray) -> np.ndarray:
    """Descriptors of windows that show something in every block."""
    rows = HOG.compute(picture, winStride=STRIDE).reshape(-1, BLOCKS * 4 * DIRECTIONS)
    rows = rows[rows.reshape(len(rows), BLOCKS, -1).any(axis=2).all(axis=1)]
    return rows[RANDOM.permutation(len(rows))[:WINDOWS]]


if __name__ == "__main__":
    pictures.make(__doc__, 100_000, describe)
