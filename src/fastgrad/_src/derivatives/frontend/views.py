"""Indexing: from views and indices to other views, and to indices of roots."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

from numba import types

from fastgrad._src.derivatives.frontend.builder import Builder
from fastgrad._src.derivatives.ir.operands import (
    Axis,
    Constant,
    Operand,
    Root,
    Scalar,
    View,
    equal_operands,
    index_constant,
    is_constant,
)
from fastgrad._src.derivatives.ir.scalar_operations import (
    AT_LEAST_0,
    DISTANCE,
    FROM_START,
    STEPS,
    njit_that_may_raise,
)
from fastgrad._src.derivatives.ir.statements import COST_OF_EFFECTS, Reshape
from fastgrad._src.derivatives.ir.values import Complex
from fastgrad._src.derivatives.numpy.loop_sources import check_signs, checked_first_size, size_or_rest
from fastgrad._src.jit.library_functions import njit_kept_on_disk
from fastgrad._src.scalars.formulas import DIVISION_COST
from fastgrad._src.scalars.terms import ADD, FLOOR_DIVIDE, MULTIPLY, SUBTRACT


class Slice(NamedTuple):
    """A slice of an axis; None where the user gave none."""

    start: Operand | None
    stop: Operand | None
    step: Operand | None


FULL_SLICE = Slice(None, None, None)
NEW_AXIS, ALL_AXES = object(), object()


@njit_kept_on_disk(error_model="numpy")
def slice_bound(bound, size):  # type: ignore[no-untyped-def]
    """Returns the position of a slice's bound within an axis: negative bounds count from the end."""
    bound = bound + size if bound < 0 else bound
    return 0 if bound < 0 else min(bound, size)


@njit_kept_on_disk(error_model="numpy")
def backward_bound(bound, size):  # type: ignore[no-untyped-def]
    """Returns the position of the bound of a slice that runs backwards: from -1 to the last element."""
    bound = bound + size if bound < 0 else bound
    return -1 if bound < 0 else size - 1 if bound >= size else bound


@njit_kept_on_disk(error_model="numpy")
def bound_of_step(bound, is_given, is_end, step, size):  # type: ignore[no-untyped-def]
    """Returns the position of a bound of a slice whose step has either sign; ``bound`` counts only if the user gave one."""
    if is_given:
        return slice_bound(bound, size) if step > 0 else backward_bound(bound, size)
    return (size if is_end else 0) if step > 0 else (-1 if is_end else size - 1)


