"""Where rows of the table find their kernels: in modules that are imported when the first program, or much work, needs them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgrad.kernels.movement.in_order import LARGE, as_in_memory, in_order
from fastgrad.kernels.runtime.eager_launch import SHARED_FROM, call_at_once, run_at_once
from fastgrad.kernels.runtime.launch import Launches, Spec

MUCH = 1 << 15
"""Elements of the largest array from which on a row's kernels are faster than a few passes of NumPy."""
TRANSCENDENTAL = 0.5
"""Nanoseconds of an exponential, a sine ..., about."""


def launches_from(module: str, function: str, *arguments: Any) -> Callable[..., Launches | None]:
    """The ``launches`` of a row, by the name of the function that gives them.

    Args:
        module: of ``fastgrad.kernels``.
        function: in it, ``(inputs, outputs, **attributes)`` to launches; with ``arguments`` a function of those that makes it.
    """

    def launches(inputs: Sequence[Spec], outputs: Sequence[Spec], **attributes: Any) -> Launches | None:
        given = getattr(importlib.import_module(f"fastgrad.kernels.{module}"), function)
        found: Launches | None = (given(*arguments) if arguments else given)(inputs, outputs, **attributes)
        return found

    return launches


_plans: dict[tuple[Any, ...], Any] = {}
_MOST_PLANS = 4096


def planned(
    launches: Callable[..., Launches | None],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    attributes: dict[str, Any],
) -> Launches | None:
    """What a row's ``launches`` gives, which is kept for arrays of these shapes and dtypes.

    Args:
        launches: of a row; its answer follows from what is given to it.
        inputs, outputs, attributes: what is given; the attributes are hashable.
    """
    key = (launches, *[(x.dtype, x.shape) for x in (*inputs, *outputs)], *attributes.items())
    found: Launches | None = _plans.get(key, NotImplemented)
    if found is NotImplemented:  # None is an answer
        found = launches(inputs, outputs, **attributes)
        if len(_plans) >= _MOST_PLANS:
            _plans.clear()
        _plans[key] = found
    return found


_WITH_KERNELS = frozenset([np.dtype(np.float32), np.dtype(np.float64)])


def by_kernel_of_floats(name: str, by_numpy: Callable[[np.ndarray], Any]) -> Callable[[np.ndarray], Any]:
    """A ``run`` of one array: for float32 and float64 a kernel, which is exact to 2 ulp and gives the bits of programs.

    Args:
        name: of the kernel, in ``fastgrad.kernels.elementwise.transcendental``.
        by_numpy: for other dtypes; NumPy's float32 functions are off by up to 4 ulp, and differ between processors.
    """
    kernels: dict[np.dtype, Any] = {}

    def run(x: np.ndarray) -> Any:
        dtype = x.dtype
        kernel = kernels.get(dtype)
        if kernel is None:
            if dtype not in _WITH_KERNELS:
                return by_numpy(x)
            module = importlib.import_module("fastgrad.kernels.elementwise.transcendental")
            kernel = kernels[dtype] = getattr(module, name)[dtype]
        size = x.size
        if size >= LARGE and (found := as_in_memory(run, x)) is not None:
            return found
        out = np.empty(x.shape, dtype)
        if size * TRANSCENDENTAL < SHARED_FROM:
            kernel(x, out, 0, size)
        else:
            call_at_once(kernel, (x,), out, units=size, unit_cost=TRANSCENDENTAL)
        return out

    return run


def by_launches(launches: Callable[..., Launches | None], by_numpy: Callable[..., Any]) -> Callable[..., np.ndarray]:
    """A ``run`` whose result has the arrays' broadcast shape and dtype: by the row's kernels, to the bits of programs.

    Args:
        launches: the row's.
        by_numpy: where there are no kernels.
    """

    def run(*arrays: np.ndarray, **attributes: Any) -> np.ndarray:
        y = np.empty(np.broadcast_shapes(*[x.shape for x in arrays]), arrays[0].dtype)
        if not y.size:
            return y
        inputs = [in_order(x) for x in arrays]
        planned_launches = planned(launches, inputs, (y,), attributes)
        if planned_launches is None:
            return np.asarray(by_numpy(*arrays, **attributes))
        run_at_once(planned_launches, inputs, (y,))
        return y

    return run


def by_kernels_if_much(
    launches: Callable[..., Launches | None],
    by_numpy: Callable[..., np.ndarray],
    result: Callable[..., tuple[tuple[int, ...], np.dtype]],
) -> Callable[..., np.ndarray]:
    """A row's ``run``: by its kernels where there is much to do, and there are any; else by NumPy, to the same bits.

    Args:
        launches: the row's.
        by_numpy: takes arrays and the row's attributes.
        result: takes the same, and gives the shape and the dtype of the result.
    """

    def run(*arrays: np.ndarray, **attributes: Any) -> np.ndarray:
        if max([array.size for array in arrays]) >= MUCH:
            y = np.empty(*result(*arrays, **attributes))
            inputs = [in_order(array) for array in arrays]
            found = planned(launches, inputs, (y,), attributes) if y.size else None
            if found is not None:
                run_at_once(found, inputs, (y,))
                return y
        return by_numpy(*arrays, **attributes)

    return run
