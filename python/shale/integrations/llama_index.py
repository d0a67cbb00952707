"""A vector store for LlamaIndex. It needs the extra ``llama-index``: ``pip install shale-search[llama-index]``."""

from __future__ import annotations

import asyncio
import copy
import os
from collections.abc import Sequence
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
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)
from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict

from shale._api.collection import Collection
from shale._core.arguments import Path
from shale.integrations import _conditions, _metadata, _node_filter
from shale.integrations._conditions import Where
from shale.integrations._payloads import Record
from shale.integrations._store import Found, Store, diverse

_NAMESPACE = "default"
_NAME = "vector_store.json"
#: Candidates for each result that marginal relevance chooses from.
_MMR_PREFETCH = 4
#: Keyword arguments of queries: those of queries of a collection, and those of mode mmr.
_SETTINGS = ("ef", "exact", "max_distance")
_MMR_SETTINGS = ("mmr_threshold", "mmr_prefetch_factor")
#: Fields of a query that mean something to other stores alone.
_UNUSED = ("output_fields", "embedding_field", "alpha", "sparse_top_k", "hybrid_top_k")


class ShaleVectorStore(BasePydanticVectorStore):
    """Nodes in a :class:`shale.Collection`, searched by their embeddings.

    Args:
        path: of a directory that holds the store: what is written is kept there at once, and one process at a time has
            it open. Without it the store is temporary, until :meth:`persist`.
        metric: ``"cosine"``, which is the default, ``"l2"`` or ``"ip"``.
        settings: further ones of :class:`shale.Vector`: ``codes``, ``rows``, ``m`` and ``ef_construction``.

    Similarities are the cosine, 1 / (1 + squared distance) for l2, or the inner product. ``query`` takes the settings
    of :meth:`shale.Collection.query`, ``ef``, ``exact`` and ``max_distance``. The collection's indexes of metadata
    answer filters of strings and numbers; filters of the order or the parts of strings look at the nodes.
    """

    stores_text: bool = True
    flat_metadata: bool = False
    metric: str = "cosine"
    settings: dict[str, Any] = Field(default_factory=dict)

    _store: Store = PrivateAttr()

    def __init__(
        self,
        *,
        path: Optional[Path] = None,
        metric: Optional[str] = None,
        settings: Optional[dict[str, Any]] = None,
        **kwargs: Any,
    ) -> None:
        store = Store(metric, settings or {}, path)
        kwargs.update(metric=store.metric, settings=store.settings)
        super().__init__(**kwargs)
        self._store = store

    @classmethod
    def _of(cls, store: Store) -> ShaleVectorStore:
        new = cls(metric=store.metric, settings=store.settings)
        new._store = store
        return new

    def __getstate__(self) -> dict[str, Any]:
        """The whole state: LlamaIndex's own leaves out in silence what can't be pickled."""
        return self._store.__getstate__()

    def __setstate__(self, state: dict[str, Any]) -> None:
        ShaleVectorStore.__init__(self, metric=state["metric"], settings=state["settings"])
        self._store.__setstate__(state)

    def __copy__(self) -> ShaleVectorStore:
        """A store of its own: a change of one doesn't change the other."""
        return self._of(copy.copy(self._store))

    def __deepcopy__(self, memo: Optional[dict[int, Any]] = None) -> ShaleVectorStore:
        return self.__copy__()

    @classmethod
    def class_name(cls) -> str:
        return "ShaleVectorStore"

    @property
    def client(self) -> Optional[Collection]:
        """The collection; None before the first nodes."""
        return self._store.collection

    def close(self) -> None:
        """Ends the use of the store. A temporary one is removed, as it is when nothing refers to it any more."""
        self._store.close()

    def add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """Adds nodes with their embeddings; those with an id that is there already take its place."""
        _refuse("add", kwargs)
        ids = [node.node_id for node in nodes]
        for node in nodes:
            _metadata.checked(node.metadata, node.node_id, plain=True)
        texts = [node.get_content(metadata_mode=MetadataMode.NONE) for node in nodes]
        metadata = [node_to_metadata_dict(node, remove_text=False, flat_metadata=self.flat_metadata) for node in nodes]
        self._store.add(ids, texts, metadata, [node.get_embedding() for node in nodes])
        return ids

    async def async_add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        return await asyncio.to_thread(self.add, nodes, **kwargs)

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Deletes the nodes of a document."""
        _refuse("delete", delete_kwargs)
        _metadata.text(ref_doc_id, "ref_doc_id")
        self._store.delete_where(_node_filter.of_documents([ref_doc_id]))

    async def adelete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        await asyncio.to_thread(self.delete, ref_doc_id, **delete_kwargs)

    def delete_nodes(
        self, node_ids: Optional[list[str]] = None, filters: Optional[MetadataFilters] = None, **delete_kwargs: Any
    ) -> None:
        """Deletes the nodes that have these ids and match the filters."""
        _refuse("delete_nodes", delete_kwargs)
        if node_ids is None:
            self._store.delete_where(_node_filter.where(filters))
        else:
            self._store.delete([record.id for record in self._matching(node_ids, filters)])

    async def adelete_nodes(
        self, node_ids: Optional[list[str]] = None, filters: Optional[MetadataFilters] = None, **delete_kwargs: Any
    ) -> None:
        await asyncio.to_thread(self.delete_nodes, node_ids, filters, **delete_kwargs)

    def clear(self) -> None:
        """Deletes all nodes."""
        self._store.clear()

    def compact(self) -> None:
        """Gives back the room of deleted nodes, which happens by itself, bit by bit."""
        self._store.compact()

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
        mmr = query.mode == VectorStoreQueryMode.MMR
        settings = {name: kwargs[name] for name in _SETTINGS if name in kwargs}
        found = self._store.search(vector, k, _where(query), vectors=mmr, **settings)
        if mmr:
            threshold = query.mmr_threshold if query.mmr_threshold is not None else kwargs.get("mmr_threshold", 0.5)
            found = diverse(vector, found, query.similarity_top_k, threshold)
        return self._result(found)

    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        return await asyncio.to_thread(self.query, query, **kwargs)

    def persist(self, persist_path: str, fs: Optional[fsspec.AbstractFileSystem] = None) -> None:
        """Writes nodes and vectors to a directory; what was there stays until all is written.

        Raises:
            ValueError: fs isn't the local file system.
        """
        _local(fs)
        self._store.save(persist_path)

    @classmethod
    def from_persist_path(cls, persist_path: str, fs: Optional[fsspec.AbstractFileSystem] = None) -> ShaleVectorStore:
        """A temporary store of what :meth:`persist` wrote, which stays as it is. To work on what is there, give
        ``path`` to the class."""
        _local(fs)
        return cls._of(Store.load(persist_path))

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
        ids, where = _ids(node_ids), _node_filter.where(filters)
        if ids is None:
            return list(self._store.records(where))
        return [record for record in self._store.get(dict.fromkeys(ids)) if where.judge(record)]

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

    def _result(self, found: list[Found]) -> VectorStoreQueryResult:
        return VectorStoreQueryResult(
            nodes=[_node(one.record) for one in found],
            similarities=[self._similarity(one.distance) for one in found],
            ids=[one.record.id for one in found],
        )

    def _similarity(self, distance: float) -> float:
        return 1 / (1 + distance) if self.metric == "l2" else 1 - distance


def _refuse(call: str, kwargs: dict[str, Any]) -> None:
    if kwargs:
        raise TypeError(f"{call}() got an unexpected keyword argument {next(iter(kwargs))!r}")


def _ids(given: Any) -> Optional[list[str]]:
    """Ids, one or many; None stays None."""
    return [given] if isinstance(given, str) else None if given is None else list(given)


def _where(query: VectorStoreQuery) -> Optional[Where]:
    """Which nodes a query may find. Empty lists of ids, as retrievers give them, ask for all."""
    parts = []
    if query.node_ids:
        parts.append(_node_filter.of_nodes(_ids(query.node_ids) or []))
    if query.doc_ids:
        parts.append(_node_filter.of_documents(_ids(query.doc_ids) or []))
    if query.filters is not None:
        parts.append(_node_filter.where(query.filters))
    return _conditions.both(parts) if parts else None


def _node(record: Record) -> BaseNode:
    return metadata_dict_to_node(record.metadata)


def _local(fs: Optional[fsspec.AbstractFileSystem]) -> None:
    if fs is not None and not isinstance(fs, LocalFileSystem):
        raise ValueError(f"an index can be written to the local file system only, not to {type(fs).__name__}")
