"""Exceptions at any instruction of Python: Ctrl-C, a signal's handler, a trace function, the end of the interpreter."""

import os
import subprocess
import sys
import textwrap

import pytest

#: How many calls are broken off; set SHALE_INTERRUPTS to more.
COUNT = int(os.environ.get("SHALE_INTERRUPTS", 1500))
FOLDER = os.path.dirname(os.path.abspath(__file__))


def run(*arguments, timeout=60):
    env = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "16384"}  # freed memory is gone at once
    command = [sys.executable, "-X", "faulthandler", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=env, cwd=FOLDER)


def test_a_call_happens_or_raises():
    done = run("interrupts.py", str(COUNT), "1", timeout=60 + COUNT)
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]


@pytest.mark.parametrize(
    "call",
    [
        "index.add_items(rows[:2000])", "index.knn_query(rows, k=5)",
        "index.knn_query(rows[:500], filter=lambda label: True)",
        "shale.build(rows, metric='l2')",
    ],
)  # fmt: skip
def test_the_interpreter_ends_while_a_thread_works(call):
    code = f"""
        import threading
        import numpy as np
        import shale
        from shale import hnswlib
        rows = np.random.default_rng(1).standard_normal((4000, 64)).astype(np.float32)
        index = hnswlib.Index("l2", 64)
        index.init_index(len(rows))
        index.add_items(rows[:1000])
        begun = threading.Event()
        def work():
            begun.set()
            while True:
                {call}
        for _ in range(3):
            threading.Thread(target=work, daemon=True).start()
        begun.wait()
    """
    for _ in range(3):
        done = run("-c", textwrap.dedent(code))
        assert done.returncode == 0 and done.stderr == "", done.stderr
