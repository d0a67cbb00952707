"""setuptools' build backend; a C compiler is asked for from PyPI where the machine has none, and an sdist takes the Go
sources along."""

import contextlib
import os
import shutil
import subprocess

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403  a backend has the functions of PEP 517 and 660

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _compiler():
    """The package of a C compiler, if one is needed."""
    if os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang"):
        return []
    return ["ziglang>=0.13"]


def get_requires_for_build_wheel(config_settings=None):
    return build_meta.get_requires_for_build_wheel(config_settings) + _compiler()


def get_requires_for_build_editable(config_settings=None):
    return build_meta.get_requires_for_build_editable(config_settings) + _compiler()


def build_sdist(sdist_directory, config_settings=None):
    with _go_sources():
        return build_meta.build_sdist(sdist_directory, config_settings)


@contextlib.contextmanager
def _go_sources():
    """The sources that the library is built from, in the folder go for as long as an sdist is made."""
    root, copy = os.path.dirname(HERE), os.path.join(HERE, "go")
    if os.path.exists(copy):  # this is an unpacked sdist
        yield
        return
    try:
        for folder in _packages(root):
            target = os.path.join(copy, os.path.relpath(folder, root))
            os.makedirs(target, exist_ok=True)
            for name in os.listdir(folder):
                if name.endswith((".go", ".s", ".c", ".h")) and not name.endswith("_test.go"):
                    shutil.copy2(os.path.join(folder, name), target)
        for name in ("go.mod", "go.sum"):
            shutil.copy2(os.path.join(root, name), copy)
        yield
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def _packages(root):
    """The folders of the packages of this module that the library is made of."""
    listed = subprocess.run(
        ["go", "list", "-deps", "-f", "{{if not .Standard}}{{if .Module.Main}}{{.Dir}}{{end}}{{end}}", "./capi"],
        cwd=root, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return listed.stdout.split()
