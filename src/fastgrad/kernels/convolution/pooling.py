"""Maxima and means over sliding windows, and their gradients: the function of each for a window's cell.

In the forward direction, a unit of work is a line of windows. In the backward direction, where windows share cells, it
is all windows of an image.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, prod
from typing import Any

import numpy as np

from fastgrad.kernels.codegen.body import scalar_function
from fastgrad.kernels.convolution.sliding import window_kernel, window_sizes
from fastgrad.kernels.elementwise.half import through_float32
from fastgrad.kernels.math.vector_math import nan_greatest
from fastgrad.kernels.runtime.launch import Input, Launches, Operand, Output, Spec, single_launch

FLOATS = ("float32", "float64")
ORDERED_DTYPES = ("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16")
POSITION_DTYPES = ("int32", "int64")
CELL_NANOSECONDS = 0.1  # nanoseconds for a channel of a cell, about

# `sliding` documents the arguments of the functions below.


@scalar_function
def begin_with_lowest(x, y, v, out, work, at, lanes, lowest):
    """Starts a maximum with the lowest number of the dtype."""
    for o in range(lanes):
        work[o] = V(lowest)


@scalar_function
def begin_with_zero(x, y, v, out, work, at, lanes, lowest):
    """Starts a sum with 0."""
    for o in range(lanes):
        work[o] = V(0)


@scalar_function
def begin_with_window_number(x, y, v, out, work, at, lanes, lowest):
    """Starts a gradient with the number that the window gives to its cells."""
    for o in range(lanes):
        work[o] = v[at + o]


@scalar_function
def begin_without_winner(x, y, v, out, work, at, lanes, lowest):
    """Starts with no winning cell; the result of a window without a winning cell is 0."""
    for o in range(lanes):
        work[o] = V(0)
        out[at + o] = V(0)


@scalar_function
def keep_largest(x, y, v, out, work, at, cell, image, lanes, count):
    """Replaces the maximum of each channel by the cell's element if that is larger."""
    for o in range(lanes):
        work[o] = nan_greatest(work[o], x[cell + o])


@scalar_function
def add_cell(x, y, v, out, work, at, cell, image, lanes, count):
    """Adds the cell's element of each channel to the window's sum."""
    for o in range(lanes):
        work[o] += x[cell + o]


@scalar_function
def is_result(p, q):
    """True if a cell has the window's result. (`and` and `or` would add branches, which prevent vectorisation.)"""
    return (p == q) | ((p != p) & (q != q))  # noqa: PLR0124 - of NaN


@scalar_function
def add_to_winner(x, y, v, out, work, at, cell, image, lanes, count):
    """Adds the window's number to its first cell that has the window's result."""
    for o in range(lanes):
        won = is_result(x[cell + o], y[at + o])
        out[cell + o] += work[o] if won else V(0)
        work[o] = V(0) if won else work[o]


@scalar_function
def write_to_winner(x, y, v, out, work, at, cell, image, lanes, count):
    """Writes the window's number to its first cell with the window's result, if no other window has the cell."""
    for o in range(lanes):
        won = is_result(x[cell + o], y[at + o])
        out[cell + o] = work[o] + V(0) if won else V(0)  # the sum, so that -0.0 becomes 0.0 as in `to_winners`
        work[o] = V(0) if won else work[o]


@scalar_function
def read_from_winner(x, y, v, out, work, at, cell, image, lanes, count):
    """Reads the number of the first cell that has the window's result; `work` is 1 from then on."""
    for o in range(lanes):
        won = is_result(x[cell + o], y[at + o]) & (work[o] == V(0))
        out[at + o] = v[cell + o] if won else out[at + o]
        work[o] = V(1) if won else work[o]


@scalar_function
def write_winner_position(x, y, out, work, at, cell, place, lanes):
    """Writes the position, if the cell is the first that has the window's result."""
    for o in range(lanes):
        won = is_result(x[cell + o], y[at + o]) & (work[o] == V(0))
        out[at + o] = V(place + o) if won else out[at + o]
        work[o] = V(1) if won else work[o]


