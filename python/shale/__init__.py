"""Shale: vector search. ``shale.hnswlib`` is a stand-in for the package hnswlib."""

from shale._version import __version__

__all__ = ["__version__"]
