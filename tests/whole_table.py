"""The whole operation table: rows are in it once the modules that declare them are imported, which names do when they are asked for."""

import importlib
import pkgutil

import fastgrad.ops
import fastgrad.signal
import fastgrad.sparse


def load() -> None:
    """Imports all modules that declare rows."""
    for package in (fastgrad.ops, fastgrad.signal, fastgrad.sparse):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
