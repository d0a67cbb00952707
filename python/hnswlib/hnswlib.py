"""`import hnswlib` means shale.hnswlib."""

from shale.hnswlib import BFIndex, Index, ShardedIndex

__all__ = ["BFIndex", "Index", "ShardedIndex"]
