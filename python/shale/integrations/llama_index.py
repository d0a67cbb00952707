"""A vector store for LlamaIndex. It needs the extra ``llama-index``: ``pip install shale-search[llama-index]``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import Any, Optional

import fsspec
import numpy as np
import numpy.typing as npt
from fsspec.implementations.local import LocalFileSystem
from llama_index.core.bridge.pydantic import Field, PrivateAttr
from llama_index.core.schema import BaseNode, MetadataMode
from llama_index.core.vector_stores.types import (
    DEFAULT_PERSIST_DIR,
    BasePydanticVectorStore,
    FilterCondition,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)
from llama_index.core.vector_stores.utils import build_metadata_filter_fn, metadata_dict_to_node, node_to_metadata_dict

from shale._api.index import Index
from shale.integrations import _metadata
from shale.integrations._collection import Collection, Record

_NAMESPACE = "default"
_NAME = "vector_store.json"
#: Candidates for each result that marginal relevance chooses from.
_MMR_PREFETCH = 4
#: Keyword arguments of queries: those of searches of an index, and those of mode mmr.
_SETTINGS = ("ef", "slack", "probes", "share", "rerank", "threads")
_MMR_SETTINGS = ("mmr_threshold", "mmr_prefetch_factor")
#: Fields of a query that mean something to other stores alone.
_UNUSED = ("output_fields", "embedding_field", "alpha", "sparse_top_k", "hybrid_top_k")


class ShaleVectorStore(BasePydanticVectorStore):
    """Nodes in a :class:`shale.Index`, searched by their embeddings.

    Args:
        metric: ``"cosine"``, ``"l2"`` or ``"ip"``.
        settings: further ones of :class:`shale.Index`, such as ``codes``, ``rows``, ``m`` and ``ef_construction``.

    Similarities are the cosine, 1 / (1 + squared distance) for l2, or the inner product. ``query`` takes the settings
    of :meth:`shale.Index.search`, such as ``ef``.
    """

    stores_text: bool = True
    flat_metadata: bool = False
    metric: str = "cosine"
    settings: dict[str, Any] = Field(default_factory=dict)

    _collection: Collection = PrivateAttr()

    def __init__(self, *, metric: str = "cosine", settings: Optional[dict[str, Any]] = None, **kwargs: Any) -> None:
        kwargs.update(metric=metric, settings=settings or {})
        super().__init__(**kwargs)
        self._collection = Collection(metric, self.settings)

    def __getstate__(self) -> dict[str, Any]:
        """The whole state: LlamaIndex's own leaves out in silence what can't be pickled."""
        return {"metric": self.metric, "settings": self.settings, "collection": self._collection.__getstate__()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        ShaleVectorStore.__init__(self, metric=state["metric"], settings=state["settings"])
        self._collection.__setstate__(state["collection"])

    def __copy__(self) -> ShaleVectorStore:
        """A store of its own: a change of one doesn't change the other."""
        new = type(self).__new__(type(self))
        new.__setstate__(self.__getstate__())
        return new

    def __deepcopy__(self, memo: Optional[dict[int, Any]] = None) -> ShaleVectorStore:
        return self.__copy__()

    @classmethod
    def class_name(cls) -> str:
        return "ShaleVectorStore"

    @property
    def client(self) -> Optional[Index]:
        """The index; None before the first nodes."""
        return self._collection.index

    def add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """Adds nodes with their embeddings; those with an id that is there already take its place."""
        _refuse("add", kwargs)
        ids = [node.node_id for node in nodes]
        for node in nodes:
            _metadata.checked(node.metadata, node.node_id, plain=True)
        texts = [node.get_content(metadata_mode=MetadataMode.NONE) for node in nodes]
        metadata = [node_to_metadata_dict(node, remove_text=False, flat_metadata=self.flat_metadata) for node in nodes]
        self._collection.add(ids, texts, metadata, [node.get_embedding() for node in nodes])
        return ids

    async def async_add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        return await asyncio.to_thread(self.add, nodes, **kwargs)

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Deletes the nodes of a document."""
        _refuse("delete", delete_kwargs)
        _metadata.text(ref_doc_id, "ref_doc_id")
        self._collection.delete(
            [record.id for record in self._collection.records() if record.metadata["ref_doc_id"] == ref_doc_id]
        )

    async def adelete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        await asyncio.to_thread(self.delete, ref_doc_id, **delete_kwargs)

    def delete_nodes(
        self, node_ids: Optional[list[str]] = None, filters: Optional[MetadataFilters] = None, **delete_kwargs: Any
    ) -> None:
        """Deletes the nodes that have these ids and match the filters."""
        _refuse("delete_nodes", delete_kwargs)
        self._collection.delete([record.id for record in self._matching(node_ids, filters)])

    async def adelete_nodes(
        self, node_ids: Optional[list[str]] = None, filters: Optional[MetadataFilters] = None, **delete_kwargs: Any
    ) -> None:
        await asyncio.to_thread(self.delete_nodes, node_ids, filters, **delete_kwargs)

    def clear(self) -> None:
        """Deletes all nodes."""
        self._collection.clear()

    def compact(self) -> None:
        """Takes deleted vectors out of the index, which is built anew. New nodes take their places without that."""
        self._collection.compact()

    async def aclear(self) -> None:
        await asyncio.to_thread(self.clear)

    def get_nodes(
        self, node_ids: Optional[list[str]] = None, filters: Optional[MetadataFilters] = None
    ) -> list[BaseNode]:
        """The nodes that have these ids and match the filters."""
        return [_node(record) for record in self._matching(node_ids, filters)]

    async def aget_nodes(
        self, node_ids: Optional[list[str]] = None, filters: Optional[MetadataFilters] = None
    ) -> list[BaseNode]:
        return await asyncio.to_thread(self.get_nodes, node_ids, filters)

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """Finds the nodes most similar to an embedding; mode ``mmr`` finds ones that also differ from each other."""
        vector, k = self._asked(query, kwargs)
        return self._result(
            query, vector, self._collection.search(vector, k, self._allowed(query), **_settings(kwargs)), kwargs
        )

    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        vector, k = self._asked(query, kwargs)
        allowed = await asyncio.to_thread(self._allowed, query)
        return self._result(
            query, vector, await self._collection.asearch(vector, k, allowed, **_settings(kwargs)), kwargs
        )

    def persist(self, persist_path: str, fs: Optional[fsspec.AbstractFileSystem] = None) -> None:
        """Writes nodes and vectors to a directory; what was there stays until all is written.

        Raises:
            ValueError: fs isn't the local file system.
        """
        _local(fs)
        self._collection.save(persist_path)

    @classmethod
    def from_persist_path(cls, persist_path: str, fs: Optional[fsspec.AbstractFileSystem] = None) -> ShaleVectorStore:
        """Reads what :meth:`persist` wrote."""
        _local(fs)
        collection = Collection.load(persist_path)
        store = cls(metric=collection.metric, settings=collection.settings)
        store._collection = collection
        return store

    @classmethod
    def from_persist_dir(
        cls,
        persist_dir: str = DEFAULT_PERSIST_DIR,
        namespace: str = _NAMESPACE,
        fs: Optional[fsspec.AbstractFileSystem] = None,
    ) -> ShaleVectorStore:
        """Reads what a storage context wrote to its directory."""
        return cls.from_persist_path(os.path.join(persist_dir, f"{namespace}__{_NAME}"), fs)

    def _matching(self, node_ids: Optional[list[str]], filters: Optional[MetadataFilters]) -> list[Record]:
        ids = _ids(node_ids)
        records = self._collection.records() if ids is None else self._collection.get(dict.fromkeys(ids))
        matches = _matcher(filters)
        return [record for record in records if matches(record)]

    def _asked(self, query: VectorStoreQuery, kwargs: dict[str, Any]) -> tuple[npt.NDArray[np.float32], int]:
        mmr = query.mode == VectorStoreQueryMode.MMR
        _refuse("query", {name: 0 for name in kwargs if name not in _SETTINGS and not (mmr and name in _MMR_SETTINGS)})
        for name in _UNUSED:
            if getattr(query, name, None) is not None:
                raise ValueError(f"the query's {name} isn't supported")
        if query.query_embedding is None:
            raise ValueError("the query has no embedding")
        if query.mode not in (VectorStoreQueryMode.DEFAULT, VectorStoreQueryMode.MMR):
            raise ValueError(f"query mode {query.mode.value} isn't supported: it is neither default nor mmr")
        k = query.similarity_top_k * (kwargs.get("mmr_prefetch_factor", _MMR_PREFETCH) if mmr else 1)
        return np.asarray(query.query_embedding, np.float32), k

    def _allowed(self, query: VectorStoreQuery) -> Optional[npt.NDArray[np.uint64]]:
        nodes, documents = (
            set(_ids(query.node_ids) or ()),
            set(_ids(query.doc_ids) or ()),
        )  # empty lists, as retrievers give them, ask for all
        if query.filters is None and not nodes and not documents:
            return None
        matches = _matcher(query.filters)
        return self._collection.allowed(
            lambda record: (
                (not nodes or record.id in nodes)
                and (not documents or record.metadata["ref_doc_id"] in documents)
                and matches(record)
            )
        )

    def _result(
        self,
        query: VectorStoreQuery,
        vector: npt.NDArray[np.float32],
        found: list[tuple[Record, float]],
        kwargs: dict[str, Any],
    ) -> VectorStoreQueryResult:
        if query.mode == VectorStoreQueryMode.MMR:
            threshold = query.mmr_threshold if query.mmr_threshold is not None else kwargs.get("mmr_threshold", 0.5)
            found = [
                found[place] for place in self._collection.diverse(vector, found, query.similarity_top_k, threshold)
            ]
        return VectorStoreQueryResult(
            nodes=[_node(record) for record, _ in found],
            similarities=[self._similarity(distance) for _, distance in found],
            ids=[record.id for record, _ in found],
        )

    def _similarity(self, distance: float) -> float:
        return 1 / (1 + distance) if self.metric == "l2" else 1 - distance


def _settings(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Of a query's kwargs those that searches of an index take."""
    return {name: kwargs[name] for name in _SETTINGS if name in kwargs}