@scalar_function
def winner_in_batch(x, y, v, out, work, at, cell, image, lanes, count):
    """Writes the position in the batch of the first cell that has the window's result."""
    write_winner_position(x, y, out, work, at, cell, cell, lanes)


@scalar_function
def winner_in_image(x, y, v, out, work, at, cell, image, lanes, count):
    """Writes the position in its image of the first cell that has the window's result."""
    write_winner_position(x, y, out, work, at, cell, cell - image, lanes)


@scalar_function
def add_equal_share(x, y, v, out, work, at, cell, image, lanes, count):
    """Adds an equal share of the window's number to each cell."""
    for o in range(lanes):
        out[cell + o] += work[o] / V(count)


@scalar_function
def write_result(x, y, v, out, work, at, lanes, count):
    """Writes the numbers of a window's channels from `work` to the result."""
    for o in range(lanes):
        out[at + o] = work[o]


@scalar_function
def write_mean(x, y, v, out, work, at, lanes, count):
    """Writes a window's means: the sums in `work`, divided by the number of cells."""
    for o in range(lanes):
        out[at + o] = work[o] / V(count)


_ARRAY_PARAMETERS = "x: in[T], y: in[T], v: in[V], out: out[V]"
largest_in_windows = window_kernel(
    "largest_in_windows",
    "out = the largest element of each window of v; `lowest` where it has none.",
    "x: in[V], y: in[V], v: in[V], out: out[V]",
    {"begin": begin_with_lowest, "visit": keep_largest, "end": write_result},
    V=ORDERED_DTYPES,
)
mean_of_windows = window_kernel(
    "mean_of_windows",
    "out = the mean of each window's cells inside the input.",
    "x: in[V], y: in[V], v: in[V], out: out[V]",
    {"begin": begin_with_zero, "visit": add_cell, "end": write_mean},
    V=FLOATS,
)
spread_means = window_kernel(
    "spread_means",
    "out = the cotangent of `mean_of_windows`' x from v, the result's.",
    "x: in[V], y: in[V], v: in[V], out: out[V]",
    {"begin": begin_with_window_number, "visit": add_equal_share},
    V=FLOATS,
)
to_winners = window_kernel(
    "to_winners",
    "out = the numbers v of the windows, added up at the first cells of x that have their windows' results y.",
    _ARRAY_PARAMETERS,
    {"begin": begin_with_window_number, "visit": add_to_winner},
    T=ORDERED_DTYPES,
    V=FLOATS,
)
to_winners_apart = window_kernel(
    "to_winners_apart",
    "out = the numbers v of windows that share no cell, at the first cells of x that have their windows' results y.",
    _ARRAY_PARAMETERS,
    {"begin": begin_with_window_number, "visit": write_to_winner},
    T=ORDERED_DTYPES,
    V=FLOATS,
)
from_winners = window_kernel(
    "from_winners",
    "out = the numbers v of the first cells of x that have their windows' results y; 0 for a window without one.",
    _ARRAY_PARAMETERS,
    {"begin": begin_without_winner, "visit": read_from_winner},
    T=ORDERED_DTYPES,
    V=FLOATS,
)
winner_positions, winner_positions_of_image = [
    window_kernel(
        name,
        "out = where the first cells of x lie that have their windows' results y, in the batch or in their image.",
        _ARRAY_PARAMETERS,
        {"begin": begin_without_winner, "visit": visit},
        {"out": "v"},
        T=ORDERED_DTYPES,
        V=POSITION_DTYPES,
    )
    for name, visit in (("winner_positions", winner_in_batch), ("winner_positions_of_image", winner_in_image))
]


# ---- launches of the operations ------------------------------------------------------------------------


