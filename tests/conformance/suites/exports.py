"""The public names of TensorFlow's Python functions, read from the decorators in a copy of its sources."""

from __future__ import annotations

import ast
import functools
from pathlib import Path
from typing import NamedTuple


class Export(NamedTuple):
    """A function or class with public names.

    Attributes:
        names: public names in version 2, such as ``math.reduce_sum``.
        old_names: public names in version 1.
        arguments: the names of the function's arguments, in order; empty for a class.
    """

    names: list[str]
    old_names: list[str]
    arguments: list[str]


def _of_decorator(call: ast.expr) -> tuple[list[str], list[str]] | None:
    if not isinstance(call, ast.Call) or getattr(call.func, "id", getattr(call.func, "attr", "")) != "tf_export":
        return None
    names = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
    old = list(names)
    for keyword in call.keywords:
        if keyword.arg == "v1" and isinstance(keyword.value, (ast.List, ast.Tuple)):
            old = [value.value for value in keyword.value.elts if isinstance(value, ast.Constant)]
    return names, old


@functools.cache
def exports(source: Path) -> dict[str, Export]:
    """The exported functions and classes of a source file, by their names in it."""
    if not source.exists():
        return {}
    found = {}
    for node in ast.parse(source.read_text()).body:
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            continue
        for decorator in node.decorator_list:
            names = _of_decorator(decorator)
            if names is not None:
                arguments = [a.arg for a in node.args.args] if isinstance(node, ast.FunctionDef) else []
                found[node.name] = Export(*names, arguments)
    return found
