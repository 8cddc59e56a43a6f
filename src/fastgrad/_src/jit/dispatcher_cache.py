"""Compiled functions in memory and on disk: a second process that compiles the same function loads machine code, and compiles nothing.

The key has everything that a function depends on, and the versions of fastgrad and its compilers.
"""

from __future__ import annotations

import functools
import os
import pickle
import sys
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import llvmlite.binding as llvm
import numba
import numpy as np

from fastgrad._src.jit import cache, exponential, store
from fastgrad._src.jit.code_library import ARRAY_EXPRESSION, CALLED_AS, NAME_LENGTH, load_called
from fastgrad._src.jit.key_texts import NoKeyError, type_text
from fastgrad._src.jit.native import target_machine, undefined_symbols
from fastgrad._src.jit.numba_canaries import Feature
from fastgrad._src.jit.numba_features import active_features_text, is_on
from fastgrad._src.jit.numba_internals import (
    NullCache,
    compiler,
    config,
    environment,
    parallel,
    rtsys,
    serialize,
    sigutils,
)
from fastgrad._src.jit.numba_registries import load_registries
from fastgrad._src.jit.source_files import remembered_sources_key

_MOST_IN_MEMORY = 256


class RecentlyUsed:
    """A dict of the keys that were used last."""

    def __init__(self) -> None:
        self._values: OrderedDict[Any, Any] = OrderedDict()

    def get(self, key: Any) -> Any:
        """Returns a value, or None."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: Any, value: Any) -> None:
        """Keeps a value."""
        self._values[key] = value
        if len(self._values) > _MOST_IN_MEMORY:
            self._values.popitem(last=False)


COMPILED = RecentlyUsed()
"""What Numba made of derivatives, by the text that it depends on: derivatives of one text are compiled once."""


class FunctionLines(NamedTuple):
    """Where the source of a function is.

    Attributes:
        file: the path, as tracebacks show it.
        lines: the number of the line of each range of bytecode.
    """

    file: str
    lines: tuple[tuple[int, int, int | None], ...]


_NAMES_LINES = cache.Entry(b"", ())
"""The entry of a derivative whose exceptions name lines of the user's files: its code is kept with the lines of the functions."""


class DispatcherCache(NullCache):  # type: ignore[misc]
    """The cache of a derivative's dispatcher, in memory and on disk. It keeps nothing if derivatives have Numba's own code libraries.

    Args:
        key_of: maps argument types to the key, or to None.
        lines_of: returns where the functions are that exceptions may name; their lines are no part of the key.
    """

    def __init__(
        self,
        key_of: Callable[[tuple[Any, ...]], str | None],
        lines_of: Callable[[], list[FunctionLines]] = list,
    ) -> None:
        self._key_of = key_of
        self._lines_of = lines_of

    def load_overload(self, signature: Any, target: Any) -> Any:
        """Returns what Numba made of a derivative for argument types, in this process or an earlier one; None if it has to be compiled."""
        key = self._key_of(sigutils.normalize_signature(signature)[0]) if is_on(Feature.LIBRARIES) else None
        if key is None:
            return None
        content, known = self._known(_content(key))
        if known is None:
            return None
        if not isinstance(
            known, cache.Entry
        ):  # each dispatcher has an entry of its own, which it removes when it is deleted
            entry_point = target.get_executable(known.library, known.fndesc, known.environment)
            return known._replace(entry_point=entry_point, metadata=None)
        reduced, environments, called = pickle.loads(zlib.decompress(known.code))  # noqa: S301 - other users can't write it, see jit/cache.py
        rtsys.initialize(target)
        if "numba_parallel_for" in known.symbols:
            parallel._launch_threads()  # Numba knows it from then on
        for function in called:
            load_called(*function)
        if not _has_symbols(known.symbols):
            load_registries(target)  # loads all that Numba has: it takes longer than all else here
            if not _has_symbols(known.symbols):
                return None
        result = compiler.CompileResult._rebuild(target, *reduced)
        result.library.environments = [(name, _environment(*values)) for name, *values in environments]
        for name, values in result.library.environments:
            result.library.codegen.set_env(name, values)
        COMPILED.put(content, result)
        return result

    def save_overload(self, signature: Any, result: Any) -> None:
        """Keeps what Numba made of a derivative, if it holds in other processes."""
        key = self._key_of(sigutils.normalize_signature(signature)[0]) if is_on(Feature.LIBRARIES) else None
        library = result.library
        if key is None or library.has_foreign_code or result.fndesc.qualname.rpartition("_")[2] != key[:NAME_LENGTH]:
            return
        if library.has_dynamic_globals or not all(map(_can_be_kept, library.environments)):
            return
        try:
            type_text(result.signature.return_type)
            lines = self._lines_of()
        except NoKeyError:
            return
        environments = [
            (name, values.globals.get("__name__", __name__), values.consts) for name, values in library.environments
        ]
        reduced = result._reduce()
        _, _, (machine_code, _) = reduced[0]
        symbols = undefined_symbols(machine_code)
        content = _content(key)
        if any(
            os.fsencode(function.file) + pickle.MEMOIZE in machine_code for function in lines
        ):  # exceptions are pickled
            COMPILED.put(content, _NAMES_LINES)
            store.save(content, _NAMES_LINES)
            content = _content_at(content, lines)
        COMPILED.put(content, result)
        if symbols is not None:
            called = [CALLED_AS[function] for function in getattr(library, "called", ())]
            code = zlib.compress(serialize.dumps((reduced, environments, called)), 1)
            store.save(content, cache.Entry(code, tuple(symbols)))

    def _known(self, content: str) -> tuple[str, Any]:
        """Returns the content under which a derivative is kept, and what is kept: Numba's result, an entry of the disk, or None."""
        known = COMPILED.get(content) or store.load(content)
        if known != _NAMES_LINES:
            return content, known
        COMPILED.put(content, known)
        content = _content_at(content, self._lines_of())
        return content, COMPILED.get(content) or store.load(content)


