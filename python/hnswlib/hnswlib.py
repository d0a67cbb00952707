"""`import hnswlib` means shale.hnswlib."""

from shale.hnswlib import BFIndex, Index

__all__ = ["BFIndex", "Index"]
