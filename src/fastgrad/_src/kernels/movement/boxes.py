"""Copies of boxes between arrays: rolls, shifts, mirror padding, bands and diagonals."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod

import numpy as np

from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.movement.layout import Layout, contiguous, merged_dimensions
from fastgrad._src.kernels.movement.strided import launches_in_order, strided_copy_launch
from fastgrad._src.kernels.runtime.launch import Constant, Input, Launch, Launches, Output, Scratch, Spec

FLOATS = ("float32", "float64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")

AxisCopy = tuple[int, int, int, int]
"""Along one axis: the start of reading, the start of writing, the number of elements, and the step of reading, 1 or
-1."""


def box_layout(shape: Sequence[int], starts: Sequence[int], sizes: Sequence[int], steps: Sequence[int]) -> Layout:
    """Returns the layout of a box in a contiguous array."""
    offset, below, dims = 0, 1, []
    for length, start, size, step in reversed(list(zip(shape, starts, sizes, steps, strict=True))):
        offset += start * below
        dims.append((size, step * below))
        below *= length
    return Layout(offset, merged_dimensions(reversed(dims)))


def box_copies(x: Spec, y: Spec, axis_copies: Sequence[Sequence[AxisCopy]]) -> list[Launch | None]:
    """Returns a copying launch for each combination of one piece of every axis."""
    launches: list[Launch | None] = []
    for pieces in product(*axis_copies):
        reads, writes, sizes, steps = zip(*pieces, strict=True) if pieces else ((), (), (), ())
        if prod(sizes):
            source, target = (
                box_layout(x.shape, reads, sizes, steps),
                box_layout(y.shape, writes, sizes, [1] * len(sizes)),
            )
            launches.append(strided_copy_launch(Input(0), Output(0), x.dtype, source, target))
    return launches


def fill_launch(y: Spec, value: object) -> Launch | None:
    """Returns the launch that sets every element of the result to one value."""
    size = prod(y.shape)
    constant = Constant(np.array(value).astype(y.dtype).reshape(1))
    return strided_copy_launch(
        constant, Output(0), y.dtype, Layout(0, merged_dimensions([(size, 0)])), contiguous(size)
    )


def roll_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], shift: tuple[int, ...], axis: tuple[int, ...]
) -> Launches | None:
    """``tf.roll``."""
    x, y = inputs[0], outputs[0]
    axes = []
    for number, size in enumerate(x.shape):
        by = sum(s for s, a in zip(shift, axis, strict=True) if a == number) % max(size, 1)
        axes.append([(0, by, size - by, 1), (size - by, 0, by, 1)])
    return launches_in_order(box_copies(x, y, axes))


def shift_by_one_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], axis: int, reverse: bool) -> Launches | None:
    """Returns the launches that shift elements by one place along an axis, with 0 in the free place."""
    x, y = inputs[0], outputs[0]
    axes = [[(0, 0, size, 1)] for size in x.shape]
    size = x.shape[axis]
    axes[axis] = [(1, 0, size - 1, 1) if reverse else (0, 1, size - 1, 1)]
    starts, sizes = [0] * len(x.shape), list(x.shape)
    starts[axis], sizes[axis] = size - 1 if reverse else 0, 1
    free_place = box_layout(y.shape, starts, sizes, [1] * len(sizes))
    zeros = Layout(0, merged_dimensions([(prod(sizes), 0)]))
    fill = strided_copy_launch(Constant(np.zeros(1, y.dtype)), Output(0), y.dtype, zeros, free_place)
    return launches_in_order([fill, *box_copies(x, y, axes)])


def mirror_pad_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], paddings: tuple[tuple[int, int], ...], edge: int
) -> Launches | None:
    """``tf.pad`` with the mirror images of the elements; ``edge`` is 1 if the outermost elements are not repeated."""
    x, y = inputs[0], outputs[0]
    axes = [
        [(low - 1 + edge, 0, low, -1), (0, low, size, 1), (size - 1 - edge, low + size, high, -1)]
        for size, (low, high) in zip(x.shape, paddings, strict=True)
    ]
    return launches_in_order(box_copies(x, y, axes))


@kernel(
    "g: in[T], out: out[T], size: int, low: int, high: int, edge: int, inner: int, first: int, last: int",
    T=(*FLOATS, *INTEGERS),
)
def add_mirror_images(g, out, size, low, high, edge, inner, first, last):
    """Adds the mirror images at both ends of an axis to their sources; a unit is one index of the outer axes."""
    for outer in range(first, last):
        at = (outer * (size + low + high) + low) * inner
        for k in range(size):
            left, right = edge - 1 - k, 2 * size - 1 - edge - k
            for i in range(inner):
                total = g[at + k * inner + i]
                if edge <= k < edge + low:
                    total += g[at + left * inner + i]
                if size - edge - high <= k < size - edge:
                    total += g[at + right * inner + i]
                out[(outer * size + k) * inner + i] = total


def mirror_pad_gradient_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], paddings: tuple[tuple[int, int], ...], edge: int
) -> Launches | None:
    """Returns the launches of the transpose of `tf.pad` with mirror images, axis by axis."""
    (g,) = inputs
    if g.dtype.name not in (*FLOATS, *INTEGERS):
        return None
    shape, launches = list(g.shape), []
    scratch: list[tuple[np.dtype, int]] = []
    axes = [axis for axis, pair in enumerate(paddings) if any(pair)]
    place: Input | Scratch = Input(0)
    for axis in axes:
        low, high = paddings[axis]
        shape[axis] -= low + high
        to = Output(0) if axis == axes[-1] else Scratch(len(scratch))
        sizes = shape[axis], low, high, edge, prod(shape[axis + 1 :])
        launches.append(
            Launch(add_mirror_images[g.dtype], (place, to, *sizes), prod(shape[:axis]), 1.0 * prod(shape[axis:]))
        )
        if isinstance(to, Scratch):
            scratch.append((g.dtype, prod(shape)))
            place = to
    return Launches(tuple(launches), tuple(scratch), alias=not axes)


@kernel(
    "x: in[T], y: out[T], rows: int, columns: int, lower: int, upper: int, units: int, first: int, last: int",
    T=("uint8", "uint16", "uint32", "uint64"),
)
def copy_band(x, y, rows, columns, lower, upper, units, first, last):
    """Copies the band from `lower` diagonals below the main one to `upper` above it, else zeros; negative means all."""
    for r in range(first, last):
        i = r % rows
        left = 0 if lower < 0 else i - lower
        right = columns - 1 if upper < 0 else i + upper
        at = r * columns
        if units == 1:
            for j in range(columns):
                y[at + j] = x[at + j] if left <= j <= right else T(0)
            continue
        for j in range(columns):
            for k in range(units):
                y[(at + j) * units + k] = x[(at + j) * units + k] if left <= j <= right else T(0)


def band_part_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], lower: int, upper: int) -> Launches:
    """``tf.linalg.band_part``."""
    (x,) = inputs
    rows, columns = x.shape[-2:]
    size = x.dtype.itemsize
    unit, words = f"uint{8 * min(size, 8)}", max(size // 8, 1)
    operands = Input(0), Output(0), rows, columns, lower, upper, words
    one = Launch(copy_band[unit], operands, prod(x.shape[:-1]), 0.3 * columns * words)
    return Launches((one,), in_place=((0, 0),))


# ---- diagonals -----------------------------------------------------------------------------------------

PackedDiagonals = Sequence[tuple[int, int, int]]
"""(diagonal, its start in its packed row, length), in the order of the packed rows."""


def _diagonal_layout(matrix: Sequence[int], k: int, length: int) -> Layout:
    """Returns the layout of a diagonal of each of several matrices."""
    rows, columns = matrix[-2:]
    offset = max(-k, 0) * columns + max(k, 0)
    return Layout(offset, merged_dimensions([(prod(matrix[:-2]), rows * columns), (length, columns + 1)]))


def _packed_diagonal_layout(packed: Sequence[int], batch: int, position: int, start: int, length: int) -> Layout:
    """Returns the layout of a packed diagonal, in an array of shape (..., widest) or (..., count, widest)."""
    widest = packed[-1]
    whole = prod(packed) // max(batch, 1)
    return Layout(position * widest + start, merged_dimensions([(batch, whole), (length, 1)]))


def diag_part_launches(x: Spec, y: Spec, diagonals: PackedDiagonals, padding: object) -> Launches | None:
    """Returns the launches that pack diagonals of matrices."""
    batch, launches = prod(x.shape[:-2]), []
    if len(diagonals) > 1:
        launches.append(fill_launch(y, padding))
    for position, (k, start, length) in enumerate(diagonals):
        if length:
            target = _packed_diagonal_layout(y.shape, batch, position, start, length)
            launches.append(
                strided_copy_launch(Input(0), Output(0), x.dtype, _diagonal_layout(x.shape, k, length), target)
            )
    return launches_in_order(launches)


def write_diagonals_launches(
    d: Spec, y: Spec, diagonals: PackedDiagonals, input_number: int, fill_launches: Sequence[Launch | None]
) -> Launches | None:
    """Returns the launches that write packed diagonals, input number `input_number`, into matrices."""
    batch, launches = prod(y.shape[:-2]), list(fill_launches)
    for position, (k, start, length) in enumerate(diagonals):
        if length:
            source = _packed_diagonal_layout(d.shape, batch, position, start, length)
            launches.append(
                strided_copy_launch(
                    Input(input_number), Output(0), d.dtype, source, _diagonal_layout(y.shape, k, length)
                )
            )
    return launches_in_order(launches)
