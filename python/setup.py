"""Builds the shared library with Go and puts it into a wheel for this platform and every Python."""

import contextlib
import os
import shutil
import subprocess
import sys

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

HERE = os.path.dirname(os.path.abspath(__file__))
SYSTEM = os.environ.get("GOOS") or {"win32": "windows"}.get(sys.platform, sys.platform)
LIBRARIES = ("_libshale.so", "_libshale.dll")
LIBRARY = LIBRARIES[SYSTEM == "windows"]


def go_root():
    """The folder of the Go module: that of the clone, or the copy in an sdist."""
    for root in (os.path.join(HERE, "go"), os.path.dirname(HERE)):
        if os.path.exists(os.path.join(root, "capi", "shale.h")):
            return root
    raise SystemExit("the Go sources are missing: install from a clone of the repository, or from a complete sdist")


def environment():
    """cgo with the machine's C compiler or, where there is none, with that of the package ziglang."""
    env = {**os.environ, "CGO_ENABLED": "1"}
    if not env.get("CC") and not any(shutil.which(cc) for cc in ("cc", "gcc", "clang")):
        env["CC"] = f"{sys.executable} -m ziglang cc"
    return env


def build_library(target):
    if shutil.which("go") is None:
        raise SystemExit("the command go is missing: install Go, see https://go.dev/dl")
    command = [
        "go", "build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-s -w",
        "-tags=pebblegozstd",  # zstd in Go, whose C takes a minute to compile
        "-o", target, "./capi",
    ]  # fmt: skip
    subprocess.run(command, cwd=go_root(), env=environment(), check=True)
    header = os.path.splitext(target)[0] + ".h"
    if os.path.exists(header):  # Go writes one; capi/shale.h is the interface
        os.remove(header)


class BuildWithLibrary(build_py):
    def run(self):
        super().run()
        folder = os.path.join(HERE if self.editable_mode else os.path.abspath(self.build_lib), "shale", "_core")
        os.makedirs(folder, exist_ok=True)
        for name in LIBRARIES:  # an earlier build for another system may have left its own
            with contextlib.suppress(FileNotFoundError):
                os.remove(os.path.join(folder, name))
        build_library(os.path.join(folder, LIBRARY))


class PlatformDistribution(Distribution):
    def has_ext_modules(self):
        return True


class EveryPython(bdist_wheel):
    """The library is called through ctypes, so that one wheel serves every Python."""

    def get_tag(self):
        return "py3", "none", os.environ.get("SHALE_WHEEL_PLATFORM") or super().get_tag()[2]


setup(distclass=PlatformDistribution, cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": EveryPython})
