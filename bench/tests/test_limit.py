"""Which reads the machine's limit is measured with."""

import json
import subprocess
from types import SimpleNamespace

from sidebyside import limit


def test_each_index_has_its_own_reads(monkeypatch):
    asked = []

    def run(command, **_):
        asked.append((command[command.index("-mib") + 1], command[command.index("-blocks") + 1]))
        return SimpleNamespace(stdout=json.dumps({"figures": []}))

    monkeypatch.setattr(subprocess, "run", run)
    engines = [
        {"name": "hnswlib", "build": {"seconds": 1.0}},
        {"name": "Shale fp32", "build": {"keep": "fp32", "rows": 2**20, "code_bytes": 0}},
        {"name": "Shale auto", "build": {"keep": "fp16", "rows": 2**20, "code_bytes": 2**26}},
        {"name": "Shale sq8", "build": {"keep": "sq8", "rows": 2**20, "code_bytes": 2**26}},
        {"name": "Shale none", "build": {"keep": "none", "rows": 2**20, "code_bytes": 2**26}},
        {"name": "Shale rabitq9", "build": {}},
    ]
    found = limit.measure(100, engines)
    walked = ("192", "64,128")
    assert asked == [("528", "128,400"), walked, ("200", "200"), walked, ("104", "104"), walked]
    assert list(found) == ["Shale fp32", "Shale auto", "Shale sq8", "Shale none"]
    assert found["Shale none"] == {"figures": [], "code_bytes": 64, "row_bytes": 0}
    assert found["Shale fp32"] == {"figures": [], "row_bytes": 400}
    assert found["Shale auto"] == {"figures": [], "code_bytes": 64, "row_bytes": 200, "row_figures": []}


def test_what_cannot_be_measured_is_told(monkeypatch):
    def run(command, **_):
        raise subprocess.CalledProcessError(1, command, stderr="no go here")

    monkeypatch.setattr(subprocess, "run", run)
    engines = [{"name": "Shale fp32", "build": {"keep": "fp32", "rows": 10}}]
    assert limit.measure(100, engines) == {"error": "no go here"}
