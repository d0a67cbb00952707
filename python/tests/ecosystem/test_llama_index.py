import asyncio
import random

import numpy as np
import pytest
from llama_index.core import StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.embeddings.mock_embed_model import MockEmbedding
from llama_index.core.schema import ImageNode, NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)
from llama_index.core.vector_stores.utils import build_metadata_filter_fn

import shale
from shale.llama_index import ShaleVectorStore

DIM = 16
VECTORS = np.random.default_rng(5).standard_normal((60, DIM))


def node(i, **metadata):
    return TextNode(
        id_=f"node {i}", text=f"text {i}", embedding=VECTORS[i].tolist(),
        metadata={"n": i, "kind": "ab"[i % 2], **metadata},
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"document {i // 10}")},
    )  # fmt: skip


@pytest.fixture
def store():
    store = ShaleVectorStore()
    assert store.add([node(i) for i in range(60)]) == [f"node {i}" for i in range(60)]
    return store


def ask(i, k=3, **settings):
    return VectorStoreQuery(query_embedding=VECTORS[i].tolist(), similarity_top_k=k, **settings)


def where(*conditions, condition=FilterCondition.AND):
    return MetadataFilters(
        filters=[MetadataFilter(key=k, operator=o, value=v) for k, o, v in conditions], condition=condition
    )


def test_is_a_vector_store_that_keeps_text(store):
    assert isinstance(store, BasePydanticVectorStore) and store.stores_text and store.is_embedding_query
    assert store.class_name() == "ShaleVectorStore" and isinstance(store.client, shale.Collection)
    assert ShaleVectorStore().client is None and ShaleVectorStore().query(ask(0)).ids == []


@pytest.mark.parametrize("metric", ["cosine", "ip", "l2"])
def test_finds_the_most_similar_nodes(metric):
    store = ShaleVectorStore(metric=metric, settings={"codes": "fp32"})
    store.add([node(i) for i in range(60)])
    similarity = VECTORS @ VECTORS[7]
    if metric == "cosine":
        similarity = similarity / np.linalg.norm(VECTORS, axis=1) / np.linalg.norm(VECTORS[7])
    elif metric == "l2":
        similarity = 1 / (1 + ((VECTORS - VECTORS[7]) ** 2).sum(axis=1))
    order = np.argsort(-similarity)[:6]
    found = store.query(ask(7, 6))
    assert found.ids == [f"node {i}" for i in order] == [n.node_id for n in found.nodes]
    np.testing.assert_allclose(found.similarities, similarity[order], rtol=1e-4, atol=1e-5)
    assert asyncio.run(store.aquery(ask(7, 6))) == found


def test_gives_nodes_as_they_were_added(store):
    (got,) = store.query(ask(3, 1)).nodes
    want = node(3)
    want.embedding = None
    assert got == want and got.ref_doc_id == "document 0"
    assert store.get_nodes(["node 3", "none"]) == [want]
    image = ImageNode(id_="image", image="aGk=", embedding=VECTORS[0].tolist())
    store.add([image])
    (got,) = store.get_nodes(["image"])
    assert isinstance(got, ImageNode) and got.image == "aGk="


@pytest.mark.parametrize(
    "filters, want",
    [
        (where(("n", FilterOperator.EQ, 5)), lambda i: i == 5),
        (where(("n", FilterOperator.LT, 9), ("kind", FilterOperator.EQ, "a")), lambda i: i < 9 and i % 2 == 0),
        (
            where(("n", FilterOperator.LT, 3), ("n", FilterOperator.GTE, 57), condition=FilterCondition.OR),
            lambda i: i < 3 or i > 56,
        ),
        (where(("n", FilterOperator.IN, [4, 8])), lambda i: i in (4, 8)),
        (where(("kind", FilterOperator.NE, "a")), lambda i: i % 2 == 1),
        (
            where(("n", FilterOperator.LT, 50), ("kind", FilterOperator.EQ, "a"), condition=FilterCondition.NOT),
            lambda i: i > 49 and i % 2,
        ),
        (
            MetadataFilters(filters=[where(("n", FilterOperator.GT, 50)), where(("kind", FilterOperator.EQ, "b"))]),
            lambda i: i > 50 and i % 2,
        ),
    ],
)
def test_filters_by_metadata(store, filters, want):
    expected = {f"node {i}" for i in range(60) if want(i)}
    assert set(store.query(ask(7, 60, filters=filters)).ids) == expected
    assert {n.node_id for n in store.get_nodes(filters=filters)} == expected
    assert set(asyncio.run(store.aquery(ask(7, 60, filters=filters))).ids) == expected


