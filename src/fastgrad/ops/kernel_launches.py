"""Lazy look-up of kernels for operations: imports a kernel module when a program or a large array first needs it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastgrad.kernels.movement.in_order import LARGE, as_in_memory, in_order
from fastgrad.kernels.runtime.eager_launch import SHARED_FROM, call_at_once, run_at_once
from fastgrad.kernels.runtime.launch import Launches, Spec

MUCH = 1 << 15
"""The size of the largest array, in elements, from which a kernel is faster than a few passes of NumPy."""
TRANSCENDENTAL = 0.5
"""The approximate cost of one exponential, sine and so on, in nanoseconds."""


def launches_from(module: str, function: str, *arguments: Any) -> Callable[..., Launches | None]:
    """Returns the ``launches`` of an operation; imports the module at the first call.

    Args:
        module: the name of a module, below ``fastgrad.kernels``.
        function: the name of a function in it, from ``(inputs, outputs, **attributes)`` to launches.
        *arguments: if given, ``function(*arguments)`` makes the function above.
    """

    def launches(inputs: Sequence[Spec], outputs: Sequence[Spec], **attributes: Any) -> Launches | None:
        launches_function = getattr(importlib.import_module(f"fastgrad.kernels.{module}"), function)
        plan: Launches | None = (launches_function(*arguments) if arguments else launches_function)(
            inputs, outputs, **attributes
        )
        return plan

    return launches


_plans: dict[tuple[Any, ...], Any] = {}
_MAX_CACHED_PLANS = 4096


def planned(
    launches: Callable[..., Launches | None],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    attributes: dict[str, Any],
) -> Launches | None:
    """Returns ``launches(inputs, outputs, **attributes)``, cached by shapes, dtypes and attributes.

    Args:
        launches: the ``launches`` of an operation, a pure function.
        inputs, outputs, attributes: its arguments; the attributes are hashable.
    """
    key = (launches, *[(x.dtype, x.shape) for x in (*inputs, *outputs)], *attributes.items())
    plan: Launches | None = _plans.get(key, NotImplemented)
    if plan is NotImplemented:  # None is a valid cached result
        plan = launches(inputs, outputs, **attributes)
        if len(_plans) >= _MAX_CACHED_PLANS:
            _plans.clear()
        _plans[key] = plan
    return plan


_KERNEL_DTYPES = frozenset([np.dtype(np.float32), np.dtype(np.float64)])


def by_kernel_of_floats(name: str, by_numpy: Callable[[np.ndarray], Any]) -> Callable[[np.ndarray], Any]:
    """Makes a ``run`` of one array that calls a kernel for float32 and float64.

    The kernel's error is at most 2 ulp, and its bits equal those of programs.

    Args:
        name: the name of the kernel in ``fastgrad.kernels.elementwise.transcendental``.
        by_numpy: the function for other dtypes. NumPy's float32 functions have errors up to 4 ulp and differ between
            processors.
    """
    kernels: dict[np.dtype, Any] = {}

    def run(x: np.ndarray) -> Any:
        dtype = x.dtype
        kernel = kernels.get(dtype)
        if kernel is None:
            if dtype not in _KERNEL_DTYPES:
                return by_numpy(x)
            module = importlib.import_module("fastgrad.kernels.elementwise.transcendental")
            kernel = kernels[dtype] = getattr(module, name)[dtype]
        size = x.size
        if size >= LARGE and (result := as_in_memory(run, x)) is not None:
            return result
        out = np.empty(x.shape, dtype)
        if size * TRANSCENDENTAL < SHARED_FROM:
            kernel(x, out, 0, size)
        else:
            call_at_once(kernel, (x,), out, units=size, unit_cost=TRANSCENDENTAL)
        return out

    return run


def by_launches(launches: Callable[..., Launches | None], by_numpy: Callable[..., Any]) -> Callable[..., np.ndarray]:
    """Makes a ``run`` that calls the operation's kernels, so that its bits equal those of programs.

    The result has the broadcast shape of the arrays and the dtype of the first.

    Args:
        launches: the ``launches`` of the operation.
        by_numpy: the function for arrays without kernels.
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
    """Makes a ``run`` that calls kernels for arrays of ``MUCH`` elements or more, else NumPy; both give the same bits.

    Args:
        launches: the ``launches`` of the operation; where it gives None, NumPy computes.
        by_numpy: the NumPy function of arrays and the operation's attributes.
        result: returns the shape and the dtype of the result, from the same arguments.
    """

    def run(*arrays: np.ndarray, **attributes: Any) -> np.ndarray:
        if max([array.size for array in arrays]) >= MUCH:
            y = np.empty(*result(*arrays, **attributes))
            inputs = [in_order(array) for array in arrays]
            plan = planned(launches, inputs, (y,), attributes) if y.size else None
            if plan is not None:
                run_at_once(plan, inputs, (y,))
                return y
        return by_numpy(*arrays, **attributes)

    return run
