"""Maxima and means over sliding windows, and their gradients: the function of each for a window's cell.

In the forward direction, a unit of work is a line of windows. In the backward direction, where windows share cells, it
is all windows of an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, prod
from typing import Any

import numpy as np

from fastgrad._src.jit.body import scalar_function
from fastgrad._src.jit.build import Kernel
from fastgrad._src.kernels.convolution.sliding import pooling_kernel, window_sizes
from fastgrad._src.kernels.elementwise.half import with_half_floats
from fastgrad._src.kernels.math.vector_math import nan_greatest
from fastgrad._src.kernels.runtime.launch import Input, Launches, Operand, Output, Spec, single_launch

FLOATS = ("float32", "float64")
ORDERED_DTYPES = ("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16")
POSITION_DTYPES = ("int32", "int64")
CELL_NANOSECONDS = 0.1  # nanoseconds for a channel of a cell, about

# `sliding` documents the arguments of the functions below.


@scalar_function
def begin_with_lowest(x, y, values, out, acc, result_at, lanes, min_value):
    """Sets the maxima of a window to the lowest number of the dtype."""
    for o in range(lanes):
        acc[o] = V(min_value)


@scalar_function
def begin_with_zero(x, y, values, out, acc, result_at, lanes, min_value):
    """Sets the sums of a window to 0."""
    for o in range(lanes):
        acc[o] = V(0)


@scalar_function
def begin_with_window_value(x, y, values, out, acc, result_at, lanes, min_value):
    """Sets the accumulators to the window's values, such as the cotangents of its results."""
    for o in range(lanes):
        acc[o] = values[result_at + o]


@scalar_function
def begin_without_argmax(x, y, values, out, acc, result_at, lanes, min_value):
    """Sets accumulators, which tell whether the argmax cell is known, and results to 0."""
    for o in range(lanes):
        acc[o] = V(0)
        out[result_at + o] = V(0)


@scalar_function
def keep_largest(x, y, values, out, acc, result_at, cell_at, image_at, lanes, cell_count):
    """Replaces the maximum of each channel by the cell's element if that is larger."""
    for o in range(lanes):
        acc[o] = nan_greatest(acc[o], x[cell_at + o])


@scalar_function
def add_cell(x, y, values, out, acc, result_at, cell_at, image_at, lanes, cell_count):
    """Adds the cell's element of each channel to the window's sum."""
    for o in range(lanes):
        acc[o] += x[cell_at + o]


@scalar_function
def is_equal_or_both_nan(a, b):
    """True if two numbers are equal or both NaN; without `and` and `or`, whose branches prevent vectorisation."""
    return (a == b) | ((a != a) & (b != b))  # noqa: PLR0124 - of NaN


@scalar_function
def add_to_argmax_cell(x, y, values, out, acc, result_at, cell_at, image_at, lanes, cell_count):
    """Adds a window's value to `out` at the cell, if the cell is the argmax: the first that equals the maximum y."""
    for o in range(lanes):
        is_argmax = is_equal_or_both_nan(x[cell_at + o], y[result_at + o])
        out[cell_at + o] += acc[o] if is_argmax else V(0)
        acc[o] = V(0) if is_argmax else acc[o]


@scalar_function
def write_to_argmax_cell(x, y, values, out, acc, result_at, cell_at, image_at, lanes, cell_count):
    """Writes a window's value to `out` at the argmax cell, else 0, if no other window has the cell."""
    for o in range(lanes):
        is_argmax = is_equal_or_both_nan(x[cell_at + o], y[result_at + o])
        out[cell_at + o] = acc[o] + V(0) if is_argmax else V(0)  # the sum, so that -0.0 becomes 0.0 as in `to_winners`
        acc[o] = V(0) if is_argmax else acc[o]


@scalar_function
def read_from_argmax_cell(x, y, values, out, acc, result_at, cell_at, image_at, lanes, cell_count):
    """Writes the value at the window's argmax cell to the result; the accumulator is 1 after that cell."""
    for o in range(lanes):
        is_argmax = is_equal_or_both_nan(x[cell_at + o], y[result_at + o]) & (acc[o] == V(0))
        out[result_at + o] = values[cell_at + o] if is_argmax else out[result_at + o]
        acc[o] = V(1) if is_argmax else acc[o]


