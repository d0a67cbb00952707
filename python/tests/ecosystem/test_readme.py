import pathlib
import re

import numpy as np
from langchain_core.embeddings import DeterministicFakeEmbedding
from llama_index.core.embeddings.mock_embed_model import MockEmbedding
from llama_index.core.schema import TextNode

README = pathlib.Path(__file__).parents[2] / "README.md"


def test_what_the_readme_shows_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (section,) = [
        part
        for part in re.split(r"^## ", README.read_text(encoding="utf-8"), flags=re.M)
        if part.startswith("With other")
    ]
    texts = [f"text {i}" for i in range(20)]
    names = {
        "vectors": np.random.default_rng(1).standard_normal((500, 16)), "texts": texts,
        "embedding": DeterministicFakeEmbedding(size=16), "embed_model": MockEmbedding(embed_dim=16),
        "nodes": [TextNode(text=text) for text in texts],
    }  # fmt: skip
    codes = re.findall(r"```python\n(.*?)```", section, flags=re.S)
    assert len(codes) == 3
    for code in codes:
        exec(compile(code, "README.md", "exec"), names)
        if "langchain" in code:
            assert len(names["store"]) == 20
    assert names["clusters"].shape == (500,) and len(names["store"].get_nodes()) == 20