def _refuse(call: str, kwargs: dict[str, Any]) -> None:
    if kwargs:
        raise TypeError(f"{call}() got an unexpected keyword argument {next(iter(kwargs))!r}")


def _ids(given: Any) -> Optional[list[str]]:
    """Ids, one or many; None stays None."""
    return [given] if isinstance(given, str) else None if given is None else list(given)


def _matcher(filters: Optional[MetadataFilters]) -> Callable[[Record], bool]:
    """Tells which records match, by LlamaIndex's own judgement of each condition; that doesn't take filters within
    filters."""
    if filters is None or not filters.filters:
        return lambda _: True
    parts = [_matcher(part) if isinstance(part, MetadataFilters) else _condition(part) for part in filters.filters]
    if filters.condition == FilterCondition.OR:
        return lambda record: any(part(record) for part in parts)
    if filters.condition == FilterCondition.NOT:
        return lambda record: not any(part(record) for part in parts)
    return lambda record: all(part(record) for part in parts)


def _condition(condition: MetadataFilter) -> Callable[[Record], bool]:
    one = MetadataFilters(filters=[condition])
    return lambda record: bool(build_metadata_filter_fn(lambda _: record.metadata, one)(record.id))


def _node(record: Record) -> BaseNode:
    return metadata_dict_to_node(_metadata.copied(record.metadata))


def _local(fs: Optional[fsspec.AbstractFileSystem]) -> None:
    if fs is not None and not isinstance(fs, LocalFileSystem):
        raise ValueError(f"an index can be written to the local file system only, not to {type(fs).__name__}")