@scalar_function
def write_argmax_position(x, y, out, acc, result_at, cell_at, position, lanes):
    """Writes a cell's position to the result, if the cell is the window's argmax."""
    for o in range(lanes):
        is_argmax = is_equal_or_both_nan(x[cell_at + o], y[result_at + o]) & (acc[o] == V(0))
        out[result_at + o] = V(position + o) if is_argmax else out[result_at + o]
        acc[o] = V(1) if is_argmax else acc[o]


@scalar_function
def argmax_in_batch(x, y, values, out, acc, result_at, cell_at, image_at, lanes, cell_count):
    """Writes the position of the window's argmax cell in the batch."""
    write_argmax_position(x, y, out, acc, result_at, cell_at, cell_at, lanes)


@scalar_function
def argmax_in_image(x, y, values, out, acc, result_at, cell_at, image_at, lanes, cell_count):
    """Writes the position of the window's argmax cell in its image."""
    write_argmax_position(x, y, out, acc, result_at, cell_at, cell_at - image_at, lanes)


@scalar_function
def add_mean_cotangent(x, y, values, out, acc, result_at, cell_at, image_at, lanes, cell_count):
    """Adds the cotangent of a window's mean, divided by the number of cells, to a cell of `out`."""
    for o in range(lanes):
        out[cell_at + o] += acc[o] / V(cell_count)


@scalar_function
def write_result(x, y, values, out, acc, result_at, lanes, cell_count):
    """Writes the accumulators of a window's channels to the result."""
    for o in range(lanes):
        out[result_at + o] = acc[o]


@scalar_function
def write_mean(x, y, values, out, acc, result_at, lanes, cell_count):
    """Writes a window's means: the accumulated sums, divided by the number of cells."""
    for o in range(lanes):
        out[result_at + o] = acc[o] / V(cell_count)


_ARRAY_PARAMETERS = "x: in[T], y: in[T], values: in[V], out: out[V]"
largest_in_windows = pooling_kernel(
    "largest_in_windows",
    "out = the largest element of each window of `values`; `min_value` for a window without cells.",
    "x: in[V], y: in[V], values: in[V], out: out[V]",
    {"begin_window": begin_with_lowest, "process_cell": keep_largest, "end_window": write_result},
    V=ORDERED_DTYPES,
)
mean_of_windows = pooling_kernel(
    "mean_of_windows",
    "out = the mean of each window's cells inside the input.",
    "x: in[V], y: in[V], values: in[V], out: out[V]",
    {"begin_window": begin_with_zero, "process_cell": add_cell, "end_window": write_mean},
    V=FLOATS,
)
spread_means = pooling_kernel(
    "spread_means",
    "out = the cotangent of the input of `mean_of_windows`; `values` is the cotangent of the result.",
    "x: in[V], y: in[V], values: in[V], out: out[V]",
    {"begin_window": begin_with_window_value, "process_cell": add_mean_cotangent},
    V=FLOATS,
)
to_winners = pooling_kernel(
    "to_winners",
    "out = the values of windows, added up at the argmax cells: the first cells of x that equal the maxima y.",
    _ARRAY_PARAMETERS,
    {"begin_window": begin_with_window_value, "process_cell": add_to_argmax_cell},
    T=ORDERED_DTYPES,
    V=FLOATS,
)
to_winners_apart = pooling_kernel(
    "to_winners_apart",
    "out = the values of disjoint windows at their argmax cells, the first cells of x that equal the maxima y.",
    _ARRAY_PARAMETERS,
    {"begin_window": begin_with_window_value, "process_cell": write_to_argmax_cell},
    T=ORDERED_DTYPES,
    V=FLOATS,
)
from_winners = pooling_kernel(
    "from_winners",
    "out = the values at the windows' argmax cells, the first cells of x that equal the maxima y; else 0.",
    _ARRAY_PARAMETERS,
    {"begin_window": begin_without_argmax, "process_cell": read_from_argmax_cell},
    T=ORDERED_DTYPES,
    V=FLOATS,
)
winner_positions, winner_positions_of_image = [
    pooling_kernel(
        name,
        "out = the positions of the windows' argmax cells in the batch or in their image; y is the maxima.",
        _ARRAY_PARAMETERS,
        {"begin_window": begin_without_argmax, "process_cell": process_cell},
        {"out": "values"},
        T=ORDERED_DTYPES,
        V=POSITION_DTYPES,
    )
    for name, process_cell in (("winner_positions", argmax_in_batch), ("winner_positions_of_image", argmax_in_image))
]


# ---- launches of the operations ------------------------------------------------------------------------

