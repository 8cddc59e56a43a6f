"""Lazy look-up of kernels for operations: imports a kernel module when a program or a large array first needs it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from fastgrad.kernels.movement.in_order import LARGE, as_in_memory, in_order
from fastgrad.kernels.runtime.eager_launch import LEAST_SHARED_NANOSECONDS, call_eagerly, run_eagerly
from fastgrad.kernels.runtime.launch import Launches, Spec

MUCH = 1 << 15
"""The size of the largest array, in elements, from which a kernel is faster than a few passes of NumPy."""
TRANSCENDENTAL = 0.5
"""The approximate cost of one exponential, sine and so on, in nanoseconds."""
KERNEL_FLOATS: frozenset[np.dtype] = frozenset([np.dtype(np.float32), np.dtype(np.float64)])
"""The floats that kernels take without widening."""


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
_spec, _size = attrgetter("dtype", "shape"), attrgetter("size")


def planned(
    launches: Callable[..., Launches | None],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    attributes: dict[str, Any],
) -> Launches | None:
    """Returns ``launches(inputs, outputs, **attributes)``, cached by attributes and by shapes and dtypes of inputs.

    Args:
        launches: the ``launches`` of an operation, a pure function.
        inputs: its first argument.
        outputs: its second; their shapes and dtypes follow from the inputs and attributes.
        attributes: its other arguments, hashable.
    """
    key = (launches, *map(_spec, inputs), *attributes.items())
    plan: Launches | None = _plans.get(key, NotImplemented)
    if plan is NotImplemented:  # None is a valid cached result
        plan = launches(inputs, outputs, **attributes)
        if len(_plans) >= _MAX_CACHED_PLANS:
            _plans.clear()
        _plans[key] = plan
    return plan


def by_kernel_of_floats(
    name: str,
    by_numpy: Callable[[np.ndarray], Any],
    module: str = "transcendental",
    cost: float = TRANSCENDENTAL,
) -> Callable[[np.ndarray], Any]:
    """Makes a ``run`` of one array that calls a kernel for float32 and float64.

    The kernel's error is at most 2 ulp, and its bits equal those of programs.

    Args:
        name: the name of the kernel in ``fastgrad.kernels.elementwise``.
        by_numpy: the function for other dtypes. NumPy's float32 functions have errors up to 4 ulp and differ between
            processors.
        module: the module of the kernel.
        cost: the approximate cost of one element, in nanoseconds.
    """
    kernels: dict[np.dtype, Any] = {}  # then the `Kernel`, which is a dictionary by dtype

    def run(x: np.ndarray) -> Any:
        nonlocal kernels
        dtype = x.dtype
        kernel = kernels.get(dtype)
        if kernel is None:
            if dtype not in KERNEL_FLOATS:
                return by_numpy(x)
            kernels = getattr(importlib.import_module(f"fastgrad.kernels.elementwise.{module}"), name)
            kernel = kernels[dtype]
        size = x.size
        if size >= LARGE and (result := as_in_memory(run, x)) is not None:
            return result
        out = np.empty(x.shape, dtype)
        if size * cost < LEAST_SHARED_NANOSECONDS:
            kernel(x, out, 0, size)
        else:
            call_eagerly(kernel, (x,), out, units=size, unit_cost=cost)
        return out

    return run


def by_kernels(
    launches: Callable[..., Launches | None],
    allocated: Callable[..., Any],
    by_numpy: Callable[..., Any] | None = None,
) -> Callable[..., Any]:
    """Makes a ``run`` that calls the operation's kernels, so that its bits equal those of programs.

    Args:
        launches: the ``launches`` of the operation.
        allocated: returns new arrays for the results, one or a tuple, from the arrays and attributes.
        by_numpy: the function for arrays without kernels, if there are any.
    """

    def run(*arrays: np.ndarray, **attributes: Any) -> Any:
        results = allocated(*arrays, **attributes)
        if type(results) is tuple:
            outputs = results
        elif results.size:
            outputs = (results,)
        else:
            return results
        inputs: Sequence[np.ndarray] = arrays
        for x in arrays:
            if not x.flags.c_contiguous:
                inputs = [in_order(array) for array in arrays]
                break
        plan = planned(launches, inputs, outputs, attributes)
        if plan is not None:
            run_eagerly(plan, inputs, outputs)
            return results
        if by_numpy is not None:
            return by_numpy(*arrays, **attributes)
        assert not any(map(_size, outputs)), f"no kernels for {[(x.dtype.name, x.shape) for x in arrays]}"
        return results

    return run


def like_first(x: np.ndarray, *_: np.ndarray, **__: Any) -> np.ndarray:
    """Returns a new array of the shape and dtype of the first, for ``by_kernels``."""
    return np.empty(x.shape, x.dtype)


def broadcast(*arrays: np.ndarray, **_: Any) -> np.ndarray:
    """Returns a new array of the broadcast shape of ``arrays`` and the dtype of the first, for ``by_kernels``."""
    return np.empty(np.broadcast_shapes(*[x.shape for x in arrays]), arrays[0].dtype)


def by_kernels_if_much(
    launches: Callable[..., Launches | None],
    allocated: Callable[..., np.ndarray],
    by_numpy: Callable[..., np.ndarray],
    least: int = MUCH,
) -> Callable[..., np.ndarray]:
    """Makes a ``run`` as ``by_kernels`` for arrays of ``least`` elements or more, else NumPy's; both give the same bits."""
    by_kernel = by_kernels(launches, allocated, by_numpy)

    def run(*arrays: np.ndarray, **attributes: Any) -> Any:
        is_much = max(map(_size, arrays)) >= least
        return (by_kernel if is_much else by_numpy)(*arrays, **attributes)

    return run
