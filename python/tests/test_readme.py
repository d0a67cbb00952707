import ast
import asyncio
import inspect
import pathlib
import re

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[2]


def snippets(path, heading):
    """The Python in a section of a README."""
    (section,) = [
        part for part in re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.M) if part.startswith(heading)
    ]
    found = re.findall(r"```python\n(.*?)```", section, flags=re.S)
    assert found
    return found


def run(code, names):
    done = eval(compile(code, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    if inspect.iscoroutine(done):
        asyncio.run(done)


@pytest.mark.parametrize(
    "path, heading", [("python/README.md", "The package itself"), ("README.md", "Python in five minutes")]
)
def test_what_the_readme_shows_works(path, heading, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    vectors = np.load(ROOT / "internal/wordnet/wordnet-10k-minilm384.fp16.npy")[:4000]
    np.save("vectors.npy", vectors)
    names = {
        "vectors": vectors, "embeddings": vectors[:3], "embedding": vectors[0],
        "queries": vectors[:50].astype(np.float32), "mask": np.arange(4000) < 2000,
    }  # fmt: skip
    for code in snippets(ROOT / path, heading):
        run(code, names)
    names["index"].close()
    assert names["labels"].shape == names["distances"].shape == (50, 10) and names["labels"][:, 0].tolist() == list(
        range(50)
    )


@pytest.mark.parametrize(
    "path, heading, dim", [("README.md", "In place of hnswlib", 384), ("python/README.md", "What is there", 128)]
)
def test_what_the_readme_shows_of_the_stand_in_works(path, heading, dim, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = np.random.default_rng(1).random((1000, dim), np.float32)
    np.save("rows.npy", rows)
    names = {"np": np, "rows": rows, "ids": np.arange(1000), "queries": rows[:50]}
    for code in snippets(ROOT / path, heading):
        run(code, names)
    assert names["labels"].shape == names["distances"].shape == (50, 10) and names["labels"][:, 0].tolist() == list(
        range(50)
    )
