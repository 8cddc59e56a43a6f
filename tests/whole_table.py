"""The whole operation table: rows are in it once the modules that declare them are imported, which names do when they are asked for."""

import importlib
import pkgutil

import fastgrad._src.image
import fastgrad._src.ops
import fastgrad._src.ops.composed
import fastgrad._src.signal
import fastgrad._src.structures.sparse
import fastgrad._src.structures.strings


def load() -> None:
    """Imports all modules that declare rows."""
    for package in (
        fastgrad._src.ops.composed,
        fastgrad._src.image,
        fastgrad._src.ops,
        fastgrad._src.signal,
        fastgrad._src.structures.sparse,
        fastgrad._src.structures.strings,
    ):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
