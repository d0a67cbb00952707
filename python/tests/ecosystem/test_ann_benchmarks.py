import importlib.util
import itertools
import pathlib
import sys
import types

import numpy as np
import pytest
import yaml

FOLDER = pathlib.Path(__file__).parents[3] / "bench" / "ann_benchmarks" / "shale"
ROWS = np.random.default_rng(2).standard_normal((800, 20))


@pytest.fixture
def module(monkeypatch):
    """The module as ann-benchmarks imports it, over a base class of that contract."""

    class BaseANN:
        def get_batch_results(self):
            return self.res

        def __str__(self):
            return self.name

    packages = (
        "ann_benchmarks",
        "ann_benchmarks.algorithms",
        "ann_benchmarks.algorithms.base",
        "ann_benchmarks.algorithms.base.module",
    )
    for name in (*packages, "ann_benchmarks.algorithms.shale"):
        package = types.ModuleType(name)
        package.__path__ = []
        monkeypatch.setitem(sys.modules, name, package)
    sys.modules[packages[-1]].BaseANN = BaseANN
    spec = importlib.util.spec_from_file_location("ann_benchmarks.algorithms.shale.module", FOLDER / "module.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def combinations(settings):
    """A dict for each choice of what stands in lists."""
    choices = [value if isinstance(value, list) else [value] for value in settings.values()]
    return [dict(zip(settings, chosen)) for chosen in itertools.product(*choices)]


@pytest.mark.parametrize("metric", ["angular", "euclidean"])
def test_every_run_of_the_configuration_finds_neighbours(module, metric):
    (algorithm,) = yaml.safe_load((FOLDER / "config.yml").read_text())["float"]["any"]
    assert algorithm["base_args"] == ["@metric"] and algorithm["module"] == "ann_benchmarks.algorithms.shale"
    rows = ROWS / np.linalg.norm(ROWS, axis=1, keepdims=True) if metric == "angular" else ROWS
    true = np.argsort(((rows[:20, None] - rows[None]) ** 2).sum(axis=2), axis=1)[:, :10]
    names = set()
    for group in algorithm["run_groups"].values():
        (settings,) = group["arg_groups"]
        for chosen in combinations(settings):
            one = getattr(module, algorithm["constructor"])(metric, chosen)
            one.fit(ROWS.astype(np.float32))
            assert one.get_memory_usage() > 50
            for arguments in (
                [values[0] for values in group["query_args"]],
                [values[-1] for values in group["query_args"]],
            ):
                one.set_query_arguments(*arguments)
                names.add(str(one))
                one.batch_query(ROWS[:20], 10)
                single = np.array([one.query(q, 10) for q in ROWS[:20]])
                found = np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(single, true)])
                assert np.array_equal(single, one.get_batch_results()) and found > (
                    0.97 if arguments[0] >= 800 and chosen["m"] >= 16 else 0.5
                )
            one.done()
    assert len(names) == 2 * 11
