"""Lazy look-up of kernels for operations: imports a kernel module when a program or a large array first needs it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Unpack

import numpy as np

from fastgrad._src.core.call_signature import INEXACT_TYPES, exact_key
from fastgrad._src.core.operation import ALL_DTYPES, Form, Operation, RowParts, operation
from fastgrad._src.core.result_rules import Rule, Specs, specs_of
from fastgrad._src.kernels.movement.memory_order import LEAST_COPIED_ELEMENTS, in_row_major_order, run_in_memory_order
from fastgrad._src.kernels.runtime.eager_launch import call_eagerly, is_work_for_pool, run_on_thread_pool
from fastgrad._src.kernels.runtime.launch import Launches, Spec, part_of

KERNEL_MIN_ELEMENTS = 1 << 15
"""The size of the largest array, in elements, from which a kernel is faster than a few passes of NumPy."""
LEAST_MOVED_ELEMENTS = 1 << 18
"""The elements from which copies on all threads are faster than NumPy's."""
TRANSCENDENTAL_NANOSECONDS_PER_ELEMENT = 0.5
"""The approximate cost of one exponential, sine and so on, in nanoseconds."""
KERNEL_FLOATS: frozenset[np.dtype] = frozenset([np.dtype(np.float32), np.dtype(np.float64)])
"""The floats that kernels take without widening."""


def launches_from(module: str, function: str, *arguments: Any) -> Callable[..., Launches | None]:
    """Returns the ``launches`` of an operation; imports the module at the first call.

    Args:
        module: the name of a module, below ``fastgrad._src.kernels``.
        function: the name of a function in it, from ``(inputs, outputs, **attributes)`` to launches.
        *arguments: if given, ``function(*arguments)`` makes the function above.
    """

    def imported_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], **attributes: Any) -> Launches | None:
        launches_function = getattr(importlib.import_module(f"fastgrad._src.kernels.{module}"), function)
        plan: Launches | None = (launches_function(*arguments) if arguments else launches_function)(
            inputs, outputs, **attributes
        )
        return plan

    return imported_launches


_cached_launches: dict[tuple[Any, ...], tuple[Launches | None, Specs]] = {}
_MAX_CACHED_LAUNCHES = 4096
_get_dtype_and_shape, _get_size = attrgetter("dtype", "shape"), attrgetter("size")


def cached_launches(
    launches: Callable[..., Launches | None], result: Rule, inputs: Sequence[Any], attributes: dict[str, Any]
) -> tuple[Launches | None, Specs]:
    """Returns an operation's launches and the specs of its results, cached by attributes, shapes and dtypes.

    The launches are None if no kernel takes the inputs, if an array has objects, or if the results have no elements.

    Args:
        launches: the ``launches`` of the operation, a pure function.
        result: the result rule of the operation.
        inputs: the arrays.
        attributes: the attributes, hashable.
    """
    values = attributes.values()
    keys = [exact_key(value) if type(value) in INEXACT_TYPES else value for value in values]
    key = (launches, *map(_get_dtype_and_shape, inputs), *attributes, *map(type, values), *keys)
    entry = _cached_launches.get(key)
    if entry is None:
        specs = result(*inputs, **attributes)
        outputs = specs_of(specs)
        plan = None
        if any(map(_get_size, outputs)) and not any(x.dtype.hasobject for x in (*inputs, *outputs)):
            plan = launches(inputs, outputs, **attributes)
        if plan is not None and plan.alias:
            copies_and_jumps = importlib.import_module("fastgrad._src.kernels.runtime.copies_and_jumps")
            plan = copies_and_jumps.copy_launches(outputs[0].size * outputs[0].dtype.itemsize)
        entry = plan, specs
        if len(_cached_launches) >= _MAX_CACHED_LAUNCHES:
            _cached_launches.clear()
        _cached_launches[key] = entry
    return entry


def make_float_kernel_run(
    name: str,
    by_numpy: Callable[[np.ndarray], Any],
    module: str = "transcendental",
    nanoseconds: float = TRANSCENDENTAL_NANOSECONDS_PER_ELEMENT,
) -> Callable[[np.ndarray], Any]:
    """Returns a ``run`` of one array that calls a kernel for float32 and float64, ``by_numpy`` for other arrays.

    The kernel's error is at most 2 ulp, and its bits equal those of programs.

    Args:
        name: the name of the kernel in ``fastgrad._src.kernels.elementwise``.
        by_numpy: the function for other dtypes. NumPy's float32 functions have errors up to 4 ulp and differ between
            processors.
        module: the module of the kernel.
        nanoseconds: the approximate cost of one element.
    """
    kernels: dict[np.dtype, Any] = {}  # then the `Kernel`, which is a dictionary by dtype

    def run_float_kernel(x: np.ndarray) -> Any:
        nonlocal kernels
        dtype = x.dtype
        kernel = kernels.get(dtype)
        if kernel is None:
            if dtype not in KERNEL_FLOATS:
                return by_numpy(x)
            kernels = getattr(importlib.import_module(f"fastgrad._src.kernels.elementwise.{module}"), name)
            kernel = kernels[dtype]
        size = x.size
        if size >= LEAST_COPIED_ELEMENTS and (result := run_in_memory_order(run_float_kernel, x)) is not None:
            return result
        out = np.empty(x.shape, dtype)
        if is_work_for_pool(size * nanoseconds):
            call_eagerly(kernel, (in_row_major_order(x),), out, units=size, unit_cost=nanoseconds)
        else:
            kernel(x, out, 0, size)
        return out

    return run_float_kernel


