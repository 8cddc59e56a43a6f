"""The whole operation table: rows are in it once the modules that declare them are imported, which names do when they are asked for."""

import importlib
import pkgutil

import fastgrad.composed_ops
import fastgrad.image
import fastgrad.ops
import fastgrad.signal
import fastgrad.sparse
import fastgrad.strings


def load() -> None:
    """Imports all modules that declare rows."""
    for package in (
        fastgrad.composed_ops,
        fastgrad.image,
        fastgrad.ops,
        fastgrad.signal,
        fastgrad.sparse,
        fastgrad.strings,
    ):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
