"""Derivatives compiled both ways: their code written as LLVM IR, and their text compiled by Numba."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import numpy as np
from numba.core.runtime import rtsys
from numba.typed import List

from fastgrad._src.derivatives import outlined_functions, transforms
from fastgrad._src.derivatives.codegen import code_compiler
from fastgrad._src.derivatives.transform.adjoint_emission import AdjointEmitter
from fastgrad._src.derivatives.transform_cache import result_leaves
from fastgrad._src.jit import numba_features
from fastgrad._src.jit.numba_canaries import Feature
from tests.derivatives.table import active, copy_of


@contextlib.contextmanager
def compiled_from_text() -> Iterator[None]:
    """Compiles derivatives from their text: the feature that writes LLVM IR is off."""
    features = numba_features.features() - {Feature.EMISSION}
    with (
        mock.patch.object(numba_features, "features", return_value=features),
        mock.patch.object(outlined_functions, "_dispatchers", {}),
    ):
        yield


def bits(value: Any) -> Any:
    """Returns the types and the bytes of a result."""
    if isinstance(value, (tuple, list)):
        return [bits(item) for item in value]
    array = np.asarray(value)
    return str(array.dtype), array.shape, array.tobytes() if array.dtype.kind != "O" else repr(value)


def derivatives_of(function: Any, arguments: tuple[Any, ...]) -> list[Callable[[], Any]]:
    """Returns calls of the pullback and of the forward mode of a function."""
    positions = tuple(n for n, value in enumerate(arguments) if active((value,)) or _is_list_of_floats(value))
    result = function(*map(copy_of, arguments))
    count = len(result_leaves(result))
    pull = transforms.pullback(function, positions, count, has_result=False)
    push = transforms.forward_dispatcher(function, positions)
    seeds = [_like(leaf) for leaf in result_leaves(result)]
    directions = [_like(arguments[position]) for position in positions]
    return [
        lambda: pull(*map(copy_of, arguments), *seeds),
        lambda: push(*map(copy_of, arguments), *directions),
    ]


def _is_list_of_floats(value: Any) -> bool:
    return (
        isinstance(value, (list, List)) and len(value) > 0 and bool(active((value[0],)) or _is_list_of_floats(value[0]))
    )


def _like(value: Any) -> Any:
    """Returns a cotangent or a tangent of a value."""
    if isinstance(value, (list, List)):
        return type(value)(map(_like, value))
    if isinstance(value, tuple):
        return tuple(map(_like, value))
    array = np.asarray(value)
    filled = np.cos(np.arange(1.0, array.size + 1.0)).reshape(array.shape)
    filled = filled.astype(array.dtype if array.dtype.kind in "fc" else np.float64)
    return (
        filled
        if isinstance(value, np.ndarray)
        else filled.dtype.type(filled[()]).item()
        if array.dtype != np.float32
        else np.float32(filled)
    )


def outcome(call: Callable[[], Any]) -> Any:
    """Returns the bits of a result, or the exception."""
    try:
        return bits(call())
    except Exception as error:  # noqa: BLE001  # both ways raise the same
        return type(error).__name__, str(error)[:60]


def references_left(call: Callable[[], Any]) -> int:
    """Returns how many allocations of Numba's runtime a call leaves."""
    outcome(call)
    gc.collect()
    before = rtsys.get_allocation_stats()
    for _ in range(3):
        outcome(call)
    gc.collect()
    after = rtsys.get_allocation_stats()
    return (after.alloc - before.alloc) - (after.free - before.free)


def differences(function: Any, arguments: tuple[Any, ...]) -> list[str]:
    """Returns what differs between both ways: bits, exceptions and references, and code that was not written as LLVM IR."""
    with mock.patch.object(AdjointEmitter, "_is_sum_of_a_loop", return_value=False):  # LLVM may add in any order
        return _differences(function, arguments)


def _differences(function: Any, arguments: tuple[Any, ...]) -> list[str]:
    found = []
    del code_compiler.NOT_EMITTED[:]
    for kind, call in zip(("reverse", "forward"), derivatives_of(function, arguments), strict=True):
        written = outcome(call)
        left = references_left(call)
        with compiled_from_text():
            other = derivatives_of(function, arguments)[kind == "forward"]
            expected = outcome(other)
            left_by_text = references_left(other)
        if written != expected:
            found.append(f"{kind}: {written} instead of {expected}")
        if left != left_by_text:
            found.append(f"{kind}: {left} references are left, {left_by_text} by the text")
    return [*found, *[f"{name}: {reason}" for name, reason in code_compiler.NOT_EMITTED]]