def _pooling_launches(
    kernel: Any,
    arrays: tuple[Operand, ...],
    x: Spec,
    y: Spec,
    window: dict[str, Any],
    scatters: bool,
    lowest: float = 0.0,
) -> Launches | None:
    """Returns the launches of a pooling kernel that visits the windows of x.

    Args:
        kernel: the kernel.
        arrays: for x, y, v, out.
        x, y: an array of the input's shape, and one of the result's.
        window: the attributes of the operation.
        scatters: whether the kernel writes the array of the input's shape.
        lowest: see `sliding`.
    """
    kinds = (window[key] for key in ("kernel", "strides", "padding", "dilations"))
    cells, strides, padding, dilations = kinds
    sizes = window_sizes(x.shape[1:-1], cells, y.shape[1:-1], strides, padding, dilations)
    if sizes is None:
        return None
    *outer, width, channels = y.shape
    lines = prod(outer[1:]) if scatters else 1
    cleared = prod(x.shape[1:]) if scatters and kernel.__name__ != "to_winners_apart" else 0
    units = outer[0] if scatters else prod(outer)
    cost = CELL_NANOSECONDS * channels * width * lines * prod(sizes[3:6])
    return single_launch(kernel, *arrays, channels, lines, cleared, lowest, *sizes, units=units, unit_cost=cost)


def _windows_partition_input(x: Spec, y: Spec, window: dict[str, Any]) -> bool:
    """True if each place of the input is a cell of one window."""
    whole = window["strides"] == window["kernel"] and not any(map(any, window["padding"]))
    sizes = zip(x.shape[1:-1], y.shape[1:-1], window["kernel"], strict=True)
    return whole and max(window["dilations"]) == 1 and all(size == windows * cells for size, windows, cells in sizes)


@through_float32
def max_pool_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], **window: Any) -> Launches | None:
    """Returns the launches for the maxima of windows."""
    (x,), (y,) = inputs, outputs
    if x.dtype.name not in ORDERED_DTYPES:
        return None
    lowest = -inf if x.dtype.kind == "f" else float(np.iinfo(x.dtype).min)
    arrays = Input(0), Input(0), Input(0), Output(0)
    return _pooling_launches(largest_in_windows[x.dtype], arrays, x, y, window, False, lowest)


@through_float32
def max_pool_scatter_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], **window: Any) -> Launches | None:
    """Returns the launches that add numbers of windows to the cells that have the maxima."""
    x, y, v = inputs
    if x.dtype.name not in ORDERED_DTYPES or v.dtype.name not in FLOATS:
        return None
    kernel = to_winners_apart if _windows_partition_input(x, y, window) else to_winners
    return _pooling_launches(kernel[x.dtype, v.dtype], (Input(0), Input(1), Input(2), Output(0)), x, y, window, True)


@through_float32
def max_pool_gather_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], **window: Any) -> Launches | None:
    """Returns the launches that read the numbers of the cells that have the windows' maxima."""
    x, y, v = inputs
    if x.dtype.name not in ORDERED_DTYPES or v.dtype.name not in FLOATS:
        return None
    return _pooling_launches(
        from_winners[x.dtype, v.dtype], (Input(0), Input(1), Input(2), Output(0)), x, y, window, False
    )


@through_float32
def max_pool_argmax_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], dtype: str, with_batch: bool, **window: Any
) -> Launches | None:
    """Returns the launches for the positions of the windows' maxima, from the input and the maxima."""
    x, y = inputs
    if x.dtype.name not in ORDERED_DTYPES:
        return None
    kernel = winner_positions if with_batch else winner_positions_of_image
    return _pooling_launches(
        kernel[x.dtype, outputs[0].dtype], (Input(0), Input(1), Output(0), Output(0)), x, y, window, False
    )


@through_float32
def avg_pool_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], **window: Any) -> Launches | None:
    """Returns the launches for the means of windows."""
    (x,), (y,) = inputs, outputs
    if x.dtype.name not in FLOATS:
        return None
    arrays = Input(0), Input(0), Input(0), Output(0)
    return _pooling_launches(mean_of_windows[x.dtype], arrays, x, y, window, False)


@through_float32
def avg_pool_gradient_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], input_shape: tuple[int, ...], **window: Any
) -> Launches | None:
    """Returns the launches for the input's cotangent, from the result's."""
    (g,), (x,) = inputs, outputs
    if g.dtype.name not in FLOATS:
        return None
    arrays = Input(0), Input(0), Input(0), Output(0)
    return _pooling_launches(spread_means[g.dtype], arrays, x, g, window, True)
