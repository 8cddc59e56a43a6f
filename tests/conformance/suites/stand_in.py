"""Modules that stand in for a peer's modules while its tests run, and an import finder that hands them out."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any


class SetApart(Exception):
    """A test needs something that fastgrad does not have, or that is private to the peer. The message names it."""


class Missing:
    """A name that fastgrad does not have. Importing it works; each use raises `SetApart`."""

    def __init__(self, name: str):
        self.__dict__["_missing_name"] = name

    def _refuse(self, *args: Any, **kwargs: Any) -> Any:
        raise SetApart(self.__dict__["_missing_name"])

    __call__ = __iter__ = __getitem__ = __enter__ = __setattr__ = __mro_entries__ = __instancecheck__ = _refuse
    __add__ = __mul__ = __or__ = __eq__ = __len__ = __contains__ = __int__ = __index__ = __float__ = _refuse
    __hash__ = object.__hash__

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__") or attribute == "pytestmark":
            raise AttributeError(attribute)
        self._refuse()


def set_apart(reason: str) -> Callable[..., Any]:
    """A function that raises `SetApart` with ``reason``, whatever its arguments are."""
    return Missing(reason)


class StandIn(ModuleType):
    """A module whose attributes are looked up by a function when they are first used.

    Args:
        name: the module's full name.
        lookup: returns the value of an attribute by (module name, attribute), or raises KeyError.
    """

    def __init__(self, name: str, lookup: Callable[[str, str], Any]):
        super().__init__(name)
        self.__path__: list[str] = []
        self._lookup = lookup

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        try:
            value = self._lookup(self.__name__, attribute)
        except KeyError:
            value = Missing(f"{self.__name__}.{attribute}")
        self.__dict__[attribute] = value
        return value


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds stand-ins for the modules of one or more packages.

    Args:
        packages: first parts of module names, such as ``"keras"``.
        folder: the copy of the peer's sources. Test support in it runs as it is, with its imports stood in for.
        support: True for a module that is loaded from ``folder``.
        module: returns the stand-in for a full module name.
    """

    def __init__(
        self, packages: set[str], folder: Path, support: Callable[[str], bool], module: Callable[[str], ModuleType]
    ):
        self.packages = packages
        self.folder = folder
        self.support = support
        self.module = module

    def source(self, name: str) -> Path:
        """The file of a module or package of the peer."""
        path = self.folder.joinpath(*name.split("."))
        return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name.partition(".")[0] not in self.packages:
            return None
        if self.support(name) and self.source(name).exists():
            return importlib.util.spec_from_file_location(name, self.source(name))
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return self.module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Stand-ins have no code to run."""

    def install(self) -> None:
        """Puts this finder before all others."""
        sys.meta_path.insert(0, self)


def first_attribute(spaces: list[Any], name: str) -> Any:
    """The attribute ``name`` of the first of ``spaces`` that has it; raises KeyError if none has."""
    for space in spaces:
        try:
            return getattr(space, name)
        except AttributeError:
            continue
    raise KeyError(name)


def namespace(name: str, members: dict[str, Any]) -> StandIn:
    """A stand-in module with the given members; each other attribute is missing."""
    module = StandIn(name, lambda space, attribute: members[attribute])
    module.__dict__.update(members)
    return module
