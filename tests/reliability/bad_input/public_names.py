"""Public callables of fastgrad, and those that wrong calls name.

A name of ``fastgrad`` is public if its module defines it or re-exports it by ``import x as x``; a name of ``fastgrad.keras`` if it is in one of ``KERAS_NAMESPACES`` and Keras has it, too.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import fastgrad as tf
from tools import names_table

from .names import names

NAMESPACES = ("nn.experimental", "random.experimental", "summary.experimental", "config.experimental")
"""Namespaces that are classes or modules, which no ``import x as x`` names."""

KERAS_NAMESPACES = (
    "keras",
    *(
        f"keras.{name}"
        for name in ("activations", "callbacks", "config", "constraints", "datasets", "initializers", "layers")
    ),
    *(
        f"keras.{name}"
        for name in ("losses", "metrics", "mixed_precision", "models", "optimizers", "optimizers.schedules")
    ),
    *(
        f"keras.{name}"
        for name in ("preprocessing", "preprocessing.text", "regularizers", "saving", "utils", "utils.bounding_boxes")
    ),
)
"""Namespaces of Keras with wrong calls here; those of ``keras.ops`` and its kin are in tests/keras."""


def exported(module: ModuleType) -> set[str]:
    """Names without an underscore that a module defines, re-exports or imports when first used."""
    found: set[str] = {
        *getattr(module, "_NAMESPACES", ()),
        *getattr(module, "_MODULE_OF_LAZY_NAME", ()),
        *getattr(module, "_OF_VERSION_1", ()),
    }
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.names[0].name == "*":
            found |= exported(importlib.import_module(node.module))
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {alias.name for alias in node.names if alias.asname == alias.name}
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return {name for name in found if not name.startswith("_")}


def _walk(module: ModuleType, path: str, seen: set[str]) -> Iterator[tuple[str, Any]]:
    for name in sorted(exported(module)):
        value = getattr(module, name)
        if isinstance(value, ModuleType):
            if value.__name__.startswith("fastgrad.") and name != "keras" and value.__name__ not in seen:
                seen.add(value.__name__)
                yield from _walk(value, f"{path}.{name}", seen)
        elif callable(value):
            yield f"{path}.{name}", value


def value_of(name: str) -> Any:
    """The object of a dotted name, which begins with ``tf``."""
    value: Any = tf
    for part in name.split(".")[1:]:
        value = getattr(value, part)
    return value


def public_callables() -> dict[int, list[str]]:
    """All names of each public callable, by the object's ``id``, the shortest one first."""
    pairs = list(_walk(tf, "tf", set()))
    for namespace in NAMESPACES:
        value = value_of(f"tf.{namespace}")
        inner = exported(value) if isinstance(value, ModuleType) else [name for name in dir(value) if name[0] != "_"]
        pairs += [(f"tf.{namespace}.{name}", getattr(value, name)) for name in inner]
    rows = names_table.rows_of([f"tf.{namespace}" for namespace in KERAS_NAMESPACES])
    pairs += [(row.name, value_of(row.name)) for row in rows if row.status in ("supported", "differs")]
    found: dict[int, list[str]] = {}
    for name, value in pairs:
        if callable(value) and not isinstance(value, ModuleType) and name.removeprefix("tf.") not in NAMESPACES:
            found.setdefault(id(value), []).append(name)
    return {number: sorted(all_names, key=lambda name: (name.count("."), name)) for number, all_names in found.items()}


def _value(node: ast.AST, scope: dict[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return scope.get(node.id)
    if isinstance(node, ast.Attribute):
        return getattr(_value(node.value, scope), node.attr, None)
    return None


def named_in(texts: list[str]) -> set[int]:
    """The ``id`` of each object that one of the texts names."""
    scope = names(tf)
    nodes = [node for text in texts for node in ast.walk(ast.parse(text))]
    return {id(_value(node, scope)) for node in nodes if isinstance(node, (ast.Name, ast.Attribute))}
