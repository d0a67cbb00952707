"""The plots."""

import pytest
from test_table import results

plots = pytest.importorskip("sidebyside.plots", exc_type=ImportError)


def test_every_plot_is_drawn(tmp_path):
    drawn = plots.draw(results(), tmp_path)
    assert [p.name for p in drawn] == ["qps.png", "build.png", "memory.png", "bytes.png"]
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in drawn)