def test_filters_by_nodes_and_documents(store):
    assert set(store.query(ask(7, 9, node_ids=["node 1", "node 2"])).ids) == {"node 1", "node 2"}
    assert set(store.query(ask(7, 60, doc_ids=["document 2"])).ids) == {f"node {i}" for i in range(20, 30)}
    assert len(store.query(ask(7, 60, doc_ids=[], node_ids=[])).ids) == 60  # as retrievers ask for all


def test_marginal_relevance_finds_nodes_that_differ(store):
    same = [TextNode(id_=f"same {i}", text="same", embedding=VECTORS[7].tolist()) for i in range(3)]
    store.add(same)
    found = store.query(ask(7, 4, mode=VectorStoreQueryMode.MMR))
    assert len(found.ids) == 4 and sum(name == "node 7" or name.startswith("same") for name in found.ids) == 1
    near = store.query(ask(7, 4, mode=VectorStoreQueryMode.MMR, mmr_threshold=1.0))
    assert set(near.ids) == {"node 7", "same 0", "same 1", "same 2"}


def test_refuses_other_modes_and_queries_without_embedding(store):
    with pytest.raises(ValueError, match="hybrid"):
        store.query(ask(7, mode=VectorStoreQueryMode.HYBRID))
    with pytest.raises(ValueError, match="embedding"):
        store.query(VectorStoreQuery(query_str="text"))


def test_deletes_by_document_node_and_filter(store):
    store.delete("document 0")
    store.delete_nodes(["node 10", "none"])
    store.delete_nodes(filters=where(("n", FilterOperator.GT, 50)))
    store.delete_nodes(["node 12", "node 13"], where(("kind", FilterOperator.EQ, "a")))
    left = {n.node_id for n in store.get_nodes()}
    assert left == {f"node {i}" for i in range(11, 51) if i != 12}
    assert set(store.query(ask(7, 60)).ids) == left
    store.clear()
    assert store.get_nodes() == [] and store.query(ask(7)).ids == []


def test_asynchronous_calls_do_the_same(store):
    async def calls():
        await store.adelete("document 0")
        await store.adelete_nodes(["node 10"])
        await store.async_add([node(0)])
        left = await store.aget_nodes()
        await store.aclear()
        return left

    assert {n.node_id for n in asyncio.run(calls())} == {"node 0", *(f"node {i}" for i in range(11, 60))}
    assert store.get_nodes() == []


def test_a_node_that_is_added_again_takes_its_place(store):
    again = node(3, extra=1)
    again.embedding = VECTORS[40].tolist()
    store.add([again])
    assert len(store.get_nodes()) == 60 and store.get_nodes(["node 3"])[0].metadata["extra"] == 1
    assert set(store.query(ask(40, 2)).ids) == {"node 3", "node 40"}


def test_survives_being_persisted(store, tmp_path):
    store.persist(str(tmp_path / "store"))
    loaded = ShaleVectorStore.from_persist_path(str(tmp_path / "store"))
    for i in range(10):
        assert loaded.query(ask(i)) == store.query(ask(i))
    with pytest.raises(ValueError, match="local"):
        import fsspec

        store.persist(str(tmp_path / "store"), fsspec.filesystem("memory"))


def test_serves_an_index_of_llama_index(tmp_path):
    embedding = MockEmbedding(embed_dim=DIM)
    store = ShaleVectorStore()
    index = VectorStoreIndex(
        [TextNode(id_=f"node {i}", text=f"text {i}") for i in range(5)], embed_model=embedding,
        storage_context=StorageContext.from_defaults(vector_store=store),
    )  # fmt: skip
    assert len(index.as_retriever(similarity_top_k=3).retrieve("text")) == 3
    index.storage_context.persist(str(tmp_path))
    again = StorageContext.from_defaults(
        persist_dir=str(tmp_path), vector_store=ShaleVectorStore.from_persist_dir(str(tmp_path))
    )
    found = load_index_from_storage(again, embed_model=embedding).as_retriever(similarity_top_k=5).retrieve("text")
    assert {one.node.get_content() for one in found} == {f"text {i}" for i in range(5)}


