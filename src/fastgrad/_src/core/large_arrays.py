"""Element-wise operations of large arrays run kernels on all threads. The kernels have the bits of NumPy's functions.

An operation gets a kernel after some runs on large arrays, so that a single use does not wait for the compiler. A run
that records a function makes no kernels, because the program of the function has its own.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastgrad._src.core.hooks import Hook, module_of
from fastgrad._src.core.operation import LARGE
from fastgrad._src.core.recording import recorders
from fastgrad._src.core.result_rules import ArraySpec
from fastgrad._src.jit.jit_switch import compiling_threads
from fastgrad._src.kernels.movement.memory_order import copy_by_kernel, run_in_memory_order
from fastgrad._src.kernels.runtime.copies_and_jumps import copy_launches
from fastgrad._src.kernels.runtime.eager_launch import is_work_for_pool, run_on_thread_pool
from fastgrad._src.kernels.runtime.launch import Launches
from fastgrad._src.kernels.runtime.thread_pool import compute_pool

RUNS_BEFORE_KERNEL = 8
"""The number of runs of an operation by NumPy before it gets a kernel."""

MOST_KEPT = 1024
"""The most operations, for shapes and dtypes, whose kernels are known."""

LEAST_SIZE_OVER_COPY = 16
"""How many times as large as an operand the largest one is, at least, when NumPy copies the operand for a kernel."""

COPIED_BYTES_PER_NANOSECOND = 64
"""About the speed of a copy: a nanosecond a cache line."""

_runs: dict[Any, int] = {}
_known: dict[tuple[Any, ...], tuple[Any, ArraySpec, tuple[int, ...]] | None] = {}


def run_large(row: Any, arrays: Sequence[np.ndarray], attributes: dict[str, Any]) -> Any:
    """Returns ``row.run(*arrays, **attributes)``, by a kernel if there is one.

    Args:
        row: an element-wise operation.
        arrays: its operands, some with ``LARGE`` elements or more.
        attributes: its attributes, hashable.
    """
    if len({x.strides for x in arrays if x.ndim}) == 1:  # in one order in memory, as NumPy's result then is
        turned = run_in_memory_order(lambda *xs: run_large(row, xs, attributes), *arrays)
        if turned is not None:
            return turned
    result = _run_kernel(row, arrays, attributes)
    return row.run(*arrays, **attributes) if result is None else result


def update_large(row: Any, memory: np.ndarray, delta: np.ndarray) -> None:
    """Sets a variable's ``memory`` to ``row.run(memory, delta)``, by a kernel if there is one.

    Args:
        row: the operation of two arrays of one shape, whose ``run`` is a NumPy ufunc.
        memory: C-contiguous, with ``LARGE`` elements or more.
        delta: of the shape and dtype of ``memory``; may be ``memory`` itself.
    """
    plain = None if np.may_share_memory(memory, delta) else _in_row_major_order([memory, delta])
    known = None if plain is None else _known_kernel(row, plain, [memory, delta], {})
    if plain is None or known is None or (0, known[2].index(0)) not in known[0].in_place:
        row.run(memory, delta, out=memory)
        return
    launches, _, numbers = known
    run_on_thread_pool(launches, [plain[number] for number in numbers], (memory,))


def copy_large(memory: np.ndarray, array: np.ndarray) -> None:
    """Writes ``array`` to a variable's ``memory``, of the same shape and dtype, with ``LARGE`` elements or more."""
    is_much = is_work_for_pool(memory.nbytes / COPIED_BYTES_PER_NANOSECOND)
    is_shared = is_much and compute_pool.threads > 1 and not memory.dtype.hasobject
    has_same_bytes = memory.dtype == array.dtype and memory.flags.c_contiguous and array.flags.c_contiguous
    if is_shared and has_same_bytes and not np.may_share_memory(memory, array):
        run_on_thread_pool(_copy_launches(memory.nbytes), (array,), (memory,))
    else:
        np.copyto(memory, array)


@functools.lru_cache(maxsize=256)
def _copy_launches(size: int) -> Launches:
    return copy_launches(size)


def _run_kernel(row: Any, arrays: Sequence[np.ndarray], attributes: dict[str, Any]) -> np.ndarray | None:
    plain = _in_row_major_order(arrays, row.large < LARGE)
    known = None if plain is None else _known_kernel(row, plain, arrays, attributes)
    if plain is None or known is None:
        return None
    launches, spec, numbers = known
    out = np.empty(*spec)
    run_on_thread_pool(launches, [plain[number] for number in numbers], (out,))
    return out


def _known_kernel(
    row: Any, plain: Sequence[np.ndarray], arrays: Sequence[np.ndarray], attributes: dict[str, Any]
) -> tuple[Any, ArraySpec, tuple[int, ...]] | None:
    """Returns the launches of an operation, the spec of its result, and the numbers of the operands that the launches take."""
    key = (row, *[(x.dtype, x.shape) for x in plain], *map(repr, attributes.values()))  # 0.0 equals -0.0
    known = _known.get(key)
    if known is None and key not in _known:
        if any(recorder.records_state for recorder in recorders.active):
            return None
        runs = _runs.get(row, 0)
        if runs < RUNS_BEFORE_KERNEL or compiling_threads:
            _runs[row] = runs + 1
            return None
        known = _kernel_of(row, plain, arrays, attributes)
        if len(_known) >= MOST_KEPT:
            _known.clear()
        _known[key] = known
    return known


def _in_row_major_order(arrays: Sequence[np.ndarray], copies_rows: bool = False) -> Sequence[np.ndarray] | None:
    """Returns the arrays in row-major order, or one element of each that repeats it.

    Args:
        arrays: the operands of an operation.
        copies_rows: whether the kernel of the operation saves more than a copy of rows that lie apart in memory costs.

    Returns:
        None if copies cost more than a kernel saves.
    """
    if all(x.flags.c_contiguous for x in arrays):
        return arrays
    size = max([x.size for x in arrays])
    found = []
    for x in map(_without_repetition, arrays):
        if x.flags.c_contiguous:
            found.append(x)
        elif x.size * LEAST_SIZE_OVER_COPY <= size:
            found.append(np.ascontiguousarray(x))
        else:
            copy = copy_by_kernel(x)
            if copy is None and not (copies_rows and x.strides[-1] == x.itemsize):
                return None
            found.append(np.ascontiguousarray(x) if copy is None else copy)
    return found


def _without_repetition(x: np.ndarray) -> np.ndarray:
    """Returns one element in place of an array that repeats it."""
    return x[(slice(0, 1),) * x.ndim] if x.ndim and not any(x.strides) else x  # x[()] would not be an array


def _kernel_of(
    row: Any, plain: Sequence[np.ndarray], arrays: Sequence[np.ndarray], attributes: dict[str, Any]
) -> tuple[Any, ArraySpec, tuple[int, ...]] | None:
    spec = row.result(*plain, **attributes)
    shape = np.broadcast_shapes(*[x.shape for x in arrays])
    if tuple(spec.shape) != shape:
        return None  # each operand repeats one element
    made = module_of(Hook.LARGE_ELEMENTWISE).single_operation_launches(row, plain, spec, attributes)
    return None if made is None else (made[0], spec, made[1])
