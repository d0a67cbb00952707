import asyncio
import os

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_tests.integration_tests.vectorstores import VectorStoreIntegrationTests

import shale
from shale.langchain import ShaleVectorStore

EMBEDDING = DeterministicFakeEmbedding(size=32)
TEXTS = [f"text {i}" for i in range(60)]


class TestContractOfLangChain(VectorStoreIntegrationTests):
    @pytest.fixture(params=["cosine", "l2"])
    def vectorstore(self, request):
        return ShaleVectorStore(self.get_embeddings(), metric=request.param)


@pytest.fixture
def store():
    return ShaleVectorStore.from_texts(TEXTS, EMBEDDING, [{"n": i, "even": i % 2 == 0} for i in range(60)], ids=TEXTS)


def test_scores_are_distances_of_the_nearest_by_comparing_all(store):
    found = store.similarity_search_with_score("text 5", k=6)
    vectors = np.array(EMBEDDING.embed_documents(TEXTS))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    distances = 1 - vectors @ vectors[5]
    order = np.argsort(distances)[:6]
    assert [document.id for document, _ in found] == [TEXTS[i] for i in order]
    np.testing.assert_allclose([score for _, score in found], distances[order], atol=2e-3)
    assert found[0][0] == Document(id="text 5", page_content="text 5", metadata={"n": 5, "even": False})
    relevance = store.similarity_search_with_relevance_scores("text 5", k=6)
    assert [score for _, score in relevance] == sorted((score for _, score in relevance), reverse=True)
    assert all(0 <= score <= 1 for _, score in relevance)


@pytest.mark.parametrize("filter", [{"even": True}, lambda document: document.metadata["even"]])
def test_filters_by_metadata(store, filter):
    found = store.similarity_search("text 5", k=30, filter=filter)
    assert len(found) == 30 and all(document.metadata["even"] for document in found)
    assert [d.id for d in store.similarity_search("text 5", k=3, filter={"n": 7})] == ["text 7"]
    assert store.similarity_search("text 5", k=3, filter={"none": 7}) == []
    assert asyncio.run(store.asimilarity_search("text 5", k=30, filter=filter)) == found


def test_marginal_relevance_finds_what_is_near_and_apart(store):
    store.add_texts(["text 5"] * 3, ids=["a", "b", "c"])
    assert {d.id for d in store.similarity_search("text 5", k=4)} == {"text 5", "a", "b", "c"}
    apart = store.max_marginal_relevance_search("text 5", k=4, fetch_k=30)
    assert sum(d.page_content == "text 5" for d in apart) == 1 and len(apart) == 4
    assert asyncio.run(store.amax_marginal_relevance_search("text 5", k=4, fetch_k=30)) == apart
    near = store.max_marginal_relevance_search("text 5", k=4, fetch_k=30, lambda_mult=1)
    assert {d.page_content for d in near} == {"text 5"}


def test_survives_being_saved(store, tmp_path):
    store.delete(["text 3"])
    store.add_texts(["text 4"], [{"n": -1}], ids=["text 4"])
    for _ in range(2):  # the second takes the place of the first
        store.save(tmp_path / "store")
    loaded = ShaleVectorStore.load(tmp_path / "store", EMBEDDING)
    assert len(loaded) == 59 and loaded.get_by_ids(["text 3"]) == []
    for text in TEXTS[:10]:
        assert loaded.similarity_search_with_score(text, k=3) == store.similarity_search_with_score(text, k=3)
    loaded.add_texts(["new"], ids=["new"])
    assert loaded.similarity_search("new", k=1)[0].id == "new"
    assert sorted(os.listdir(tmp_path / "store")) == [".lock", "collection-2", "store.json"]


def test_an_empty_store_survives_being_saved(tmp_path):
    ShaleVectorStore(EMBEDDING, codes="fp32").save(tmp_path)
    loaded = ShaleVectorStore.load(tmp_path, EMBEDDING)
    assert len(loaded) == 0 and loaded.similarity_search("a", k=1) == []
    loaded.add_texts(["a"])
    assert loaded.collection.vectors[""].codes == "fp32"


