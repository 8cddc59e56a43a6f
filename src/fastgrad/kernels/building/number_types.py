"""The types of numbers in kernels' bodies, which are Numba's: what an operation gives, and LLVM's text for conversions.

A type is written as in NumPy (`"int64"`), with a star in front for a pointer to it; a tuple of types is a tuple.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from fastgrad.kernels.building.bounds import checks_bounds

Type = Any

INTEGERS = {f"{sign}int{width}": width for sign in ("", "u") for width in (8, 16, 32, 64)}
FLOATS = {"float32": 32, "float64": 64}
_LLVM = {"bool": "i1", "float32": "float", "float64": "double", "none": "void", "address": "ptr"}
_LLVM |= {name: f"i{width}" for name, width in INTEGERS.items()}
_EXACT_IN_FLOAT32 = frozenset(["bool", "int8", "uint8", "int16", "float32"])


class Untranslatable(Exception):
    """A body has something that `translate` does not know."""


class Value(NamedTuple):
    """A number, a pointer or several of them, as LLVM's text has it; `literal` if the body has it literally."""

    type: Type
    text: str
    literal: Any = None


def llvm_type(kind: Type) -> str:
    """LLVM's name of a type.

    In checked builds (`bounds`) a pointer is an address, a number of elements, and a name; one to pointers has the address of
    their numbers of elements behind its own.
    """
    if isinstance(kind, tuple):
        return "{ " + ", ".join(map(llvm_type, kind)) + " }"
    if kind[0] != "*":
        return _LLVM[kind]
    if not checks_bounds():
        return "ptr"
    return "{ ptr, ptr, i64, ptr }" if kind[1] == "*" else "{ ptr, i64, ptr }"


def is_pointer(kind: Type) -> bool:
    """Whether a type is that of an address."""
    return isinstance(kind, str) and kind[0] == "*"


def is_whole(kind: Type) -> bool:
    """Whether a type is one of integers or of truth values."""
    return kind == "bool" or kind in INTEGERS


def is_signed(kind: Type) -> bool:
    """Whether numbers of an integer type may be negative."""
    return kind in INTEGERS and not kind.startswith("u")


def constant(value: Any) -> Value:
    """A literal number of Python's, or one among the globals."""
    if isinstance(value, bool):
        return Value("bool", "true" if value else "false", value)
    if isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 64:
            raise Untranslatable(f"{value} has more than 64 bits")
        return Value("int64" if value < 1 << 63 else "uint64", str(value), value)
    if isinstance(value, float):
        return Value("float64", float_text(value), value)
    raise Untranslatable(f"{value!r} is no number")


def float_text(value: float) -> str:
    """A float64, or a float32 of the same value, bit for bit."""
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"


def whole_result(a: Type, b: Type) -> Type:
    """The type of a sum of integers: 64 bits, signed if one of the two is."""
    return "uint64" if a.startswith("u") and b.startswith("u") else "int64"


def number_result(a: Type, b: Type) -> Type:
    """The type of a sum."""
    if is_whole(a) and is_whole(b):
        return whole_result(a, b)
    _need_numbers(a, b)
    return "float32" if a in _EXACT_IN_FLOAT32 and b in _EXACT_IN_FLOAT32 else "float64"


def compared_as(a: Type, b: Type) -> Type:
    """The type in which two numbers are compared."""
    _need_numbers(a, b)
    if a in FLOATS or b in FLOATS:
        return number_result(a, b)
    return unified(a, b)


def unified(a: Type, b: Type) -> Type:
    """The type of a variable that has numbers of two types by two ways.

    Raises:
        Untranslatable: if there is none.
    """
    if a == b:
        return a
    if isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
        return tuple([unified(x, y) for x, y in zip(a, b, strict=True)])
    _need_numbers(a, b)
    if "bool" in (a, b):
        return a if b == "bool" else b
    if a in FLOATS or b in FLOATS:
        whole = a if b in FLOATS else b
        wide = "float64" in (a, b) or INTEGERS.get(whole, 0) > 16
        return "float64" if wide else "float32"
    if is_signed(a) == is_signed(b):
        return a if INTEGERS[a] >= INTEGERS[b] else b
    signed, other = (a, b) if is_signed(a) else (b, a)
    width = max(INTEGERS[signed], 2 * INTEGERS[other])
    return "float64" if width > 64 else f"int{width}"


def _need_numbers(a: Type, b: Type) -> None:
    for kind in (a, b):
        if not (is_whole(kind) or kind in FLOATS):
            raise Untranslatable(f"{kind} is no type of numbers")


def conversion(given: Type, wanted: Type) -> str | None:
    """LLVM's instruction that converts between two types of numbers that differ; None if the bits are the same."""
    _need_numbers(given, wanted)
    if given in FLOATS:
        if wanted in FLOATS:
            return "fpext" if wanted == "float64" else "fptrunc"
        return "fptosi" if is_signed(wanted) else "fptoui"
    if wanted in FLOATS:
        return "sitofp" if is_signed(given) else "uitofp"
    before, after = (INTEGERS.get(kind, 1) for kind in (given, wanted))
    if before == after:
        return None
    return "trunc" if before > after else "sext" if is_signed(given) else "zext"
