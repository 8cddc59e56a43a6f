"""The names that a Python function reads: globals, closure cells, arguments, and their attributes."""

from __future__ import annotations

import dis
import functools
import itertools
import re
from collections.abc import Iterator
from types import CodeType
from typing import Any, NamedTuple

_SKIPPED_OPCODES = frozenset(["CACHE", "EXTENDED_ARG", "PUSH_NULL", "NOP", "PRECALL", "RESUME", "COPY_FREE_VARS"])
HANDLER_OPCODES = frozenset(["PUSH_EXC_INFO", "SETUP_FINALLY", "SETUP_WITH"])
"""The opcodes of ``try`` and ``with``."""
_FAST_ACCESS_PATTERN = re.compile("(LOAD|STORE|DELETE)_FAST")
_ATTRIBUTE_OPCODES = frozenset(["LOAD_ATTR", "LOAD_METHOD"])


class NamePath(NamedTuple):
    """A name, and the attributes read from it.

    Attributes:
        kind: "global", "free" (a closure cell), "local" (an argument), "passed" (an argument that is called or passed on), or "held"
            for an unknown value, which may be in a container.
        name: the name.
        attributes: in the order in which they are read.
    """

    kind: str
    name: str
    attributes: tuple[str, ...]


@functools.lru_cache(maxsize=1024)
def name_paths_of(code: CodeType) -> tuple[NamePath, ...]:
    """Returns the attribute paths that a function and its inner functions read, each once, in order."""
    paths: dict[NamePath, None] = {}
    stored = _assignment_counts(code)
    arguments = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
    local_paths: dict[str, NamePath] = {
        name: NamePath("local", name, ()) for name in code.co_varnames[:arguments] if name not in stored
    }
    current: NamePath | None = None
    getattr_positions: list[int] = []  # positions of `getattr` reads that wait for an attribute name
    getattr_path: NamePath | None = None  # the path of the result of its call
    for position, (name, value) in enumerate(_single_instructions(code)):
        if (
            current is not None
            and current.kind == "local"
            and not current.attributes
            and name not in _ATTRIBUTE_OPCODES
        ):
            paths[NamePath("passed", current.name, ())] = None
        if name in _ATTRIBUTE_OPCODES or (
            name == "LOAD_CONST" and isinstance(value, str) and _is_getattr_name(getattr_positions, position)
        ):
            current = current or NamePath("held", "", ())
            current = NamePath(current.kind, current.name, (*current.attributes, value))
            if name == "LOAD_CONST":
                getattr_positions.pop()
                getattr_path = current
        elif name.startswith("CALL") and getattr_path is not None:
            current, getattr_path = getattr_path, None
        elif name in ("LOAD_GLOBAL", "LOAD_NAME"):
            current = NamePath("global", value, ())
            if value == "getattr":
                getattr_positions.append(position)
        elif name in ("LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"):
            current = NamePath("free", value, ()) if value in code.co_freevars else local_paths.get(value)
        elif name == "LOAD_FAST":
            current = local_paths.get(value)
        else:
            if name == "STORE_FAST" and current is not None and stored.get(value) == 1:
                local_paths[value] = current  # a local name for it
            current = None
        if current is not None:
            paths[current] = None
    paths |= dict.fromkeys(_inner_paths(code, local_paths))
    return tuple(paths)


def _single_instructions(code: CodeType) -> Iterator[tuple[str, Any]]:
    """Yields the opcodes of code with their values; those of two local names, such as STORE_FAST_LOAD_FAST, as two."""
    for instruction in dis.get_instructions(code):
        opcode, value = instruction.opname, instruction.argval
        accesses = _FAST_ACCESS_PATTERN.findall(opcode)
        if accesses:  # LOAD_FAST_CHECK and LOAD_FAST_BORROW are LOAD_FAST
            names = value if isinstance(value, tuple) else (value,)
            yield from ((f"{access}_FAST", name) for access, name in zip(accesses, names, strict=True))
        elif opcode not in _SKIPPED_OPCODES:
            yield opcode, value


def first_access(code: CodeType, name: str) -> str | None:
    """Returns how the code of a function first uses a local name: "LOAD", "STORE" or "DELETE"; None if it does not use the name."""
    if name in code.co_cellvars:
        return "LOAD"  # an inner function uses it
    for opcode, accessed in _single_instructions(code):
        access, _, kind = opcode.partition("_")
        if kind == "FAST" and accessed == name:
            return access
    return None


def _inner_paths(code: CodeType, local_paths: dict[str, NamePath]) -> Iterator[NamePath]:
    """Yields the paths of a function's inner functions, by the names that its own code has for their closure cells."""
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    for path in itertools.chain.from_iterable(map(name_paths_of, inner)):
        if path.kind in {"global", "held"} or (path.kind == "free" and path.name in code.co_freevars):
            yield path
        elif path.kind == "free" and path.name in local_paths:
            outer_path = local_paths[path.name]
            yield NamePath(outer_path.kind, outer_path.name, (*outer_path.attributes, *path.attributes))


@functools.lru_cache(maxsize=1024)
def opcodes_in(code: CodeType) -> frozenset[str]:
    """Returns the names of the opcodes of a function and of the functions in it."""
    inner = [opcodes_in(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return frozenset([instruction.opname for instruction in dis.get_instructions(code)]).union(*inner)


def _is_getattr_name(getattr_positions: list[int], position: int) -> bool:
    """True if the constant at ``position`` may be the second argument of the last ``getattr``, not the first."""
    return bool(getattr_positions) and position - getattr_positions[-1] > 1


def _assignment_counts(code: CodeType) -> dict[str, int]:
    """Returns how often each local name is assigned."""
    counts: dict[str, int] = {}
    for opcode, name in _single_instructions(code):
        if opcode in ("STORE_FAST", "DELETE_FAST", "STORE_DEREF"):
            counts[name] = counts.get(name, 0) + 1
    return counts
