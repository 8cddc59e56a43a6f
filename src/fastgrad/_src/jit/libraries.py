"""Modules that are not user code: Python's standard library, and fastgrad with its dependencies."""

from __future__ import annotations

import os
import sys

_LIBRARIES = frozenset(["numpy", "scipy", "numba", "llvmlite", "fastgrad", *sys.stdlib_module_names]) - {"__main__"}
_STANDARD_LIBRARY = os.path.join(os.path.dirname(os.__file__), "")


def package_of(module_name: str) -> str:
    """Returns the name of the package that a module is in."""
    return module_name.partition(".")[0]


def is_of_library(module_name: str | None) -> bool:
    """True for the name of a module that users did not write. They may write one that has the name of one of the standard library."""
    package = package_of(module_name or "")
    return package in _LIBRARIES and not hides_standard_module(package)


def hides_standard_module(package: str) -> bool:
    """True for the name of a user's module that hides one of the standard library."""
    file = getattr(sys.modules.get(package), "__file__", None)
    if package not in sys.stdlib_module_names or file is None:
        return False
    return not file.startswith(_STANDARD_LIBRARY) or "-packages" in file