def make_pair_kernel_run(
    name: str,
    by_numpy: Callable[[np.ndarray, np.ndarray], Any],
    module: str = "activation",
    nanoseconds: float = TRANSCENDENTAL_NANOSECONDS_PER_ELEMENT,
) -> Callable[[np.ndarray, np.ndarray], Any]:
    """Returns a ``run`` of two arrays that broadcast; else as ``make_float_kernel_run``."""

    def run_pair_kernel(x: np.ndarray, y: np.ndarray) -> Any:
        if x.dtype not in KERNEL_FLOATS:
            return by_numpy(x, y)
        if x.shape != y.shape:
            x, y = [np.ascontiguousarray(array) for array in np.broadcast_arrays(x, y)]
        if x.size >= LEAST_COPIED_ELEMENTS and (result := run_in_memory_order(run_pair_kernel, x, y)) is not None:
            return result
        kernels = getattr(importlib.import_module(f"fastgrad._src.kernels.elementwise.{module}"), name)
        out = np.empty(x.shape, x.dtype)
        call_eagerly(kernels[x.dtype], (x, y), out, units=x.size, unit_cost=nanoseconds)
        return out

    return run_pair_kernel


def make_kernel_run(
    launches: Callable[..., Launches | None],
    result: Rule,
    by_numpy: Callable[..., Any] | None = None,
    min_elements: int = 0,
    *,
    raise_error: Callable[..., object] | None = None,
    moves_elements: bool = False,
) -> Callable[..., Any]:
    """Returns a ``run`` that calls an operation's kernels, so that eager results equal compiled results bit for bit.

    Args:
        launches: the ``launches`` of the operation.
        result: the result rule of the operation.
        by_numpy: the function for arrays without kernels, if there are any.
        min_elements: the number of elements of the largest array below which ``by_numpy`` is faster; it gives the same bits.
        raise_error: raises the error of inputs at which a kernel stops; takes the arguments of ``run``.
        moves_elements: whether each element of the result is an element of an input, or 0: ``run`` takes texts, too.
    """

    def run_kernels(*arrays: np.ndarray, **attributes: Any) -> Any:
        if min_elements and by_numpy is not None and max(map(_get_size, arrays)) < min_elements:
            return by_numpy(*arrays, **attributes)
        inputs: Sequence[np.ndarray] = arrays
        for x in arrays:
            if not x.flags.c_contiguous:
                inputs = [in_row_major_order(array).reshape(array.shape) for array in arrays]
                break
        plan, specs = cached_launches(launches, result, inputs, attributes)
        if plan is None and by_numpy is not None:
            return by_numpy(*arrays, **attributes)
        all_specs: Any = specs if type(specs) is tuple else (specs,)
        if plan is not None and plan.unpacked:
            places = [(inputs[number], offset) for _, number, offset in plan.unpacked]
            outputs = tuple([part_of(*place, spec) for place, spec in zip(places, all_specs, strict=True)])
        else:
            outputs = tuple([np.empty(*spec) for spec in all_specs])
        if plan is None:
            if any(map(_get_size, outputs)):
                is_movable = moves_elements and outputs[0].dtype.hasobject
                assert is_movable, f"no kernels for {[(x.dtype.name, x.shape) for x in arrays]}"
                return _move_objects(run_kernels, *arrays, **attributes)
            if raise_error is not None:
                raise_error(*arrays, **attributes)
        elif not run_on_thread_pool(plan, inputs, outputs):
            assert raise_error is not None, f"a kernel stopped at {[(x.dtype.name, x.shape) for x in arrays]}"
            raise_error(*arrays, **attributes)
            raise AssertionError("a kernel stopped at inputs without an error")
        return outputs if type(specs) is tuple else outputs[0]

    run_kernels.launches = launches  # type: ignore[attr-defined]  # read by the pass that keeps eager bits
    return run_kernels


def make_move_run(
    run: Callable[..., np.ndarray], launches: Callable[..., Launches | None], result: Rule
) -> Callable[..., Any]:
    """Returns the ``run_if_large`` of an operation that copies elements: kernels copy arrays in row-major order.

    Args:
        run, launches, result: of the operation.
    """
    run_kernels = make_kernel_run(launches, result, run)

    def run_move(*arrays: np.ndarray, **attributes: Any) -> Any:
        return (run_kernels if all(x.flags.c_contiguous for x in arrays) else run)(*arrays, **attributes)

    return run_move


def _move_objects(run: Callable[..., np.ndarray], *arrays: np.ndarray, **attributes: Any) -> np.ndarray:
    """Runs an operation that moves elements on arrays of objects: moves positions, then takes the objects at these."""
    inputs, objects = [], [np.array([attributes.get("padding", 0)], object)]  # of elements that are from no input
    attributes |= {"padding": 0} if "padding" in attributes else {}
    count = 1
    for x in arrays:
        if x.dtype.hasobject:
            objects.append(x.reshape(-1))
            x = np.arange(count, count + x.size).reshape(x.shape)
            count += x.size
        inputs.append(x)
    return np.concatenate(objects)[run(*inputs, **attributes)]


def kernel_operation(  # noqa: PLR0913  # each argument is a part of a row
    name: str,
    form: Form,
    *,
    launches: Callable[..., Launches | None],
    result: Rule,
    by_numpy: Callable[..., Any] | None = None,
    min_elements: int = 0,
    raise_error: Callable[..., object] | None = None,
    moves_elements: bool = False,
    dtypes: frozenset[np.dtype] = ALL_DTYPES,
    **row: Unpack[RowParts],
) -> Operation:
    """Declares an operation with a ``run`` that calls its kernels; ``dtypes`` and ``row`` are arguments of ``operation``."""
    run = make_kernel_run(
        launches, result, by_numpy, min_elements, raise_error=raise_error, moves_elements=moves_elements
    )
    return operation(name, form, run=run, launches=launches, result=result, dtypes=dtypes, **row)