def _content_at(content: str, lines: Sequence[FunctionLines]) -> str:
    return f"{content}\n{[tuple(function) for function in lines]}"


def _can_be_kept(named: tuple[str, Any]) -> bool:
    """True if an environment can be made again; those of Numba's array expressions have no module, and need none."""
    name, values = named
    return ARRAY_EXPRESSION in name or values.can_cache()


def _has_symbols(names: Sequence[str]) -> bool:
    return all(llvm.address_of_symbol(name) is not None for name in names)


_OF_NO_CODE = ("CACHE", "THREAD", "COLOR", "WARN", "DUMP", "HELP")
"""Words in the names of Numba's settings that no code depends on."""


def compile_for_level_of_wheel() -> None:
    """Makes Numba compile for the level of processors of a wheel, if this process compiles for one. Call it before Numba's first compilation."""
    if store.is_for_wheel():
        machine = target_machine()
        os.environ.update(NUMBA_CPU_NAME=machine.cpu, NUMBA_CPU_FEATURES=machine.features)
        config.reload_config()


_OF_LEVEL: dict[str, None] = {"CPU_NAME": None, "CPU_FEATURES": None}
"""The settings that `compile_for_level_of_wheel` changes, with the values in the processes that load the code: the store's key has the level."""


def _content(key: str) -> str:
    values = {**vars(config), **(_OF_LEVEL if store.is_for_wheel() else {})}
    settings = [
        f"{name}={value!r}"
        for name, value in sorted(values.items())
        if name.isupper() and not any(word in name for word in _OF_NO_CODE)
    ]
    return f"derivative {key}\n{_surroundings()}\n{settings} {exponential.is_known()} {active_features_text()}"


def _environment(module: str, constants: list[Any]) -> Any:
    values = environment.Environment({"__name__": module})  # compiled code reads the constants alone
    values.consts[:] = constants
    return values


ORIGINS = ("fastgrad._src.derivatives",)
"""The packages that keep dispatchers; their code follows from them, and from what they import."""


@functools.cache
def _surroundings() -> str:
    """Returns the text of what derives and compiles: versions, and the source files that derivatives follow from."""
    return f"fastgrad {remembered_sources_key(*ORIGINS)} numba {numba.__version__} numpy {np.__version__} python {sys.version}"
