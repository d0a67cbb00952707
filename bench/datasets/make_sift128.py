#!/usr/bin/env python3
"""Makes SIFT-128: descriptors of points in pictures, found with OpenCV.

Writes base.npy (up to ROWS rows) and queries.npy (1,000 rows), uint8, into OUTPUT.
"""

from __future__ import annotations

import cv2
import numpy as np
import pictures

SIFT = cv2.SIFT_create(contrastThreshold=0.01)


def describe(picture: np.ndarray) -> np.ndarray | None:
    """The picture's descriptors, if any."""
    _, rows = SIFT.detectAndCompute(picture, None)
    return None if rows is None else np.rint(rows).clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    pictures.make(__doc__, 1_000_000, describe)
