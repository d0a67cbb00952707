"""Who imports whom: no circles, and nothing below imports what is above it."""

import ast
import graphlib
import pathlib

import pytest

import shale

ROOT = pathlib.Path(shale.__file__).parent
FILES = {
    ".".join(("shale", *path.relative_to(ROOT).with_suffix("").parts)).replace(".__init__", ""): path
    for path in ROOT.rglob("*.py")
}
MODULES = set(FILES)
#: Packages, the lowest first: each may import from itself and from those before it.
LAYERS = ["shale._core", "shale._api", "shale.integrations"]


def imported(module):
    """The modules of the package that a module names in imports, wherever they stand in it."""
    found = set()
    for node in ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            for alias in node.names:
                within = f"{node.module}.{alias.name}"
                found.add(within if within in MODULES else node.module)
    return found & MODULES


GRAPH = {module: imported(module) for module in MODULES}


def circle(graph):
    """A circle in a graph, if there is one."""
    try:
        list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        return error.args[1]
    return None


def test_no_module_imports_itself_by_way_of_others():
    assert len(GRAPH) > 20 and sum(map(len, GRAPH.values())) > 50
    assert circle(GRAPH) is None


def test_a_circle_is_found():
    assert circle({**GRAPH, "shale._core.prototypes": {"shale._api.index"}})


@pytest.mark.parametrize("layer", LAYERS)
def test_packages_import_only_what_lies_below(layer):
    allowed = tuple(LAYERS[: LAYERS.index(layer) + 1])
    for module, imports in GRAPH.items():
        if module.startswith(layer):
            assert {one for one in imports if not one.startswith(allowed)} <= {"shale._version"}, module


def test_the_stand_in_is_made_of_the_core_alone():
    for module, imports in GRAPH.items():
        if module.startswith("shale.hnswlib"):
            assert all(one.startswith(("shale._core", "shale.hnswlib")) for one in imports), module


def test_public_modules_hold_what_is_named():
    public = {module for module in MODULES if not any(part.startswith("_") for part in module.split("."))}
    assert public == {"shale", "shale.hnswlib", "shale.langchain", "shale.llama_index", "shale.sklearn"} | {
        f"shale.integrations{rest}" for rest in ("", ".langchain", ".llama_index", ".sklearn")
    }
    assert {name for name in dir(shale) if not name.startswith("_")} - set(shale.__all__) <= {
        module.split(".")[1] for module in MODULES - {"shale"}
    }
