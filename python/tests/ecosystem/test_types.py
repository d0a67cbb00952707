import pathlib
import subprocess
import sys

import pytest

PYTHON = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize(
    "checker",
    [
        ["mypy"],
        ["mypy", "--strict", "tests/ecosystem/typed_use.py"],
        ["pyright"],
        ["pyright", "tests/ecosystem/typed_use.py"],
    ],
    ids=["mypy", "mypy of a program", "pyright", "pyright of a program"],
)
def test_types_are_in_order(checker):
    command = [sys.executable, "-m", *checker]
    if checker[0] == "pyright":
        command += ["--pythonpath", sys.executable]
    done = subprocess.run(command, cwd=PYTHON, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
