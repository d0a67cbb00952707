"""Builds wheels for Linux on x86-64 and arm64 that run with glibc 2.17 and later.

    pip install build ziglang auditwheel
    python build_wheels.py [folder]

Zig's C compiler links against the old glibc of the tag, for either architecture; auditwheel tests that the tag is
right.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
GLIBC = "2.17"
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def build(folder: pathlib.Path, machine: str) -> pathlib.Path:
    """The wheel for a machine, in folder."""
    env = {
        **os.environ,
        "GOOS": "linux",
        "GOARCH": MACHINES[machine],
        "CC": f"{sys.executable} -m ziglang cc -target {machine}-linux-gnu.{GLIBC}",
        "SHALE_WHEEL_PLATFORM": f"manylinux2014_{machine}",
    }
    with tempfile.TemporaryDirectory() as work:
        subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", work, str(HERE)], env=env, check=True)
        (wheel,) = pathlib.Path(work).glob("*.whl")
        return pathlib.Path(shutil.move(wheel, folder / wheel.name))


def main() -> None:
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "dist")
    folder.mkdir(parents=True, exist_ok=True)
    for machine in MACHINES:
        wheel = build(folder, machine)
        shown = subprocess.run([sys.executable, "-m", "auditwheel", "show", str(wheel)], capture_output=True, text=True)
        print(wheel, shown.stdout.strip() or shown.stderr.strip(), sep="\n")


if __name__ == "__main__":
    main()
