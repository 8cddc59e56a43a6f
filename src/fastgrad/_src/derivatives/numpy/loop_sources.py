"""Source text of loops over the elements of arrays of given ranks: maps that broadcast, stores, reductions."""

from __future__ import annotations

import functools
import itertools
from types import FunctionType
from typing import Any

import numba
import numpy as np

from fastgrad._src.derivatives.ir.scalar_operations import (
    checked_size,
    has_rule_of_sizes,
    may_raise,
    njit_that_may_raise,
)
from fastgrad._src.jit.generated_source import function_from_source
from fastgrad._src.jit.library_functions import njit_kept_on_disk

_numbers = itertools.count()


def _constant_step(size: int | None, result_size: int | None) -> int | None:
    return None if size is None or result_size is None else int(size == result_size)


@has_rule_of_sizes(lambda first, second: second if first in (None, 1) and second != 1 else first)
@njit_that_may_raise
def broadcast_size(first, second):  # type: ignore[no-untyped-def]
    """Returns the size of an axis along which two arrays broadcast."""
    if first != second and first != 1 and second != 1:  # noqa: PLR1714 - Numba compiles it
        raise ValueError("operands could not be broadcast together")
    return second if first == 1 else first


@has_rule_of_sizes(_constant_step)
@njit_that_may_raise
def broadcast_step(size, result_size):  # type: ignore[no-untyped-def]
    """Returns the step along an axis that broadcasts: 0 if one element is repeated."""
    if size not in (result_size, 1) and result_size != 1:
        raise ValueError("operands could not be broadcast together")
    return 1 if size == result_size else 0


@has_rule_of_sizes(_constant_step)
@njit_that_may_raise
def assigned_step(size, result_size):  # type: ignore[no-untyped-def]
    """Returns the step along an axis of an array that is assigned to another one: 0 if one element is repeated."""
    if size not in (result_size, 1):
        raise ValueError("cannot assign slice of shape from input of a different shape")
    return 1 if size == result_size else 0


@has_rule_of_sizes(_constant_step)
@njit_that_may_raise
def broadcast_to_step(size, result_size):  # type: ignore[no-untyped-def]
    """Returns the step along an axis of an array that ``broadcast_to`` repeats: 0 if one element is repeated."""
    if size not in (result_size, 1):
        raise ValueError("operands could not be broadcast together with remapped shapes")
    return 1 if size == result_size else 0


@has_rule_of_sizes(lambda first, second: second if first is None else first)
@njit_that_may_raise
def common_size(first, second):  # type: ignore[no-untyped-def]
    """Returns the size of an axis that two arrays have in common."""
    if first != second:
        raise ValueError("the sizes of two arrays differ")
    return first


