"""A program that uses the package; its types are checked, and it isn't run."""

from __future__ import annotations

from pathlib import Path
from typing import Union

import numpy as np
import numpy.typing as npt
from typing_extensions import assert_type

import shale


async def use(rows: npt.NDArray[np.float32], folder: Path) -> None:
    with shale.Index(rows.shape[1], "cosine", codes="rabitq4", rows="fp16") as index:
        assert_type(index, shale.Index)
        assert_type(index.add(rows, [1, 2], progress=lambda step, done, total: None), npt.NDArray[np.uint64])
        index.delete(1)
        labels, distances = index.search(rows[0], k=5, ef=50, filter=lambda label: label > 3)
        assert_type(labels, npt.NDArray[np.uint64])
        assert_type(distances, npt.NDArray[np.float32])
        found = await index.asearch(rows, filter=np.zeros(3, np.bool_))
        assert_type(found, shale.SearchResult)
        assert_type(found.found, npt.NDArray[np.bool_])
        index.save(folder / "index.shale", format="file")
        assert_type(len(index), int)
    with shale.build(
        folder / "rows.npy", str(folder / "index"), metric="l2", memory="2GiB", shards=4, progress=True
    ) as built:
        assert_type(built.tune(rows, 0.95, save=True).ef, int)
        assert_type(built.info().plan, str)
    assert_type(shale.plan(rows, metric="ip").shards, int)
    assert_type(shale.open(folder / "index", mmap=True), shale.Index)
    assert_type(shale.verify(folder / "index").problems, list[str])
    shale.Index(4, "manhattan")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    path: Union[str, None] = built.path
    del path
