"""A vector store for LangChain. It needs the extra ``langchain``: ``pip install shale-search[langchain]``."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Optional, Union

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.runnables.config import run_in_executor
from langchain_core.vectorstores import VectorStore

from shale._api.collection import Collection
from shale._core.arguments import Path
from shale.integrations import _conditions, _document_filter, _metadata
from shale.integrations._conditions import Where
from shale.integrations._payloads import Record
from shale.integrations._store import Found, Store, diverse

#: Which documents a search may return: all whose metadata have these values, or for which a callable is true.
DocumentFilter = Union[dict[str, Any], Callable[[Document], bool]]


class ShaleVectorStore(VectorStore):
    """Documents in a :class:`shale.Collection`, searched by the vectors of their texts.

    Args:
        embedding: makes vectors of texts.
        path: of a directory that holds the store: what is written is kept there at once, and one process at a time has
            it open. Without it the store is temporary, until :meth:`save`.
        metric: ``"cosine"``, which is the default, ``"l2"`` or ``"ip"``.
        settings: further ones of :class:`shale.Vector`: ``codes``, ``rows``, ``m`` and ``ef_construction``.

    Metadata may hold what JSON can, dates, bytes, tuples, and numbers and arrays of NumPy; other values are refused,
    and so are ids that aren't strings. Searches take ``filter`` and the settings of :meth:`shale.Collection.query`,
    ``ef``, ``exact`` and ``max_distance``. A filter is a callable of a document, or a dict: ``{"year": 2001}`` asks for
    a value that is equal; ``{"year": {"$gte": 2001}}`` for one by an operator: $eq, $ne, $gt, $gte, $lt, $lte, $in,
    $nin, $exists or $not; $and, $or and $nor take lists of such dicts, $not takes one. The collection's indexes of
    metadata answer filters of strings, numbers and booleans; callables and other comparisons, such as the order of
    strings, look at the documents.
    """

    def __init__(
        self, embedding: Embeddings, *, path: Optional[Path] = None, metric: Optional[str] = None, **settings: Any
    ) -> None:
        self._embedding = embedding
        self._store = Store(metric, settings, path)

    def __copy__(self) -> ShaleVectorStore:
        """A store of its own: a change of one doesn't change the other."""
        new = type(self).__new__(type(self))
        vars(new).update(vars(self), _store=copy.copy(self._store))
        return new

    @property
    def embeddings(self) -> Embeddings:
        return self._embedding

    @property
    def collection(self) -> Optional[Collection]:
        """What holds the documents, with ``text`` and ``metadata`` as payload; None before the first."""
        return self._store.collection

    def __len__(self) -> int:
        return len(self._store)

    def close(self) -> None:
        """Ends the use of the store. A temporary one is removed, as it is when nothing refers to it any more."""
        self._store.close()

    def save(self, path: Path) -> None:
        """Writes documents and vectors to a directory; what was there stays until all is written."""
        self._store.save(path)

    @classmethod
    def load(cls, path: Path, embedding: Embeddings) -> ShaleVectorStore:
        """A temporary store of what :meth:`save` wrote, which stays as it is. To work on what is there, give ``path``
        to the class.

        Raises:
            FileNotFoundError: nothing lies there.
            shale.FormatError: it is damaged.
        """
        store = cls(embedding)
        store._store = Store.load(path)
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
        self._store.add(names, texts, [{} for _ in texts] if metadatas is None else metadatas, vectors)
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
            self._store.clear()
        else:
            self._store.delete(_ids(ids))
        return True

    def compact(self) -> None:
        """Gives back the room of deleted documents, which happens by itself, bit by bit."""
        self._store.compact()

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        return [_document(record) for record in self._store.get(_ids(ids))]

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
        return _scored(self._store.search(embedding, k, _where(filter), **kwargs))

    async def asimilarity_search_with_score_by_vector(
        self, embedding: list[float], k: int = 4, *, filter: Optional[DocumentFilter] = None, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        return await run_in_executor(
            None, lambda: self.similarity_search_with_score_by_vector(embedding, k, filter=filter, **kwargs)
        )

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
        found = self._store.search(embedding, max(k, fetch_k), _where(filter), vectors=True, **kwargs)
        return _documents(_scored(diverse(embedding, found, k, lambda_mult)))

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

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        if self._store.metric == "l2":
            return lambda distance: 1 / (1 + distance)
        if self._store.metric == "cosine":
            return lambda distance: 1 - distance / 2
        return lambda distance: 1 - distance  # the inner product


def _where(filter: Optional[DocumentFilter]) -> Optional[Where]:
    if filter is None:
        return None
    if callable(filter):
        allow = filter
        return Where(_conditions.UNKNOWN, lambda record: bool(allow(_document(record))))
    matches = _document_filter.matcher(filter)
    return _conditions.where(_document_filter.condition(filter), lambda record: matches(record.metadata))


def _scored(found: list[Found]) -> list[tuple[Document, float]]:
    return [(_document(one.record), one.distance) for one in found]


def _document(record: Record) -> Document:
    return Document(id=record.id, page_content=record.text, metadata=record.metadata)


def _ids(given: Any) -> list[str]:
    """Ids, one or many."""
    return [_metadata.text(one, "an id") for one in ([given] if isinstance(given, str) else given)]


def _refuse(call: str, kwargs: dict[str, Any]) -> None:
    if kwargs:
        raise TypeError(f"{call}() got an unexpected keyword argument {next(iter(kwargs))!r}")


def _documents(found: list[tuple[Document, float]]) -> list[Document]:
    return [document for document, _ in found]