@numba.njit
def section_start(size, count, k):  # type: ignore[no-untyped-def]
    """Returns where the ``k``-th of ``count`` sections of an axis begins; the first ones may have one element more."""
    return k * (size // count) + min(k, size % count)


@may_raise
@numba.njit
def equal_section_start(size, count, k):  # type: ignore[no-untyped-def]
    """Returns where the ``k``-th of ``count`` sections of one size begins."""
    if size % count != 0:
        raise ValueError("array split does not result in an equal division")
    return k * (size // count)


@njit_that_may_raise
def stride_in_elements(stride, item_size):  # type: ignore[no-untyped-def]
    """Returns how many elements a stride in bytes takes."""
    if stride % item_size != 0:
        raise ValueError("a stride is no multiple of the size of an element")
    return stride // item_size


@njit_that_may_raise
def window_count(size, window):  # type: ignore[no-untyped-def]
    """Returns the number of windows along an axis."""
    if window < 0:
        raise ValueError("`window_shape` cannot contain negative values")
    if size < window:
        raise ValueError("window_shape cannot be larger than input array shape")
    return size - window + 1


@njit_that_may_raise
def checked_nonempty_size(size):  # type: ignore[no-untyped-def]
    """Returns the size of an axis that has elements."""
    if size == 0:
        raise ValueError("zero-size array to reduction operation which has no identity")
    return size


@njit_that_may_raise
def checked_first_index(size):  # type: ignore[no-untyped-def]
    """Returns 0, the index of the only element of an array of ``size`` elements."""
    if size != 1:
        raise ValueError("item(): can only convert an array of size 1 to a Python scalar")
    return 0


@njit_that_may_raise
def checked_index(index, size):  # type: ignore[no-untyped-def]
    """Returns an index within an axis; negative ones count from the end."""
    if index < -size or index >= size:
        raise IndexError("index out of bounds")
    return index + size if index < 0 else index


@njit_that_may_raise
def range_count(start, stop, step):  # type: ignore[no-untyped-def]
    """Returns the number of items of a range."""
    if step > 0:
        return (stop - start + step - 1) // step
    if step < 0:
        return (start - stop - step - 1) // -step
    raise ValueError("range() arg 3 must not be zero")


@njit_that_may_raise
def check_signs(size, other):  # type: ignore[no-untyped-def]
    """Returns 0; raises if two sizes of a reshaped array are negative."""
    if size < 0 and other < 0:
        raise ValueError("multiple negative shape values")
    return 0


@njit_kept_on_disk(error_model="numpy")
def size_or_rest(size, total, others):  # type: ignore[no-untyped-def]
    """Returns a size of a reshaped array; if that is negative, the number of elements over the product of the other sizes."""
    if size >= 0:
        return size
    return 0 if others == 0 else total // others


@has_rule_of_sizes(lambda size, product_of_sizes, total: size)
@njit_that_may_raise
def checked_first_size(size, product_of_sizes, total):  # type: ignore[no-untyped-def]
    """Returns the first of new sizes; raises if their product is not the number of elements."""
    if product_of_sizes != total:
        raise ValueError("total size of new array must be unchanged")
    return size


CHECKS_OF_SIZES = (
    broadcast_size,
    broadcast_step,
    broadcast_to_step,
    assigned_step,
    checked_size,
    check_signs,
    checked_first_size,
)
"""The functions that raise where the sizes of arrays do not fit together."""


@functools.cache
def loops_from_source(source: str, dtype: str, **names: Any) -> FunctionType:
    """Returns the function of a source text in which ``dtype`` and ``zero`` are of the dtype of that name."""
    name = source[len("def ") : source.index("(")]
    kind = np.bool_ if dtype == "bool" else getattr(np, dtype)
    scope = {"np": np, "dtype": kind, "zero": 0.0 if dtype == "float64" else 0 if dtype == "int64" else kind(0)}
    checks = (assigned_step, common_size, checked_nonempty_size, checked_index)
    scope |= {check.__name__: check for check in checks} | names
    return function_from_source(name, source, f"<loops of numpy {next(_numbers)}>", scope)


def _index_names(rank: int) -> str:
    return ", ".join(f"i{axis}" for axis in range(rank)) or "()"


def _loop_heads(sizes: dict[str, str], depth: int = 0) -> list[str]:
    """Returns the heads of loops, each within the one before and the first within ``depth`` others, of variables below sizes."""
    return [
        "    " * number + f"for {variable} in range({size}):"
        for number, (variable, size) in enumerate(sizes.items(), depth + 1)
    ]


def _nested_loop_lines(rank: int, array: str, statement: str) -> list[str]:
    """Returns lines that go through all elements of an array; ``statement`` has ``{i}`` for their indices."""
    heads = _loop_heads({f"i{axis}": f"{array}.shape[{axis}]" for axis in range(rank)})
    return [*heads, "    " * (rank + 1) + statement.format(i=_index_names(rank))]


@functools.cache
def copy_loops(rank: int, dtype: str) -> FunctionType:
    """Returns the loops that copy an array, or store the elements of an expression."""
    dims = "".join(f"x.shape[{axis}], " for axis in range(rank))
    lines = [
        "def copied(x):",
        f"    out = np.empty(({dims}), dtype)",
        *_nested_loop_lines(rank, "x", "out[{i}] = x[{i}]"),
    ]
    return loops_from_source("\n".join([*lines, "    return out", ""]), dtype=dtype)


@functools.cache
def store_loops(rank: int, is_number: bool, function: Any) -> FunctionType:
    """Returns the loops that write a number or an array to all elements of an array, or combine both by ``function``."""
    value = "x" if is_number else "x[{i}]"
    statement = "target[{i}] = " + (value if function is None else f"function(target[{{i}}], {value})")
    lines = ["def store(target, x):", *_nested_loop_lines(rank, "target", statement), "    return 0", ""]
    return loops_from_source("\n".join(lines), dtype="float64", function=function)


@functools.cache
def draw_loops(rank: int, parameters: int, draw: Any) -> FunctionType:
    """Returns the loops that draw each element of an array by ``draw`` of parameters."""
    names = [f"p{number}" for number in range(parameters)]
    lines = [f"def fill({', '.join(['target', *names])}):"]
    lines += [*_nested_loop_lines(rank, "target", f"target[{{i}}] = draw({', '.join(names)})"), "    return 0", ""]
    return loops_from_source("\n".join(lines), dtype="float64", draw=draw)


@functools.cache
def loops_along(rank: int, axis: int) -> FunctionType:
    """Returns the loops that read elements of an array at indices along an axis; along the others both have one size."""
    others = [number for number in range(rank) if number != axis]
    sizes = [f"    common_size(arr.shape[{number}], indices.shape[{number}])" for number in others]
    places = [f"i{number}" for number in range(rank)]
    places[axis] = f"checked_index(indices[{{i}}], arr.shape[{axis}])"
    lines = ["def take_along_axis(arr, indices):", *sizes, "    out = np.empty(indices.shape, dtype=arr.dtype)"]
    lines += [*_nested_loop_lines(rank, "indices", f"out[{{i}}] = arr[{', '.join(places)}]"), "    return out", ""]
    return loops_from_source("\n".join(lines), dtype="float64")


_STARTS = {
    "sum": "zero",
    "prod": "zero + 1",
    "mean": "zero",
    "any": "False",
    "all": "True",
    "cumsum": "zero",
    "cumprod": "zero + 1",
}
_STEPS = {
    "sum": ["total += {x}"],
    "mean": ["total += {x}"],
    "prod": ["total *= {x}"],
    "any": ["if {x}:", "    total = True"],
    "all": ["if not {x}:", "    total = False"],
    "max": ["e = {x}", "if e > total or (e != e and total == total):", "    total = e"],
    "min": ["e = {x}", "if e < total or (e != e and total == total):", "    total = e"],
    "argmax": ["if {x} > best or ({x} != {x} and best == best):", "    best = {x}", "    total = {i}"],
    "argmin": ["if {x} < best or ({x} != {x} and best == best):", "    best = {x}", "    total = {i}"],
}


@functools.cache
def reduction_loops(name: str, rank: int, axis: int | None, dtype: str) -> FunctionType:
    """Returns the loops of a reduction of an array of ``rank`` over all elements, or along ``axis``.

    Args:
        name: of NumPy's function.
        rank: of the array.
        axis: the axis, None for all.
        dtype: of the result.
    """
    if name in ("var", "std"):
        root = "np.sqrt(v)" if name == "std" else "v"
        lines = [f"def {name}(x):", "    d = x - np.mean(x)", "    v = np.mean(d * d)", f"    return {root}", ""]
        return loops_from_source("\n".join(lines), dtype=dtype)
    if name in ("cumsum", "cumprod"):
        return _running_loops(name, rank, axis, dtype)
    reduced = list(range(rank)) if axis is None else [axis]
    kept = [number for number in range(rank) if number not in reduced]
    needs_some = name in ("max", "min", "argmax", "argmin")
    lines = [f"def {name}(x):"]
    lines += [f"    n{number} = checked_nonempty_size(x.shape[{number}])" for number in reduced if needs_some]
    if kept:
        lines.append(f"    out = np.empty(({''.join(f'x.shape[{number}], ' for number in kept)}), dtype)")
    lines += _loop_heads({f"i{number}": f"x.shape[{number}]" for number in kept})
    element = f"x[{', '.join(f'i{number}' for number in range(rank))}]"
    first = f"x[{', '.join('0' if number in reduced else f'i{number}' for number in range(rank))}]"
    indent = "    " * (1 + len(kept))
    if name.startswith("arg"):
        lines += [indent + f"best = {first}", indent + "total = 0"]
    else:
        lines.append(indent + f"total = {_STARTS.get(name, first)}")
    sizes = {f"i{number}": f"n{number}" if needs_some else f"x.shape[{number}]" for number in reduced}
    lines += _loop_heads(sizes, len(kept))
    position = f"i{reduced[0]}"
    for number in reduced[1:]:
        position = f"({position} * x.shape[{number}] + i{number})"
    lines += ["    " * (1 + rank) + line.format(x=element, i=position) for line in _STEPS[name]]
    result = "total"
    if name == "mean":
        result = f"total / ({' * '.join(f'x.shape[{number}]' for number in reduced)})"
    lines.append(
        indent + (f"out[{', '.join(f'i{number}' for number in kept)}] = {result}" if kept else f"return {result}")
    )
    if kept:
        lines.append("    return out")
    return loops_from_source("\n".join([*lines, ""]), dtype=dtype)


def _running_loops(name: str, rank: int, axis: int | None, dtype: str) -> FunctionType:
    if axis is None and rank != 1:
        return loops_from_source(f"def {name}(x):\n    return np.{name}(x.ravel())\n", dtype=dtype)
    along = axis or 0
    others = {f"i{number}": f"x.shape[{number}]" for number in range(rank) if number != along}
    element, indent = f"[{_index_names(rank)}]", "    " * rank
    lines = [
        f"def {name}(x):",
        "    out = np.empty(x.shape, dtype)",
        *_loop_heads(others),
        f"{indent}total = {_STARTS[name]}",
        f"{indent}for i{along} in range(x.shape[{along}]):",
        f"{indent}    total = total {'+' if name == 'cumsum' else '*'} x{element}",
        f"{indent}    out{element} = total",
        "    return out",
        "",
    ]
    return loops_from_source("\n".join(lines), dtype=dtype)
