"""An index of vectors."""

from __future__ import annotations

import os
import tempfile
from ctypes import byref, c_int64
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from shale._api.index_search import SearchedIndex
from shale._api.opening import open_handle
from shale._api.options import Codes, Format, KeptRows, Metric, layout
from shale._core import arguments, jobs, library
from shale._core.arguments import Path
from shale._core.arrays import Rows, at
from shale._core.calls import attempt, encode, look
from shale._core.handles import Handle
from shale._core.jobs import Progress
from shale._core.labels import one_label
from shale._core.prototypes import Stat


class Index(SearchedIndex):
    """An index of vectors that grows, shrinks and is searched from any number of threads at once.

    Searches release the GIL. Vectors are copied into the index; ``codes`` says what searches walk over (codes of a few
    bits a value, or rows) and ``rows`` which rows distances are computed from.

    Args:
        dim: values a vector.
        metric: ``"l2"`` (squared Euclidean distance), ``"ip"`` (1 - inner product) or ``"cosine"`` (1 - cosine).
        codes: what searches walk over; by default codes that fill one or two cache lines, or short rows.
        rows: what is kept for exact distances; by default half floats beside codes if the metric is cosine; ``"none"``
                keeps codes alone.
        m: links that a new vector gets a level; more find more and take more memory.
        ef_construction: vectors looked at for a new one's links.
        seed: of the random levels.
        capacity: vectors to make room for at once.

    Raises:
        ValueError: a setting isn't one of those above.
    """

    def __init__(
        self,
        dim: int,
        metric: Metric,
        *,
        codes: Codes = "auto",
        rows: KeptRows = "auto",
        m: int = 16,
        ef_construction: int = 200,
        seed: int = 100,
        capacity: int = 0,
    ) -> None:
        options = layout(metric, codes, rows, m, ef_construction, seed)
        options["capacity"] = arguments.count(capacity, "capacity")
        handle = Handle()
        options["dim"] = arguments.count(dim, "dim", 1)
        text = encode(options)
        attempt(lambda: int(library.lib.new(text, byref(handle))))
        self._adopt(handle, "")

    @classmethod
    def _of(cls, handle: Handle, path: str) -> Index:
        index = cls.__new__(cls)
        index._adopt(handle, path)
        return index

    def __len__(self) -> int:
        """The number of vectors that a search may find."""
        stat = self._stat()
        return stat.count - stat.deleted

    def __contains__(self, label: object) -> bool:
        """Whether a search may find a label: ``7 in index``."""
        try:
            number = one_label(label)
        except TypeError:
            return False
        return bool(self._found(np.array([number], np.uint64))[0])

    def _found(self, labels: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        """Which labels a search may find."""
        found = np.empty(labels.size, np.bool_)
        place = at(found.view(np.uint8))
        self._attempt(lambda handle: library.lib.contains(handle, at(labels), labels.size, place))
        return found

    def _stat(self) -> Stat:
        stat = Stat()
        self._call("stat", byref(stat))
        return stat

    def __repr__(self) -> str:
        if not self._handle:
            return "<shale.Index, closed>"
        return f"<shale.Index of {len(self)} vectors, dim={self._dim}, metric={self._metric!r}>"

    def __enter__(self) -> Index:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        if not self._in_memory:
            raise TypeError(
                "an index of several shards, or one that can't be changed, lies on disk: "
                "pass its path on, and open it there"
            )
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "index.shale")
            self._save(file, {"format": "file"})
            with open(file, "rb") as f:
                return _restore, (f.read(),)

    def add(
        self,
        vectors: npt.ArrayLike,
        labels: npt.ArrayLike | None = None,
        *,
        threads: int | None = None,
        progress: Progress = False,
    ) -> npt.NDArray[np.uint64]:
        """Adds vectors. A label that is there already gets the new vector.

        Args:
            vectors: shape (n, dim), or (dim,) for one; float32 and float16 in C order are read where they lie.
            labels: n integers from 0 to 2**64 - 2; by default those that follow the largest one there is.
            threads: default: all processors.
            progress: ``True`` for a bar of tqdm, or a callable (step, done, total).

        Returns:
            The labels, shape (n,), uint64.

        Raises:
            ValueError: wrong shapes, NaN or infinity. Nothing has been added.
            ReadOnlyError: the index can't be changed.
        """
        rows = Rows(vectors, self._dim)
        given = np.empty(rows.count, np.uint64) if labels is None else arguments.labels(labels, rows.count)
        assign, many = labels is None, arguments.threads(threads)
        at_rows, at_labels = at(rows.array), at(given)
        with jobs.Watch(progress) as watch:
            self._attempt(
                lambda handle: library.lib.watched.add(
                    handle, at_rows, rows.kind, rows.count, rows.dim, at_labels, assign, many, True, watch.handle,
                    watch.look
                )
            )
        return given

    def delete(self, labels: npt.ArrayLike, *, ignore_missing: bool = False) -> None:
        """Deletes vectors: searches pass over them.

        Vectors that are added take their places; :meth:`compact` takes them out.

        Args:
            labels: one, or many.
            ignore_missing: labels that aren't in the index are no error.

        Raises:
            KeyError: some aren't there; those that are, are deleted all the same.
            ReadOnlyError: the index can't be changed.
        """
        self._mark(labels, deleted=True, ignore_missing=ignore_missing)

    def undelete(self, labels: npt.ArrayLike) -> None:
        """Lets searches find deleted vectors again, until others have been added in their places.

        Args:
            labels: one, or many.

        Raises:
            KeyError: some aren't there, or aren't deleted; those that are, come back all the same.
            ReadOnlyError: the index can't be changed.
        """
        self._mark(labels, deleted=False)

    def compact(self, *, threads: int | None = None) -> None:
        """Takes deleted vectors out, so that they no longer take memory or room on disk.

        The index is built anew of the others. Changes wait meanwhile, and searches go on; about as much memory as the
        index has is taken beside it.

        Args:
            threads: default: all processors.

        Raises:
            ReadOnlyError: the index can't be changed.
            Error: it keeps no vectors (``keep="none"``) that another could be built of.
        """
        many = arguments.threads(threads)
        self._attempt(lambda handle: library.lib.watched.compact(handle, many, look))

    def _mark(self, labels: npt.ArrayLike, *, deleted: bool, ignore_missing: bool = False) -> None:
        array = arguments.asked(labels)
        self._attempt(lambda handle: library.lib.mark(handle, at(array), array.size, deleted, ignore_missing))

    def vectors(self, labels: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """The vectors of labels, as the index keeps them: of length 1 if the metric is cosine.

        An index that can't be changed reads all its rows for it.

        Args:
            labels: n labels, or one.

        Returns:
            float32 of shape (n, dim), or (dim,) for one.

        Raises:
            KeyError: one isn't there.
        """
        array = arguments.asked(labels)
        out = np.empty((array.size, self._dim), np.float32)
        self._attempt(lambda handle: library.lib.vectors(handle, at(array), array.size, at(out)))
        return out[0] if np.ndim(labels) == 0 else out

    def get(self, labels: npt.ArrayLike, default: Any = None) -> Any:
        """The vectors of labels that may not be there, as ``dict.get`` for each.

        Args:
            labels: n labels, or one.
            default: what stands for labels that aren't there.

        Returns:
            A list of n items, each a float32 array of shape (dim,) or ``default``; for one label, one of these.
        """
        array = arguments.asked(labels)
        found = self._found(array)
        rows = iter(self.vectors(array[found]))
        got = [next(rows) if there else default for there in found]
        return got[0] if np.ndim(labels) == 0 else got

    def labels(self) -> npt.NDArray[np.uint64]:
        """The labels that a search may find, in no order."""
        size = c_int64(0)
        while True:
            out = np.empty(size.value, np.uint64)
            place = at(out)
            self._call("labels", False, place, byref(size))
            if size.value <= out.size:
                return out[: size.value]

    def save(self, path: Path | None = None, *, format: Format = "auto", replace: bool = False) -> None:
        """Writes the index. What was there stays until all is written; searches go on meanwhile, changes wait.

        Args:
            path: a name that ends in ``.shale`` becomes one file, others a directory; by default what the index was
                opened from or last saved to.
            format: ``"hnswlib"`` writes hnswlib's index.bin.
            replace: allows to save over an index directory that this one wasn't opened from.

        Raises:
            FileExistsError: an index lies there, or it was changed by another process.
            ValueError: no path is given, and the index has none yet.
        """
        if path is None and not self._path:
            raise ValueError("save where? The index was made in memory: give a path")
        path = self._path if path is None else path
        self._save(path, {"format": format, "replace": replace})
        self._path = os.fspath(path)

def _restore(data: bytes) -> Index:
    """The index of which a pickle holds the file."""
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "index.shale")
        with open(file, "wb") as f:
            f.write(data)
        return Index._of(open_handle(file), "")
