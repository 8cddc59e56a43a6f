"""Compares the versions of other libraries that pages name with the newest releases on the package index.

    python -m benchmarks.newest [--python-version 3.13]

Prints each page whose versions are older, and returns 1 if there is one. A page that names an old release beside the newest one is not stale.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.apart import ROOT

PACKAGES = {
    "JAX": "jax",
    "Keras": "keras",
    "NumPyro": "numpyro",
    "PyMC": "pymc",
    "PyTensor": "pytensor",
    "PyTorch": "torch",
    "TensorFlow": "tensorflow",
    "nutpie": "nutpie",
}
"""The names of libraries on pages, and those of their packages on the index."""

NAMED = re.compile(rf"\b({'|'.join(PACKAGES)}) (\d+(?:\.\d+)+)")
RELEASE = re.compile(r"\((\d+(?:\.\d+)*)")


def release(text: str) -> tuple[int, ...]:
    """Returns the numbers of a release, as (0, 12, 0)."""
    return tuple(map(int, text.split(".")))


def named_releases(text: str) -> dict[str, str]:
    """Returns the newest release of each library that a page names."""
    newest: dict[str, str] = {}
    for library, version in NAMED.findall(text):
        newest[library] = max(newest.get(library, version), version, key=release)
    return newest


def is_older(named: str, newest: str) -> bool:
    """Returns whether a release is older, as far as its numbers go: 0.12 is not older than 0.12.1."""
    numbers = release(named)
    return numbers < release(newest)[: len(numbers)]


def newest_release(package: str, python_version: str) -> str:
    """Returns the newest release of a package for a Python.

    Raises:
        RuntimeError: the index has none, or can't be reached.
    """
    command = [sys.executable, "-m", "pip", "index", "versions", package, f"--python-version={python_version}"]
    run = subprocess.run([*command, "--only-binary=:all:"], capture_output=True, text=True, check=False)
    found = RELEASE.search(run.stdout)
    if found is None:
        raise RuntimeError(f"the index names no release of {package} for Python {python_version}: {run.stderr[-300:]}")
    return found.group(1)


def stale(pages: Mapping[str, str], newest: Mapping[str, str]) -> list[str]:
    """Returns a line for each library that a page names in older releases only.

    Args:
        pages: the texts of pages by their names.
        newest: the newest release of each library.
    """
    return [
        f"{page}: {library} {version}, the newest is {newest[library]}"
        for page, text in pages.items()
        for library, version in named_releases(text).items()
        if is_older(version, newest[library])
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the pages that are stale; returns 1 if there is one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.newest")
    parser.add_argument("--python-version", default="3.13", help="the Python whose releases count")
    options = parser.parse_args(arguments)
    paths: list[Path] = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    pages = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}
    newest = {library: newest_release(package, options.python_version) for library, package in PACKAGES.items()}
    lines = stale(pages, newest)
    print(*lines, sep="\n")
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main())
