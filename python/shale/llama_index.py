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

from shale._collection import Collection, Record
from shale._index import Index

_NAMESPACE = "default"
_NAME = "vector_store.json"
#: Candidates for each result that marginal relevance chooses from.
_MMR_PREFETCH = 4


class ShaleVectorStore(BasePydanticVectorStore):
    """Nodes in a :class:`shale.Index`, searched by their embeddings.

    Args:
        metric: ``"cosine"``, ``"l2"`` or ``"ip"``.
        settings: further ones of :class:`shale.Index`, such as ``storage``, ``keep``, ``m`` and ``ef_construction``.

    Similarities are the cosine, 1 / (1 + squared distance) for l2, or the inner product. ``query`` takes the settings of
    :meth:`shale.Index.search`, such as ``ef``.
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

    @classmethod
    def class_name(cls) -> str:
        return "ShaleVectorStore"

    @property
    def client(self) -> Optional[Index]:
        """The index; None before the first nodes."""
        return self._collection.index

    def add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """Adds nodes with their embeddings; those with an id that is there already take its place."""
        ids = [node.node_id for node in nodes]
        texts = [node.get_content(metadata_mode=MetadataMode.NONE) for node in nodes]
        metadata = [node_to_metadata_dict(node, remove_text=False, flat_metadata=self.flat_metadata) for node in nodes]
        self._collection.add(ids, texts, metadata, [node.get_embedding() for node in nodes])
        return ids

    async def async_add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        return await asyncio.to_thread(self.add, nodes, **kwargs)

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Deletes the nodes of a document."""
        self._collection.delete(
            [record.id for record in self._collection.records() if record.metadata["ref_doc_id"] == ref_doc_id]
        )

    async def adelete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        await asyncio.to_thread(self.delete, ref_doc_id, **delete_kwargs)

    def delete_nodes(
        self, node_ids: Optional[list[str]] = None, filters: Optional[MetadataFilters] = None, **delete_kwargs: Any
    ) -> None:
        """Deletes the nodes that have these ids and match the filters."""
        self._collection.delete([record.id for record in self._matching(node_ids, filters)])

    async def adelete_nodes(
        self, node_ids: Optional[list[str]] = None, filters: Optional[MetadataFilters] = None, **delete_kwargs: Any
    ) -> None:
        await asyncio.to_thread(self.delete_nodes, node_ids, filters)

    def clear(self) -> None:
        """Deletes all nodes."""
        self._collection.clear()

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
        vector, k = self._asked(query)
        return self._result(
            query, vector, self._collection.search(vector, k, self._allowed(query), **_settings(kwargs)), kwargs
        )

    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        vector, k = self._asked(query)
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
        records = self._collection.records() if node_ids is None else self._collection.get(dict.fromkeys(node_ids))
        matches = _matcher(filters)
        return [record for record in records if matches(record)]

    def _asked(self, query: VectorStoreQuery) -> tuple[npt.NDArray[np.float32], int]:
        if query.query_embedding is None:
            raise ValueError("the query has no embedding")
        if query.mode not in (VectorStoreQueryMode.DEFAULT, VectorStoreQueryMode.MMR):
            raise ValueError(f"query mode {query.mode.value} isn't supported: it is neither default nor mmr")
        k = query.similarity_top_k * (_MMR_PREFETCH if query.mode == VectorStoreQueryMode.MMR else 1)
        return np.asarray(query.query_embedding, np.float32), k

    def _allowed(self, query: VectorStoreQuery) -> Optional[npt.NDArray[np.uint64]]:
        nodes, documents = (
            set(query.node_ids or ()),
            set(query.doc_ids or ()),
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
    return {name: kwargs[name] for name in ("ef", "slack", "probes", "share", "rerank", "threads") if name in kwargs}


def _matcher(filters: Optional[MetadataFilters]) -> Callable[[Record], bool]:
    """Tells which records match, by LlamaIndex's own judgement of each condition; that doesn't take filters within filters."""
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
    return metadata_dict_to_node(record.metadata)


def _local(fs: Optional[fsspec.AbstractFileSystem]) -> None:
    if fs is not None and not isinstance(fs, LocalFileSystem):
        raise ValueError(f"an index can be written to the local file system only, not to {type(fs).__name__}")
