"""The public names of fastgrad, as users write them: `tf.math.sech`, `fg.grad`."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "fastgrad"
PROGRAMS = {"fastgrad.differentiate", "fastgrad.__main__"}
"""Modules that are run, and have no public names."""


class Name(NamedTuple):
    """A public name.

    Args:
        page: the page of its module, such as `tf.math`.
        full: the name as users write it: `tf.math.sech`, `fg.grad`.
        value: the object.
    """

    page: str
    full: str
    value: Any


def module_names() -> list[str]:
    """The public modules, such as `fastgrad.math`."""
    names = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if not any(part.startswith("_") and part != "__init__" for part in parts):
            names.append(".".join(["fastgrad", *(part for part in parts if part != "__init__")]))
    return [name for name in names if name not in PROGRAMS]


def uses() -> dict[str, int]:
    """How many files of public programs use a name of TensorFlow."""
    lines = (ROOT / "tools" / "name_use.txt").read_text(encoding="utf-8").splitlines()
    return {name: int(count) for name, count in (line.split() for line in lines if not line.startswith("#"))}


def own_names() -> set[str]:
    """The names of `fastgrad` that TensorFlow's `tf` lacks: they are written `fg.grad`."""
    import fastgrad
    from fastgrad._src.core.peer_names import peer_names

    return {name for name in dir(fastgrad) if not name.startswith("_")} - peer_names()[0]["tf"]


BRIDGES = {"fastgrad.jax", "fastgrad.torch", "fastgrad.pytensor"}


def public_names() -> list[Name]:
    """All public names, module by module; those of a bridge only if its package is there."""
    own = own_names()
    names = []
    for module_name in module_names():
        try:
            module = importlib.import_module(module_name)
        except ImportError:
            if module_name not in BRIDGES:
                raise
            continue
        page = module_name if module_name in BRIDGES else "tf" + module_name.removeprefix("fastgrad")
        for name in sorted(vars(module).keys() | set(dir(module)), key=str.lower):
            if name.startswith("_") or name == "annotations":
                continue
            value = getattr(module, name, None)
            if isinstance(value, ModuleType) or (value is None and name != "newaxis"):
                continue
            if module_name == "fastgrad" and name in own:
                names.append(Name("fg", f"fg.{name}", value))
            else:
                names.append(Name(page, f"{page}.{name}", value))
    return names


def has_docstring(value: Any) -> bool:
    """True for a function, a class, an operation or a dtype; False for a number, a string and other plain values."""
    return isinstance(value, type) or not isinstance(value, (bool, int, float, str, tuple, list, dict, type(None)))


def is_ours(value: Any) -> bool:
    """True for what fastgrad defines; False for what it takes from Python or another package, such as `unittest.main`."""
    return str(getattr(value, "__module__", None) or type(value).__module__).startswith("fastgrad")
