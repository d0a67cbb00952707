"""A stand-in for hnswlib 0.8.0 and hnswlib-mmap: the same classes, methods, results, errors and files.

Labels are uint64, distances float32: squared Euclidean for ``"l2"``, 1 - inner product for ``"ip"``, 1 - cosine for
``"cosine"``, smaller being nearer. Errors are RuntimeErrors unless it is said otherwise; arguments of types that don't
fit are TypeErrors. All methods may be called from many threads, release the GIL, and answer Ctrl-C.
"""

from shale.hnswlib._exact import BFIndex
from shale.hnswlib._index import Index
from shale.hnswlib._sharded import ShardedIndex

__all__ = ["BFIndex", "Index", "ShardedIndex"]

BFIndex.__module__ = Index.__module__ = ShardedIndex.__module__ = __name__
