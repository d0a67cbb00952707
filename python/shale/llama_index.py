"""The names of :mod:`shale.integrations.llama_index`."""

from shale.integrations.llama_index import ShaleVectorStore

__all__ = ["ShaleVectorStore"]
