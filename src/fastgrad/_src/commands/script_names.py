"""Finds the names of TensorFlow and Keras in a script, and reports missing and differing names: ``fastgrad names train.py``."""

from __future__ import annotations

import ast
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from fastgrad._src.core.damaged_file import open_regular
from fastgrad._src.core.names import Namespace

_ROOTS = {"tensorflow": "tf", "fastgrad": "tf", "keras": "tf.keras", "tf_keras": "tf.keras"}
"""The packages whose names count, and by which name of ``tf`` each is meant."""


class Use(NamedTuple):
    """A name that a script asks for, such as ``tf.nn.relu``, and where it first does."""

    name: str
    line: int


class Findings(NamedTuple):
    """What ``fastgrad names`` tells of a script.

    Args:
        name_count: the number of names of TensorFlow and Keras that it asks for.
        missing: those that are missing, with the texts of their errors.
        differing: those that are there and differ, with a sentence that says how.
    """

    name_count: int
    missing: list[tuple[Use, str]]
    differing: list[tuple[Use, str]]


def check_script(path: Path) -> Findings:
    """Returns which names of TensorFlow and Keras a script asks for that are missing or differ.

    Args:
        path: a Python file, or a notebook; it is read, not run.

    Raises:
        OSError: it can't be read.
        SyntaxError: it is no Python.
        ValueError: it is no notebook.
    """
    with open_regular(path) as file:
        text = file.read().decode()
    uses = names_of(_code_of_notebook(text) if path.suffix == ".ipynb" else text)
    missing, differing = [], []
    for use in uses:
        error = _missing_name_error(use.name)
        if error is not None:
            missing.append((use, error))
        elif (difference := _difference_of(use.name)) is not None:
            differing.append((use, difference))
    return Findings(len(uses), missing, differing)


def names_of(text: str) -> list[Use]:
    """Returns the names of TensorFlow and Keras in a program, each once, in the order of their lines."""
    tree = ast.parse(text)
    names: dict[str, str] = {}
    uses: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for item in node.names:
                full = _full_name(item.name)
                if full is not None:
                    names[item.asname or item.name.partition(".")[0]] = full if item.asname else full.split(".")[0]
                    uses.setdefault(full, node.lineno)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            full = _full_name(node.module)
            for item in node.names if full is not None else ():
                if item.name != "*":
                    names[item.asname or item.name] = f"{full}.{item.name}"
                    uses.setdefault(f"{full}.{item.name}", node.lineno)
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and id(node) not in inner:
            full = _dotted_name(node, names)
            if full is not None:
                uses[full] = min(node.lineno, uses.get(full, node.lineno))
    return sorted([Use(name, line) for name, line in uses.items() if "." in name], key=lambda use: (use.line, use.name))


def _full_name(module: str) -> str | None:
    root, dot, rest = module.partition(".")
    if root not in _ROOTS:
        return None
    parts = rest.removeprefix("python.").removeprefix("keras.src.") if dot else ""
    return f"{_ROOTS[root]}.{parts}" if parts else _ROOTS[root]


def _dotted_name(node: ast.expr, names: dict[str, str]) -> str | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in names:
        return None
    return ".".join([names[node.id], *reversed(parts)])


def _missing_name_error(name: str) -> str | None:
    """Returns the text of the error for a missing name; None if it is there, or is an attribute of an object."""
    value: Any = importlib.import_module("fastgrad")
    for part in name.split(".")[1:]:
        if not isinstance(value, (ModuleType, Namespace, type)):
            return None
        try:
            value = getattr(value, part)
        except (AttributeError, ImportError) as error:
            return str(error)
    return None


def _difference_of(name: str) -> str | None:
    """Returns how a name differs, or the class or function of which it is a member, such as ``tf.data.Dataset`` of its ``map``."""
    from fastgrad._src.core.peer_names import DIFFERING, peer_names

    owner = name.rpartition(".")[0]
    return DIFFERING.get(name) or (DIFFERING.get(owner) if owner not in peer_names()[0] else None)


def _code_of_notebook(text: str) -> str:
    """Returns the code cells of a notebook, without commands of IPython."""

    def lines() -> Iterator[str]:
        for cell in json.loads(text)["cells"]:
            if cell["cell_type"] == "code":
                source = cell["source"]
                yield from (source if isinstance(source, str) else "".join(source)).splitlines()

    try:
        return "\n".join("pass" if line.startswith(("%", "!")) else line for line in lines())
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"this is no notebook: {error!r}") from None