NUMBERS = {
    "==": (7, lambda n: n == 7),
    "!=": (7, lambda n: n != 7),
    ">": (50, lambda n: n > 50),
    ">=": (50, lambda n: n >= 50),
    "<": (5, lambda n: n < 5),
    "<=": (5, lambda n: n <= 5),
    "in": ([1, 2, 99], lambda n: n in (1, 2)),
    "nin": ([1, 2, 99], lambda n: n not in (1, 2)),
}


@pytest.mark.parametrize("operator", NUMBERS)
def test_operators_of_filters(store, operator):
    value, wanted = NUMBERS[operator]
    want = {f"node {n}" for n in range(60) if wanted(n)}
    found = store.query(ask(3, 60, filters=where(("n", FilterOperator(operator), value))))
    assert set(found.ids) == want
    assert {one.node_id for one in store.get_nodes(filters=where(("n", FilterOperator(operator), value)))} == want


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.query(ask(0), nprobe=3),
        lambda store: store.query(ask(0), mmr_threshold=0.5),  # of mode mmr alone
        lambda store: store.add([], batch=3),
        lambda store: store.delete("document 1", soft=True),
        lambda store: store.delete_nodes(["node 1"], soft=True),
    ],
)
def test_unknown_keywords_are_refused(store, call):
    with pytest.raises(TypeError):
        call(store)
    assert len(store.get_nodes()) == 60


def test_fields_of_queries_for_other_stores_are_refused(store):
    with pytest.raises(ValueError, match="alpha"):
        store.query(ask(0, alpha=0.5))


def random_filters(rng, depth=0):
    values = [1, 2, 1.5, 0, "a", "ab", "", ["a", "b"], ["a"], [1, 2], [], None]
    parts = []
    for _ in range(rng.randint(1, 3)):
        if depth < 2 and rng.random() < 0.2:
            parts.append(random_filters(rng, depth + 1))
        else:
            operator = rng.choice(list(FilterOperator))
            parts.append(MetadataFilter(key=rng.choice("abc"), operator=operator, value=rng.choice(values)))
    return MetadataFilters(filters=parts, condition=rng.choice(list(FilterCondition)))


def judged(filters, metadata):
    """What LlamaIndex's own judgement of each condition comes to; a TypeError is no match."""
    results = []
    for one in filters.filters:
        if isinstance(one, MetadataFilters):
            results.append(judged(one, metadata))
            continue
        alone = build_metadata_filter_fn(lambda _: metadata, MetadataFilters(filters=[one]))
        results.append(bool(alone("")))
    if filters.condition == FilterCondition.NOT:
        return not any(results)
    return any(results) if filters.condition == FilterCondition.OR else all(results)


def test_filters_mean_what_llama_index_means():
    rng = random.Random(3)
    values = [None, True, 0, 1, 2.0, 1.5, "", "a", "ab", "b", [], ["a"], ["a", "b"], [1], [1.5, True]]
    metadata = [{key: rng.choice(values) for key in "abc" if rng.random() < 0.8} for _ in range(60)]
    store = ShaleVectorStore()
    store.add(
        [TextNode(id_=str(i), text="", embedding=VECTORS[i].tolist(), metadata=one) for i, one in enumerate(metadata)]
    )
    compared = some = 0
    while compared < 200:
        filters = random_filters(rng)
        try:
            want = {str(i) for i, one in enumerate(metadata) if judged(filters, one)}
        except TypeError:  # a comparison that Python doesn't have
            continue
        compared += 1
        some += 0 < len(want) < 60
        assert {one.node_id for one in store.get_nodes(filters=filters)} == want, filters
        assert set(store.query(ask(3, 60, filters=filters)).ids) == want, filters
    assert some > 80
