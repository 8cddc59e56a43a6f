"""Values of the LLVM code of derivatives, and what stops its emission."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numba import types

from fastgrad._src.jit.numba_internals import NumbaError

UNKNOWN = object()


@dataclass(eq=False, slots=True)
class Value:
    """A value while LLVM code is written.

    Attributes:
        type: its Numba type.
        llvm: its value in LLVM.
        is_owned: whether it has a reference of its own to the memory that it shows, which its user takes over or drops.
        constant: the Python constant that it is; `UNKNOWN` for others.
        held_at: where the exit by exceptions finds the value, so that it drops the reference; None for values that nothing which raises can follow.
        items: the items of a tuple that is not made yet; None for others.
        python: a function, a class or an array from outside; None for others.
    """

    type: types.Type
    llvm: Any = None
    is_owned: bool = False
    constant: Any = UNKNOWN
    items: list[Value] | None = None
    python: Any = None
    held_at: Any = field(default=None, init=False)


class NotEmittedError(NumbaError):  # type: ignore[misc]  # Numba has no types
    """Code that is not written as LLVM IR here: Numba compiles its text."""


class Wider(Exception):  # no error: the emission begins again
    """A variable needs a wider type than its first assignment gave it."""

    def __init__(self, name: str, type: types.Type) -> None:
        super().__init__(name)
        self.name = name
        self.type = type


def can_become(type: types.Type, wanted: types.Type) -> bool:
    """True if a variable of the type ``wanted`` takes values of ``type`` as Numba would cast them, without loss."""
    if types.unliteral(type) == wanted or (isinstance(wanted, types.Optional) and type in (types.none, wanted.type)):
        return True
    if isinstance(type, types.Array) and isinstance(wanted, types.Array):
        return (
            type.dtype == wanted.dtype
            and type.ndim == wanted.ndim
            and wanted.layout in ("A", type.layout)
            and wanted.mutable <= type.mutable
            and wanted.aligned <= type.aligned
        )
    if isinstance(wanted, types.Float):
        is_narrower = isinstance(type, types.Float) and type.bitwidth <= wanted.bitwidth
        return is_narrower or isinstance(type, (types.Integer, types.Boolean))
    return isinstance(wanted, types.Integer) and isinstance(type, (types.Integer, types.Boolean))
