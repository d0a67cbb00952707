import pathlib

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = pathlib.Path(__file__).parents[2] / "notebooks"


@pytest.fixture(scope="module")
def tour():
    notebook = nbformat.read(NOTEBOOKS / "tour.ipynb", as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(NOTEBOOKS)}}).execute()
    return notebook


def output(notebook, source):
    """What the cell with a piece of source shows."""
    (cell,) = [cell for cell in notebook.cells if cell.cell_type == "code" and source in cell.source]
    return "".join(
        one.get("text") or one.get("data", {}).get("text/plain", "")
        for one in cell.outputs
        if one.get("name") != "stderr"
    )


def test_the_tour_shows_what_it_says(tour):
    assert "(10000, 384)" in output(tour, "vectors.shape")
    assert "rows=10000" in output(tour, "index.info()")
    nearest = output(tour, "def show").splitlines()
    assert len(nearest) == 5 and nearest[0].startswith(("0.000", "-0.000"))
    assert output(tour, "index.delete").endswith("10000")
    assert all(len(line) < 67 for line in output(tour, "mask =").splitlines())
    assert "problems=[]" in output(tour, "shale.verify")
    on_disk = output(tour, "divided =").splitlines()
    assert "disk" in on_disk[0] and on_disk[1].split("  ", 1)[1] == nearest[0].split("  ", 1)[1]
    assert float(output(tour, "recall = ").strip("np.float64()")) > 0.93
    assert len(output(tour, "asyncio.gather").splitlines()) == 9


def test_the_notebook_is_kept_without_outputs():
    notebook = nbformat.read(NOTEBOOKS / "tour.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells)
