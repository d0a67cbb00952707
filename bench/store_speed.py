"""A vector store for LangChain of many documents: how long a search takes, with filters of metadata and without.

    pip install './python[langchain]'
    python bench/store_speed.py [--documents 100000] [--dim 384] [--path FOLDER]

Vectors are random; embedding them takes no time. With a path the store is kept, and used again by the next run. For
each filter it prints the median and the slowest in a hundred of 500 searches, one after another, and the processor time
of a search, which others on the machine don't change.
"""

import argparse
import time

import numpy as np
from langchain_core.embeddings import Embeddings
from shale.langchain import ShaleVectorStore

FILTERS = {
    "none": None,
    "a keyword of 0.5 %": {"kind": "kind 50"},
    "a number of 1 %": {"year": 1950},
    "half of them": {"new": True},
    "a range": {"year": {"$gte": 1980}},
    "two joined": {"new": True, "score": {"$lt": 1000}},
    "one of some": {"$or": [{"year": {"$in": [1901, 1902]}}, {"kind": "kind 7"}]},
    "all but some": {"kind": {"$ne": "kind 7"}},
    "a single one": {"source": "docs/777.txt"},
}
BATCH = 5000


class Given(Embeddings):
    """The rows whose numbers are the texts."""

    def __init__(self, rows):
        self.rows = rows

    def embed_documents(self, texts):
        return [self.rows[int(text)] for text in texts]

    def embed_query(self, text):
        return self.rows[int(text)]


def fill(store, count):
    for first in range(0, count, BATCH):
        numbers = range(first, min(first + BATCH, count))
        metadata = [
            {"kind": f"kind {i % 200}", "year": 1900 + i % 100, "new": i % 2 == 0, "score": i / 7,
             "source": f"docs/{i}.txt"}
            for i in numbers
        ]  # fmt: skip
        store.add_texts(list(map(str, numbers)), metadata, ids=[f"document {i}" for i in numbers])
    store.compact()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--path")
    o = parser.parse_args()
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((o.documents, o.dim), np.float32)
    store = ShaleVectorStore(Given(rows), path=o.path)
    if len(store) == 0:
        start = time.perf_counter()
        fill(store, o.documents)
        print(f"{len(store)} documents in {time.perf_counter() - start:.0f} s")
    queries = rng.standard_normal((500, o.dim), np.float32).tolist()
    for name, filter in FILTERS.items():
        times, before = [], time.process_time()
        for query in queries:
            start = time.perf_counter()
            store.similarity_search_by_vector(query, 4, filter=filter)
            times.append(1000 * (time.perf_counter() - start))
        processor = 1000 * (time.process_time() - before) / len(queries)
        median, slow = np.percentile(times, [50, 99])
        print(f"{name:20} median {median:6.2f} ms   99 % {slow:6.2f} ms   processor {processor:6.2f} ms")


if __name__ == "__main__":
    main()
