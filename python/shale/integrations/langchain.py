"""A vector store for LangChain. It needs the extra ``langchain``: ``pip install shale-search[langchain]``."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Optional, Union

import numpy as np
import numpy.typing as npt
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.runnables.config import run_in_executor
from langchain_core.vectorstores import VectorStore

from shale._core.arguments import Path
from shale.integrations import _metadata
from shale.integrations._collection import Collection, Record
from shale.integrations._document_filter import matcher

#: Which documents a search may return: all whose metadata have these values, or for which a callable is true.
DocumentFilter = Union[dict[str, Any], Callable[[Document], bool]]


class ShaleVectorStore(VectorStore):
    """Documents in a :class:`shale.Index`, searched by the vectors of their texts.

    Args:
        embedding: makes vectors of texts.
        metric: ``"cosine"``, ``"l2"`` or ``"ip"``.
        settings: further ones of :class:`shale.Index`, such as ``codes``, ``rows``, ``m`` and ``ef_construction``.

    Metadata may hold what JSON can, dates, bytes, tuples, and numbers and arrays of NumPy; other values are refused,
    and so are ids that aren't strings. Searches take ``filter`` and the settings of :meth:`shale.Index.search`, such as
    ``ef``. A filter is a callable of a document, or a dict: ``{"year": 2001}`` asks for a value that is equal;
    ``{"year": {"$gte": 2001}}`` for one by an operator: $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists or $not;
    $and, $or and $nor take lists of such dicts, $not takes one.
    """

    def __init__(self, embedding: Embeddings, *, metric: str = "cosine", **settings: Any) -> None:
        self._embedding = embedding
        self._collection = Collection(metric, settings)

    def __copy__(self) -> ShaleVectorStore:
        """A store of its own: a change of one doesn't change the other."""
        new = type(self).__new__(type(self))
        vars(new).update(vars(self), _collection=copy.copy(self._collection))
        return new

    @property
    def embeddings(self) -> Embeddings:
        return self._embedding

    def __len__(self) -> int:
        return len(self._collection)

    def save(self, path: Path) -> None:
        """Writes documents and vectors to a directory; what was there stays until all is written."""
        self._collection.save(path)

    @classmethod
    def load(cls, path: Path, embedding: Embeddings) -> ShaleVectorStore:
        """Reads what :meth:`save` wrote.

        Raises:
            FileNotFoundError: nothing lies there.
            shale.FormatError: it is damaged.
        """
        collection = Collection.load(path)
        store = cls(embedding, metric=collection.metric)
        store._collection = collection
        return store

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: Optional[list[dict[str, Any]]] = None,
        *,
        ids: Optional[list[str]] = None,
        **kwargs: Any,
    ) -> list[str]:
        given = self._given(texts, metadatas, ids, kwargs)
        return self._add(given, metadatas, ids, self._embedding.embed_documents(given))

    async def aadd_texts(
        self,
        texts: Iterable[str],
        metadatas: Optional[list[dict[str, Any]]] = None,
        *,
        ids: Optional[list[str]] = None,
        **kwargs: Any,
    ) -> list[str]:
        given = self._given(texts, metadatas, ids, kwargs)
        vectors = await self._embedding.aembed_documents(given)
        return await run_in_executor(None, self._add, given, metadatas, ids, vectors)

    def _add(
        self,
        texts: list[str],
        metadatas: Optional[list[dict[str, Any]]],
        ids: Optional[Sequence[Optional[str]]],
        vectors: list[list[float]],
    ) -> list[str]:
        given = [None] * len(texts) if ids is None else ids
        names = [str(uuid.uuid4()) if one is None else one for one in given]
        self._collection.add(names, texts, [{} for _ in texts] if metadatas is None else metadatas, vectors)
        return names

    def _given(self, texts: Iterable[str], metadatas: Any, ids: Any, kwargs: dict[str, Any]) -> list[str]:
        """The texts to add. What can't be added is refused before vectors are made of any."""
        _refuse("add_texts", kwargs)
        given = [texts] if isinstance(texts, str) else list(texts)
        for what, list_ in (("ids", ids), ("metadatas", metadatas)):
            if list_ is not None and (isinstance(list_, (str, dict)) or len(list_) != len(given)):
                raise ValueError(f"{what} must be a list, one for each of {len(given)} texts; of metadata a dict")
        for place in range(len(given)):
            name = None if ids is None else ids[place]
            _metadata.text("" if name is None else name, "an id")
            _metadata.text(given[place], f"the text of id {name!r}")
            if metadatas is not None:
                _metadata.checked(metadatas[place], name or f"number {place}")
        return given

    def delete(self, ids: Optional[list[str]] = None, **kwargs: Any) -> Optional[bool]:
        """Deletes documents, one or many, or all of them without ids; ids that aren't there change nothing."""
        _refuse("delete", kwargs)
        if ids is None:
            self._collection.clear()
        else:
            self._collection.delete(_ids(ids))
        return True

    def compact(self) -> None:
        """Takes deleted vectors out of the index, which is built anew. New documents take their places without that."""
        self._collection.compact()

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        return [_document(record) for record in self._collection.get(_ids(ids))]

    def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        return _documents(self.similarity_search_with_score(query, k, **kwargs))

    async def asimilarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        return _documents(await self.asimilarity_search_with_score(query, k, **kwargs))

    def similarity_search_with_score(self, query: str, k: int = 4, **kwargs: Any) -> list[tuple[Document, float]]:
        """The k nearest documents and their distances: the smaller the nearer."""
        return self.similarity_search_with_score_by_vector(self._embedding.embed_query(query), k, **kwargs)

    async def asimilarity_search_with_score(
        self, query: str, k: int = 4, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        return await self.asimilarity_search_with_score_by_vector(
            await self._embedding.aembed_query(query), k, **kwargs
        )

    def similarity_search_by_vector(self, embedding: list[float], k: int = 4, **kwargs: Any) -> list[Document]:
        return _documents(self.similarity_search_with_score_by_vector(embedding, k, **kwargs))

    async def asimilarity_search_by_vector(self, embedding: list[float], k: int = 4, **kwargs: Any) -> list[Document]:
        return _documents(await self.asimilarity_search_with_score_by_vector(embedding, k, **kwargs))

    def similarity_search_with_score_by_vector(
        self, embedding: list[float], k: int = 4, *, filter: Optional[DocumentFilter] = None, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        found = self._collection.search(embedding, k, self._allowed(filter), **kwargs)
        return [(_document(record), distance) for record, distance in found]

    async def asimilarity_search_with_score_by_vector(
        self, embedding: list[float], k: int = 4, *, filter: Optional[DocumentFilter] = None, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        found = await self._collection.asearch(embedding, k, self._allowed(filter), **kwargs)
        return [(_document(record), distance) for record, distance in found]

    def max_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        vector = self._embedding.embed_query(query)
        return self.max_marginal_relevance_search_by_vector(vector, k, fetch_k, lambda_mult, **kwargs)

    async def amax_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        vector = await self._embedding.aembed_query(query)
        return await self.amax_marginal_relevance_search_by_vector(vector, k, fetch_k, lambda_mult, **kwargs)

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        *,
        filter: Optional[DocumentFilter] = None,
        **kwargs: Any,
    ) -> list[Document]:
        found = self._collection.search(embedding, max(k, fetch_k), self._allowed(filter), **kwargs)
        return [_document(found[place][0]) for place in self._collection.diverse(embedding, found, k, lambda_mult)]

    async def amax_marginal_relevance_search_by_vector(
        self, embedding: list[float], k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **kwargs: Any
    ) -> list[Document]:
        return await run_in_executor(
            None, self.max_marginal_relevance_search_by_vector, embedding, k, fetch_k, lambda_mult, **kwargs
        )

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: Optional[list[dict[str, Any]]] = None,
        *,
        ids: Optional[list[str]] = None,
        **kwargs: Any,
    ) -> ShaleVectorStore:
        """A store of texts; kwargs are those of the class."""
        store = cls(embedding, **kwargs)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    def _allowed(self, filter: Optional[DocumentFilter]) -> Optional[npt.NDArray[np.uint64]]:
        if filter is None:
            return None
        if callable(filter):
            allow = filter
            return self._collection.allowed(lambda record: bool(allow(_document(record))))
        matches = matcher(filter)
        return self._collection.allowed(lambda record: matches(record.metadata))

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        if self._collection.metric == "l2":
            return lambda distance: 1 / (1 + distance)
        if self._collection.metric == "cosine":
            return lambda distance: 1 - distance / 2
        return lambda distance: 1 - distance  # the inner product


def _document(record: Record) -> Document:
    return Document(id=record.id, page_content=record.text, metadata=_metadata.copied(record.metadata))


def _ids(given: Any) -> list[str]:
    """Ids, one or many."""
    return [_metadata.text(one, "an id") for one in ([given] if isinstance(given, str) else given)]


def _refuse(call: str, kwargs: dict[str, Any]) -> None:
    if kwargs:
        raise TypeError(f"{call}() got an unexpected keyword argument {next(iter(kwargs))!r}")


def _documents(found: list[tuple[Document, float]]) -> list[Document]:
    return [document for document, _ in found]
