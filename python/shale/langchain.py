"""The names of :mod:`shale.integrations.langchain`."""

from shale.integrations.langchain import DocumentFilter, ShaleVectorStore

__all__ = ["DocumentFilter", "ShaleVectorStore"]