OF_ONE_INPUT = Input(0), Input(0), Input(0), Output(0)
OF_THREE_INPUTS = Input(0), Input(1), Input(2), Output(0)


def _pooling_launches(
    kernels: Kernel,
    dtypes: tuple[np.dtype, ...],
    arrays: tuple[Operand, ...],
    x: Spec,
    y: Spec,
    window: dict[str, Any],
    writes_cells: bool,
    min_value: float = 0.0,
) -> Launches | None:
    """Returns the launches of a pooling kernel that visits the windows of x.

    Args:
        kernels: the kernel.
        dtypes: the dtypes to compile it for.
        arrays: for x, y, `values`, `out`.
        x, y: an array of the input's shape, and one of the result's.
        window: the attributes of the operation.
        writes_cells: whether the kernel writes the array of the input's shape.
        min_value: see `sliding`.
    """
    if any(dtype not in taken for dtype, taken in zip(dtypes, kernels.variables.values(), strict=True)):
        return None
    kernel = kernels[dtypes]
    cells, strides, padding, dilations = (window[key] for key in ("kernel", "strides", "padding", "dilations"))
    sizes = window_sizes(x.shape[1:-1], cells, y.shape[1:-1], strides, padding, dilations)
    if sizes is None:
        return None
    *outer, width, channels = y.shape
    lines = prod(outer[1:]) if writes_cells else 1
    cleared = prod(x.shape[1:]) if writes_cells and kernel.__name__ != "to_winners_apart" else 0
    units = outer[0] if writes_cells else prod(outer)
    cost = CELL_NANOSECONDS * channels * width * lines * prod(sizes[3:6])
    return single_launch(kernel, *arrays, channels, lines, cleared, min_value, *sizes, units=units, unit_cost=cost)


def _is_partition_into_windows(x: Spec, y: Spec, window: dict[str, Any]) -> bool:
    """True if each place of the input is a cell of exactly one window."""
    whole = window["strides"] == window["kernel"] and not any(map(any, window["padding"]))
    sizes = zip(x.shape[1:-1], y.shape[1:-1], window["kernel"], strict=True)
    return whole and max(window["dilations"]) == 1 and all(size == windows * cells for size, windows, cells in sizes)


@with_half_floats
def max_pool_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], **window: Any) -> Launches | None:
    """Returns the launches for the maxima of windows."""
    (x,), (y,) = inputs, outputs
    lowest = -inf if x.dtype.kind == "f" else float(np.iinfo(x.dtype).min)
    return _pooling_launches(largest_in_windows, (x.dtype,), OF_ONE_INPUT, x, y, window, False, lowest)


@with_half_floats
def max_pool_scatter_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], **window: Any) -> Launches | None:
    """Returns the launches that add the windows' values at the argmax cells: the gradient of max pooling."""
    x, y, v = inputs
    kernels = to_winners_apart if _is_partition_into_windows(x, y, window) else to_winners
    return _pooling_launches(kernels, (x.dtype, v.dtype), OF_THREE_INPUTS, x, y, window, True)


@with_half_floats
def max_pool_gather_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], **window: Any) -> Launches | None:
    """Returns the launches that read values at the windows' argmax cells: the tangents of max pooling."""
    x, y, v = inputs
    return _pooling_launches(from_winners, (x.dtype, v.dtype), OF_THREE_INPUTS, x, y, window, False)


@with_half_floats
def max_pool_argmax_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], dtype: str, with_batch: bool, **window: Any
) -> Launches | None:
    """Returns the launches for the positions of the windows' maxima, from the input and the maxima."""
    x, y = inputs
    kernels = winner_positions if with_batch else winner_positions_of_image
    arrays = Input(0), Input(1), Output(0), Output(0)
    return _pooling_launches(kernels, (x.dtype, outputs[0].dtype), arrays, x, y, window, False)


@with_half_floats
def avg_pool_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], **window: Any) -> Launches | None:
    """Returns the launches for the means of windows."""
    (x,), (y,) = inputs, outputs
    return _pooling_launches(mean_of_windows, (x.dtype,), OF_ONE_INPUT, x, y, window, False)


@with_half_floats
def avg_pool_gradient_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], input_shape: tuple[int, ...], **window: Any
) -> Launches | None:
    """Returns the launches for the input's cotangent, from the result's."""
    (g,), (x,) = inputs, outputs
    return _pooling_launches(spread_means, (g.dtype,), OF_ONE_INPUT, x, g, window, True)