def test_damage_is_refused(store, tmp_path):
    store.save(tmp_path)
    (table,) = (tmp_path / "collection-1" / "store").glob("*.sst")
    for file in (tmp_path / "store.json", table):
        whole = file.read_bytes()
        for damaged in (b"", whole[: len(whole) // 2], b"[]"):
            file.unlink()  # a table may be the file that the store itself uses
            file.write_bytes(damaged)
            with pytest.raises(shale.Error, match=file.name.replace(".", r"\.")):
                ShaleVectorStore.load(tmp_path, EMBEDDING)
        file.write_bytes(whole)
    assert len(ShaleVectorStore.load(tmp_path, EMBEDDING)) == 60
    with pytest.raises(FileNotFoundError):
        ShaleVectorStore.load(tmp_path / "none", EMBEDDING)


def test_a_store_at_a_path_keeps_what_is_written(tmp_path):
    store = ShaleVectorStore.from_texts(TEXTS, EMBEDDING, ids=TEXTS, path=tmp_path)
    store.delete(["text 3"])
    store.close()
    again = ShaleVectorStore(EMBEDDING, path=tmp_path)
    assert len(again) == 59 and again.similarity_search("text 4", k=1)[0].id == "text 4"


def test_delete_without_ids_empties_the_store(store):
    store.delete()
    assert len(store) == 0 and store.similarity_search("text 5", k=2) == []
    store.add_texts(["a"])
    assert len(store) == 1


def test_refuses_what_does_not_go_together(store):
    with pytest.raises(ValueError, match="ids"):
        store.add_texts(["a", "b"], ids=["a"])
    with pytest.raises(ValueError, match="metadata"):
        store.add_texts(["a", "b"], [{}])
    assert len(store) == 60


OPERATORS = {
    "$eq": ({"n": {"$eq": 7}}, lambda n: n == 7),
    "$ne": ({"n": {"$ne": 7}}, lambda n: n != 7),
    "$gt": ({"n": {"$gt": 50}}, lambda n: n > 50),
    "$gte": ({"n": {"$gte": 50}}, lambda n: n >= 50),
    "$lt": ({"n": {"$lt": 5}}, lambda n: n < 5),
    "$lte": ({"n": {"$lte": 5}}, lambda n: n <= 5),
    "$in": ({"n": {"$in": [1, 2, 99]}}, lambda n: n in (1, 2)),
    "$nin": ({"n": {"$nin": [1, 2, 99]}}, lambda n: n not in (1, 2)),
    "$exists": ({"odd": {"$exists": False}}, lambda n: True),
    "a range": ({"n": {"$gte": 5, "$lt": 8}}, lambda n: 5 <= n < 8),
    "$not of an operator": ({"n": {"$not": {"$gt": 3}}}, lambda n: n <= 3),
    "$and": ({"$and": [{"even": True}, {"n": {"$lt": 10}}]}, lambda n: n % 2 == 0 and n < 10),
    "$or": ({"$or": [{"n": 1}, {"n": {"$gt": 57}}]}, lambda n: n == 1 or n > 57),
    "$nor": ({"$nor": [{"even": True}, {"n": {"$gt": 9}}]}, lambda n: n % 2 and n <= 9),
    "$not": ({"$not": {"even": True}}, lambda n: n % 2),
    "two keys": ({"even": True, "n": {"$lt": 6}}, lambda n: n % 2 == 0 and n < 6),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_of_filters(store, name):
    filter, wanted = OPERATORS[name]
    want = {f"text {n}" for n in range(60) if wanted(n)}
    assert {d.id for d in store.similarity_search("text 5", k=60, filter=filter)} == want


@pytest.mark.parametrize(
    "filter", [{"n": {"$near": 7}}, {"$xor": [{"n": 1}]}, {"$and": {"n": 1}}, {"n": {"$in": 7}}, ["n"], "n"]
)
def test_filters_that_mean_nothing_are_refused(store, filter):
    with pytest.raises((ValueError, TypeError)):
        store.similarity_search("text 5", k=3, filter=filter)


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.add_texts(["a"], batch_size=3),
        lambda store: store.delete(["text 1"], soft=True),
        lambda store: store.similarity_search("text 5", filters={"n": 1}),
        lambda store: store.max_marginal_relevance_search("text 5", lambda_=0.5),
        lambda store: asyncio.run(store.asimilarity_search("text 5", nprobe=3)),
        lambda store: ShaleVectorStore(EMBEDDING, ef=30),
    ],
)
def test_unknown_keywords_are_refused(store, call):
    with pytest.raises(TypeError):
        call(store)
    assert len(store) == 60
