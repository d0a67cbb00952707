"""Shale in ann-benchmarks: copy this folder to ann_benchmarks/algorithms/shale there."""

import numpy
import shale

from ..base.module import BaseANN

METRICS = {"angular": "cosine", "euclidean": "l2"}


class Shale(BaseANN):
    """One graph; settings are those of shale.build."""

    def __init__(self, metric, settings):
        self.metric = METRICS[metric]
        self.settings = settings
        self.search = {}
        self.name = f"shale {settings}"

    def fit(self, X):
        self.index = shale.build(numpy.asarray(X, numpy.float32), metric=self.metric, **self.settings)

    def set_query_arguments(self, ef, slack):
        self.search = {"ef": ef, "slack": slack or None, "threads": 1}
        self.name = f"shale {self.settings} ef={ef} slack={slack}"

    def query(self, q, n):
        return self.index.search(q, n, **self.search).labels

    def batch_query(self, X, n):
        self.res = self.index.search(X, n, **{**self.search, "threads": None}).labels

    def get_memory_usage(self):
        return self.index.info().memory_bytes / 1024

    def done(self):
        self.index.close()
