"""A scikit-learn transformer: the graph of each sample's nearest neighbours.

It stands where :class:`sklearn.neighbors.KNeighborsTransformer` does, in a pipeline before an estimator that takes
``metric="precomputed"``. It needs the extra ``sklearn``: ``pip install shale-search[sklearn]``.
"""

from __future__ import annotations

import os
from typing import Any, Literal, Optional, Union

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from shale._api.build import build
from shale._api.reports import NO_LABEL

Mode = Literal["distance", "connectivity"]

#: What scikit-learn calls metrics, the index's own, and whether distances are its square roots.
_METRICS = {
    "euclidean": ("l2", True),
    "l2": ("l2", True),
    "sqeuclidean": ("l2", False),
    "cosine": ("cosine", False),
}


class ShaleTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Transforms samples to a sparse graph of their nearest neighbours among those fitted.

    Args:
        mode: ``"distance"`` gives distances, and one neighbour more than asked for, since a sample fitted is its own
            nearest; ``"connectivity"`` gives ones.
        n_neighbors: neighbours of each sample.
        metric: ``"euclidean"`` (or ``"l2"``), ``"sqeuclidean"`` or ``"cosine"``.
        codes: what searches walk over: see :class:`shale.Index`; ``rows``, ``m`` and ``ef_construction`` too.
        ef: samples looked at more closely in a search; default: the larger of 100 and twice the neighbours.
        n_jobs: threads; None or -1: all processors.
        random_state: the seed of the index's levels.

    Attributes:
        index_: the :class:`shale.Index` of the samples fitted; sample i has the label i.
        n_samples_fit_: how many these are.
        effective_metric_: the metric of distances.
    """

    def __init__(
        self,
        *,
        mode: Mode = "distance",
        n_neighbors: int = 5,
        metric: str = "euclidean",
        codes: str = "auto",
        rows: str = "auto",
        m: int = 16,
        ef_construction: int = 200,
        ef: Optional[int] = None,
        n_jobs: Optional[int] = None,
        random_state: int = 100,
    ) -> None:
        self.mode: Mode = mode
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.codes = codes
        self.rows = rows
        self.m = m
        self.ef_construction = ef_construction
        self.ef = ef
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: npt.ArrayLike, y: Any = None) -> ShaleTransformer:
        """Builds the index of the samples X, shape (n_samples, n_features)."""
        if self.metric not in _METRICS:
            raise ValueError(f"metric is {self.metric!r}, not one of {', '.join(_METRICS)}")
        if self.mode not in ("distance", "connectivity"):
            raise ValueError(f"mode is {self.mode!r}, neither 'distance' nor 'connectivity'")
        if self.n_neighbors < 1:
            raise ValueError(f"n_neighbors is {self.n_neighbors}, not at least 1")
        samples = self._samples(X, reset=True)
        space, self._root = _METRICS[self.metric]
        settings: dict[str, Any] = {"metric": space, "codes": self.codes, "rows": self.rows}
        self.index_ = build(
            samples,
            m=self.m,
            ef_construction=self.ef_construction,
            seed=self.random_state,
            threads=self._threads(),
            **settings,
        )
        self.effective_metric_ = self.metric
        self.n_samples_fit_ = samples.shape[0]
        return self

    def transform(self, X: npt.ArrayLike) -> csr_matrix:
        """The graph of X's neighbours among the samples fitted, shape (n_samples, n_samples_fit)."""
        check_is_fitted(self)
        more = 1 if self.mode == "distance" else 0
        return self.kneighbors_graph(X, self.n_neighbors + more, self.mode)

    def fit_transform(self, X: npt.ArrayLike, y: Any = None, **params: Any) -> csr_matrix:
        """:meth:`fit`, then :meth:`transform` of the same samples."""
        return self.fit(X).transform(X)

    def kneighbors(
        self, X: Optional[npt.ArrayLike] = None, n_neighbors: Optional[int] = None, return_distance: bool = True
    ) -> Union[npt.NDArray[np.int64], tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]]:
        """The nearest samples fitted, nearest first.

        Args:
            X: samples; None: those fitted, none of which is then a neighbour of itself.
            n_neighbors: default: the transformer's.
            return_distance: False gives their numbers alone.

        Returns:
            (distances, numbers), both of shape (n_samples, n_neighbors).
        """
        check_is_fitted(self)
        wanted = self.n_neighbors if n_neighbors is None else n_neighbors
        room = self.n_samples_fit_ - (X is None)
        if not 1 <= wanted <= room:
            raise ValueError(
                f"Expected n_neighbors <= n_samples_fit and at least 1, n_neighbors = {wanted}, n_samples_fit = {room}"
            )
        if X is None:
            distances, numbers = self._search(self.index_.vectors(np.arange(self.n_samples_fit_)), wanted + 1)
            distances, numbers = _without_self(distances, numbers)
        else:
            distances, numbers = self._search(self._samples(X, reset=False), wanted)
        return (distances, numbers) if return_distance else numbers

    def kneighbors_graph(
        self, X: Optional[npt.ArrayLike] = None, n_neighbors: Optional[int] = None, mode: Mode = "connectivity"
    ) -> csr_matrix:
        """The graph of :meth:`kneighbors` as a CSR matrix of shape (n_samples, n_samples_fit), rows sorted by
        distance."""
        if mode not in ("distance", "connectivity"):
            raise ValueError(f"mode is {mode!r}, neither 'distance' nor 'connectivity'")
        distances, numbers = self.kneighbors(X, n_neighbors)
        rows, width = numbers.shape
        data = distances.ravel() if mode == "distance" else np.ones(rows * width)
        starts = np.arange(0, rows * width + 1, width)
        return csr_matrix((data, numbers.ravel(), starts), shape=(rows, self.n_samples_fit_))

    def _samples(self, X: npt.ArrayLike, reset: bool) -> npt.NDArray[Any]:
        given: Any = X  # its stated type is that of a default
        return np.ascontiguousarray(
            validate_data(self, given, dtype=[np.float32, np.float16, np.float64], order="C", reset=reset)
        )

    def _search(self, samples: npt.NDArray[Any], k: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        ef = self.ef or max(100, 2 * k)
        while True:
            labels, distances = self.index_.search(samples, k, ef=ef, threads=self._threads())
            if not (labels == np.uint64(NO_LABEL)).any():
                break
            if ef >= self.n_samples_fit_:
                raise RuntimeError(f"{k} neighbours aren't found for all samples: fit with a larger m")
            ef = min(4 * ef, self.n_samples_fit_)
        exact = distances.astype(np.float64)
        return np.sqrt(exact) if self._root else exact, labels.astype(np.int64)

    def _threads(self) -> Optional[int]:
        if self.n_jobs is None or self.n_jobs == -1:
            return None
        return self.n_jobs if self.n_jobs > 0 else max(1, (os.cpu_count() or 1) + 1 + self.n_jobs)

    @property
    def _n_features_out(self) -> int:
        return int(self.n_samples_fit_)


def _without_self(
    distances: npt.NDArray[np.float64], numbers: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Leaves each sample out of its own neighbours, or else the farthest of them."""
    rows, width = numbers.shape
    own = numbers == np.arange(rows)[:, None]
    own[~own.any(axis=1), -1] = True
    return distances[~own].reshape(rows, width - 1), numbers[~own].reshape(rows, width - 1)