@njit_that_may_raise
def step_count(start, stop, step):  # type: ignore[no-untyped-def]
    """Returns the number of elements of a slice."""
    if step == 0:
        raise ValueError("slice step cannot be zero")
    return max(0, (stop - start + step - 1) // step if step > 0 else (start - stop - step - 1) // -step)


@njit_that_may_raise
def checked_index(index, size):  # type: ignore[no-untyped-def]
    """Returns an index that counts from the start of an axis; raises as ``numba.njit(boundscheck=True)`` does."""
    position = index + size if index < 0 else index
    if position < 0 or position >= size:
        raise IndexError("index is out of bounds")
    return position


def normalize(builder: Builder, index: Operand, size: Operand) -> Operand:
    """Returns an index that counts from the start of an axis, as negative ones count from the end."""
    if not isinstance(index.type, types.Integer):
        raise builder.refuse("an index is no integer")
    if builder.checks_bounds:
        check = builder.call_of(checked_index, 2)
        return builder.index(check, index, size, cost=COST_OF_EFFECTS, is_natural=True)
    if index.is_natural:
        return index
    if isinstance(index, Constant):
        return builder.index(ADD, size, index, is_natural=True)
    return builder.index(FROM_START, index, size, is_natural=True)


def subview(builder: Builder, view: View, indices: list[Any]) -> View:
    """Returns the view of the elements that indices select: operands, slices, ``NEW_AXIS`` and ``ALL_AXES``."""
    consumed = sum(index is not NEW_AXIS and index is not ALL_AXES for index in indices)
    if consumed > len(view.axes):
        raise builder.refuse(f"{consumed} indices for an array of {len(view.axes)} axes")
    starts, axes, remaining = list(view.starts), [], iter(view.axes)
    for index in with_all_slices(indices, len(view.axes)):
        if index is NEW_AXIS:
            axes.append(Axis(None, index_constant(0), index_constant(1)))
            continue
        axis = next(remaining)
        if isinstance(index, Slice):
            start, sliced = _sliced_axis(builder, axis, index)
            axes.append(sliced)
        elif isinstance(index, (Constant, Scalar)):
            start = normalize(builder, index, axis.size)
        else:
            raise builder.refuse("this kind of index can't be differentiated")
        _move(builder, starts, axis, start)
    return View(view.root, starts, axes, view.parts)


def with_all_slices(indices: list[Any], rank: int) -> list[Any]:
    """Returns indices of all of ``rank`` axes: with slices for ``ALL_AXES``, else with slices at the end."""
    consumed = sum(index is not NEW_AXIS and index is not ALL_AXES for index in indices)
    place = next((number for number, index in enumerate(indices) if index is ALL_AXES), len(indices))
    return [*indices[:place], *[FULL_SLICE] * (rank - consumed), *indices[place + 1 :]]


def _sum(builder: Builder, first: Operand, second: Operand) -> Operand:
    return builder.index(ADD, first, second, is_natural=True)


def _move(builder: Builder, positions: list[Operand], axis: Axis, index: Operand) -> None:
    """Moves the positions along the axes of a root as far as an index of a view's axis goes."""
    if axis.root_axis is not None and not is_constant(index, 0):
        offset = builder.index(MULTIPLY, index, axis.step)
        positions[axis.root_axis] = _sum(builder, positions[axis.root_axis], offset)


def _sliced_axis(builder: Builder, axis: Axis, index: Slice) -> tuple[Operand, Axis]:
    """Returns the start and the axis of a slice of an axis."""
    if not (index.step is None or (isinstance(index.step, Constant) and index.step.value != 0)):
        return _axis_of_step(builder, axis, index, index.step)
    step = 1 if index.step is None else index.step.value
    if step == 1:
        if index.start is None and index.stop is None:
            return index_constant(0), Axis(axis.root_axis, axis.step, axis.size)
        left_out = _omitted_element_count(index)
        if left_out is not None:
            start, rest = index.start or index_constant(0), builder.index(SUBTRACT, axis.size, left_out)
            size = rest if rest is axis.size else builder.index(AT_LEAST_0, rest, is_natural=True)
            return start, Axis(axis.root_axis, axis.step, size)
    if step > 0:
        start = _bound(builder, index.start, axis.size, index_constant(0))
        stop = _bound(builder, index.stop, axis.size, axis.size)
        is_prefix = step == 1 and is_constant(start, 0)
        size = stop if is_prefix else builder.index(DISTANCE, start, stop, is_natural=True)
    else:
        last = builder.index(SUBTRACT, axis.size, index_constant(1))
        start = _backward_bound(builder, index.start, axis.size, last)
        stop = _backward_bound(builder, index.stop, axis.size, index_constant(-1))
        size = builder.index(DISTANCE, stop, start, is_natural=True)
    if step != 1:
        size = builder.index(STEPS, size, index_constant(abs(step)), is_natural=True)
    return start, Axis(axis.root_axis, builder.index(MULTIPLY, axis.step, index_constant(step)), size)


def _axis_of_step(builder: Builder, axis: Axis, index: Slice, step: Operand) -> tuple[Operand, Axis]:
    """Returns the start and the axis of a slice whose step is known at run time."""
    find = builder.call_of(bound_of_step, 5)
    start, stop = [
        builder.index(
            find, bound or index_constant(0), index_constant(bound is not None), index_constant(number), step, axis.size
        )
        for number, bound in enumerate((index.start, index.stop))
    ]
    size = builder.index(builder.call_of(step_count, 3), start, stop, step, cost=COST_OF_EFFECTS, is_natural=True)
    return start, Axis(axis.root_axis, builder.index(MULTIPLY, axis.step, step), size)


def _omitted_element_count(index: Slice) -> Constant | None:
    """Returns how many elements a slice leaves out of an axis that has as many, if its bounds are constants that count from both ends.

    All such slices of one axis that leave out equally many have the same size, as one can see: ``x[2:]``, ``x[1:-1]``, ``x[:-2]``.
    """
    start, stop = index.start or index_constant(0), index.stop or index_constant(0)
    if not isinstance(start, Constant) or not isinstance(stop, Constant) or start.value < 0 or stop.value > 0:
        return None
    return index_constant(start.value - stop.value) if index.stop is None or stop.value < 0 else None


def _bound(builder: Builder, bound: Operand | None, size: Operand, default: Operand) -> Operand:
    if bound is None or is_constant(bound, 0):
        return default if bound is None else bound
    if bound is size:
        return size
    return builder.index(builder.call_of(slice_bound, 2), bound, size, is_natural=True)


def _backward_bound(builder: Builder, bound: Operand | None, size: Operand, default: Operand) -> Operand:
    if bound is None:
        return default
    return builder.index(builder.call_of(backward_bound, 2), bound, size)


def root_indices(builder: Builder, view: View, indices: list[Operand]) -> list[Operand]:
    """Returns the indices of the root's element that ``indices``, normalized ones of all axes of a view, select."""
    positions = list(view.starts)
    for axis, index in zip(view.axes, indices, strict=True):
        _move(builder, positions, axis, index)
    return positions


def part(builder: Builder, view: View, number: int) -> View:
    """Returns the real parts of an array of complex numbers, or with number 1 the imaginary parts."""
    starts, axis = list(view.starts), view.parts
    assert axis is not None
    assert axis.root_axis is not None
    if number == 1:
        starts[axis.root_axis] = _sum(builder, starts[axis.root_axis], axis.step)
    return View(view.root, starts, view.axes, layout="A")


def load_real(builder: Builder, view: View, indices: list[Operand], hint: str = "t") -> Scalar:
    """Appends the read of an element of a view of real numbers."""
    indices = [normalize(builder, index, axis.size) for index, axis in zip(indices, view.axes, strict=True)]
    return builder.load(view.root, root_indices(builder, view, indices), hint)


def load_element(builder: Builder, view: View, indices: list[Operand], hint: str = "t") -> Scalar | Complex:
    """Appends the read of an element of a view."""
    if view.parts is None:
        return load_real(builder, view, indices, hint)
    return Complex(*[load_real(builder, part(builder, view, number), indices, hint) for number in range(2)])


def store_element(builder: Builder, view: View, indices: list[Operand], value: Operand | Complex) -> None:
    """Appends the write of an element of a view."""
    if view.parts is not None:
        zero = Constant(0.0, view.root.type.dtype)
        values = (value.real, value.imag) if isinstance(value, Complex) else (value, zero)
        for number in range(2):
            store_element(builder, part(builder, view, number), indices, values[number])
        return
    if isinstance(value, Complex):
        raise builder.refuse("a complex number is stored in an array of real numbers")
    indices = [normalize(builder, index, axis.size) for index, axis in zip(indices, view.axes, strict=True)]
    builder.store(view.root, value, root_indices(builder, view, indices))


def transpose(view: View, axes: list[int]) -> View:
    """Returns the view with its axes in another order."""
    return View(view.root, view.starts, [view.axes[axis] for axis in axes], view.parts)


def reshape(builder: Builder, view: View, dims: list[Operand], is_contiguous: bool) -> View:
    """Returns the elements of a contiguous view in C order with other sizes. One size may be negative: it follows from the others.

    Args:
        builder: appends what is needed.
        view: the array.
        dims: the new sizes.
        is_contiguous: whether Numba's type says that the view is contiguous in C order.
    """
    if not is_contiguous or view.root.type.layout != "C":
        raise builder.refuse("a reshape of an array that is not contiguous can't be differentiated; copy it first")
    if view.parts is not None:
        return reshape(builder, view.real(), [*dims, view.parts.size], is_contiguous).complex()
    dims = list(dims)
    total = product(builder, view.sizes)
    signed = [number for number, size in enumerate(dims) if not size.is_natural]
    for first, second in itertools.combinations(signed, 2):
        builder.index(builder.call_of(check_signs, 2), dims[first], dims[second])
    for number in signed:
        others = product(builder, [size for place, size in enumerate(dims) if place != number])
        is_rest = isinstance(dims[number], Constant)
        if is_rest and is_constant(others, 1):
            dims[number] = total
        elif is_rest:
            dims[number] = builder.index(FLOOR_DIVIDE, total, others, is_natural=True)
        else:
            rest = builder.call_of(size_or_rest, 3)
            dims[number] = builder.index(rest, dims[number], total, others, cost=2 * DIVISION_COST, is_natural=True)
    count = product(builder, dims)
    if not equal_operands(count, total):
        check, leading = builder.call_of(checked_first_size, 3), dims[0] if dims else index_constant(1)
        dims[:1] = [builder.index(check, leading, count, total, cost=DIVISION_COST, is_natural=True)][: len(dims)]
    if view.is_whole():
        return View.whole(_reshaped_root(builder, view.root, dims))
    sizes = view.root.dims
    strides = [product(builder, sizes[axis + 1 :]) for axis in range(len(sizes))]
    start: Operand = index_constant(0)
    for position, stride in zip(view.starts, strides, strict=True):
        start = _sum(builder, start, builder.index(MULTIPLY, position, stride))
    flat = _reshaped_root(builder, view.root, [product(builder, sizes)])
    axes = [Axis(0, product(builder, dims[axis + 1 :]), size) for axis, size in enumerate(dims)]
    return View(flat, [start], axes)


def _reshaped_root(builder: Builder, source: Root, dims: list[Operand]) -> Root:
    """Returns the elements of a contiguous root as a root of other sizes."""
    root = builder.root(types.Array(source.type.dtype, len(dims), "C"), "reshaped", source.name, dims)
    root.source = source
    builder.block.statements.append(Reshape(builder.location, root))
    return root


def product(builder: Builder, factors: list[Operand]) -> Operand:
    """Returns the product of integers."""
    result: Operand = index_constant(1)
    for factor in factors:
        result = builder.index(MULTIPLY, result, factor)
    return result
