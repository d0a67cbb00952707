"""The package on systems without what Linux has: no limits of address space, no fork, no files in memory."""

import subprocess
import sys
import textwrap

import pytest

from shale._core import library

#: Takes away what Windows lacks, before anything is imported that looks for it.
BARE = """
    import os, signal, sys
    sys.modules["resource"] = None
    lacking = (os, "fork"), (os, "register_at_fork"), (os, "memfd_create"), (signal, "pthread_sigmask")
    for module, name in lacking:
        if hasattr(module, name):
            delattr(module, name)
"""


def bare(code):
    """What code prints in a process without what Windows lacks."""
    code = textwrap.dedent(BARE) + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_works_with_what_windows_has():
    found = bare("""
        import numpy as np
        import shale
        rows = np.random.default_rng(1).standard_normal((500, 16)).astype(np.float32)
        index = shale.build(rows, metric="l2")
        print((index.search(rows, 3).labels[:, 0] == np.arange(500)).all(), len(index))
    """)
    assert found == ["True", "500"]


@pytest.mark.unix
def test_a_fresh_copy_of_the_library_leaves_no_file(tmp_path):
    found = bare(f"""
        import tempfile
        tempfile.tempdir = {str(tmp_path)!r}
        from ctypes import byref, c_int64
        from shale._core import library
        fresh, progress = library.fresh(), c_int64()
        print(fresh.progress_new(byref(progress)), progress.value, library.lib is fresh)
    """)
    assert found == ["0", "1", "False"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "platform, name", [("linux", "_libshale.so"), ("darwin", "_libshale.so"), ("win32", "_libshale.dll")]
)
def test_the_library_has_the_name_that_its_system_wants(platform, name):
    assert library._name(platform) == name
