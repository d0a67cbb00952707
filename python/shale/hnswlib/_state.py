"""The state of an index as a dict, which hnswlib's pickles hold."""

from __future__ import annotations

import struct
from ctypes import byref, c_int64
from typing import Any, Dict, NamedTuple

import numpy as np
import numpy.typing as npt

from shale._core.arrays import at
from shale._core.calls import Owner, encode
from shale._core.handles import Handle
from shale.hnswlib._errors import make

_HEADER = struct.Struct("<6QiI3QdQ")  # of an index.bin
_HEADER_NAMES = (
    "offset_level0", "max_elements", "cur_element_count", "size_data_per_element", "label_offset", "offset_data",
    "max_level", "enterpoint_node", "max_M", "max_M0", "M", "mult", "ef_construction",
)  # fmt: skip
_VERSION = 1

Bytes = npt.NDArray[np.int8]


class Parts(NamedTuple):
    """An index.bin, its parts apart."""

    header: Bytes
    level0: Bytes
    levels: npt.NDArray[np.int32]
    lists: Bytes


def parts_of(index: Owner) -> Parts:
    """The parts of the file of an index, all of one moment."""
    header = np.empty(_HEADER.size, np.int8)
    level0_size, count, lists_size = c_int64(), c_int64(), c_int64()
    while True:
        room = level0_size.value, count.value, lists_size.value
        parts = Parts(header, np.empty(room[0], np.int8), np.empty(room[1], np.int32), np.empty(room[2], np.int8))
        index._call(
            "export", at(header), at(parts.level0), byref(level0_size), at(parts.levels),
            byref(count), at(parts.lists), byref(lists_size),
        )  # fmt: skip
        if level0_size.value <= room[0] and count.value <= room[1] and lists_size.value <= room[2]:
            return Parts(
                header, parts.level0[: level0_size.value], parts.levels[: count.value], parts.lists[: lists_size.value]
            )


def content_of(index: Owner) -> Dict[str, Any]:
    """The part of the state that an initialised index has."""
    parts = parts_of(index)
    content: Dict[str, Any] = dict(zip(_HEADER_NAMES, _HEADER.unpack(parts.header.tobytes())))
    count, stride, at_label = content["cur_element_count"], content["size_data_per_element"], content["label_offset"]
    levels = np.zeros(max(content["max_elements"], count), np.int32)
    levels[:count] = parts.levels
    elements = parts.level0.reshape(count, stride)
    labels = elements[:, at_label : at_label + 8].copy().view(np.uint64).reshape(-1)
    content.update(
        has_deletions=bool((elements[:, 2] & 1).any()), size_links_per_element=4 + 4 * content["max_M"],
        label_lookup_external=labels, label_lookup_internal=np.arange(count, dtype=np.uint32), element_levels=levels,
        data_level0=parts.level0, link_lists=parts.lists,
    )  # fmt: skip
    return content


def check_version(params: Dict[str, Any]) -> None:
    if params["ser_version"] > _VERSION:
        raise RuntimeError("Unpickle Error: Invalid serialization version!")


def restored(params: Dict[str, Any], space: str, dim: int, seed: int) -> Handle:
    """The handle of an index with the content of a state."""
    try:
        header = np.frombuffer(_HEADER.pack(*(params[name] for name in _HEADER_NAMES)), np.int8)
    except struct.error as error:
        raise RuntimeError(f"Unpickle Error: {error}") from error
    level0, lists = _bytes(params["data_level0"]), _bytes(params["link_lists"])
    levels = np.require(params["element_levels"], np.int32, ["C", "A"])
    if levels.size < params["cur_element_count"]:
        raise RuntimeError(f"Unpickle Error: {levels.size} levels for {params['cur_element_count']} elements")
    replace = bool(params.get("allow_replace_deleted", False))
    options = encode({"metric": space, "dim": dim, "seed": seed, "replace_deleted": replace})
    return make(
        "import", options, at(header), at(level0), level0.size, at(levels), at(lists), lists.size,
    )  # fmt: skip


def _bytes(array: Any) -> Bytes:
    return np.ascontiguousarray(array).view(np.int8)
