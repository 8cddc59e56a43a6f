"""Copies of elements between strided layouts: index maps that no kernel reads through, joining and padding.

Kernels move bits: their types are unsigned integers of an element's width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Any

import numpy as np

from fastgrad._src.jit.body import transpose_rows
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.math.vector_math import greatest, least
from fastgrad._src.kernels.movement.layout import (
    Layout,
    contiguous,
    cuts_of,
    sizes_between_cuts,
    split_dimensions,
    union_of_cuts,
)
from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Operand, Output, Scratch, Spec

ELEMENT_DTYPES = ("uint8", "uint16", "uint32", "uint64")
VECTOR_DTYPES = ("uint32", "uint64")
LEAST_VECTOR_SIDE = 8  # least rows and columns for which transposing vectors pays
MOST_SHORT_ROW_ELEMENTS, LEAST_ROWS_MOVED_TOGETHER = 8, 64
"""The most elements of rows whose columns are moved one after another, and the least number of such rows."""
MOVE_RANK = 6
TILE_SIDE = 16
MATRIX_SIGNATURE = (
    "x: in[T], y: out[T], batch: int, rows: int, columns: int, x_from: int, xb: int, xr: int, xc: int, y_from: int, yb: int, "
    "yr: int, yc: int, first: int, last: int"
)


@kernel(
    "x: in[T], y: out[T], n0: int, n1: int, n2: int, n3: int, n4: int, n5: int, x_from: int, x0: int, x1: int, x2: int, "
    "x3: int, x4: int, x5: int, y_from: int, y0: int, y1: int, y2: int, y3: int, y4: int, y5: int, first: int, last: int",
    noalias=True,
    T=ELEMENT_DTYPES,
)
def move(x, y, n0, n1, n2, n3, n4, n5, x_from, x0, x1, x2, x3, x4, x5, y_from, y0, y1, y2, y3, y4, y5, first, last):
    """y = x over six dimensions, each read and written with its strides; units are elements."""
    row = first // n5
    k4, rest = row % n4, row // n4
    k3, rest = rest % n3, rest // n3
    k2, rest = rest % n2, rest // n2
    k1, k0 = rest % n1, rest // n1
    for r in range(row, (last + n5 - 1) // n5):
        a = x_from + k0 * x0 + k1 * x1 + k2 * x2 + k3 * x3 + k4 * x4
        b = y_from + k0 * y0 + k1 * y1 + k2 * y2 + k3 * y3 + k4 * y4
        start, stop = greatest(first - r * n5, 0), least(last - r * n5, n5)
        if y5 == 1 and x5 == 1:
            for j in range(start, stop):
                y[b + j] = x[a + j]
        elif y5 == 1 and x5 == 0:
            for j in range(start, stop):
                y[b + j] = x[a]
        else:
            for j in range(start, stop):
                y[b + j * y5] = x[a + j * x5]
        k4 += 1
        if k4 == n4:
            k4 = 0
            k3 += 1
            if k3 == n3:
                k3 = 0
                k2 += 1
                if k2 == n2:
                    k2 = 0
                    k1 += 1
                    if k1 == n1:
                        k1 = 0
                        k0 += 1


@kernel(MATRIX_SIGNATURE, noalias=True, T=ELEMENT_DTYPES)
def move_tiles(x, y, batch, rows, columns, x_from, xb, xr, xc, y_from, yb, yr, yc, first, last):
    """y = x over transposed matrices, in tiles, so that each cache line is fetched once; units are bands of rows."""
    bands = (rows + 15) // 16
    for u in range(first, last):
        k = u // bands
        top = (u - k * bands) * 16
        bottom = least(top + 16, rows)
        for left in range(0, columns, 16):
            right = least(left + 16, columns)
            for i in range(top, bottom):
                a, b = x_from + k * xb + i * xr, y_from + k * yb + i * yr
                for j in range(left, right):
                    y[b + j * yc] = x[a + j * xc]


@kernel(MATRIX_SIGNATURE, noalias=True, T=VECTOR_DTYPES)
def transpose_tiles(x, y, batch, rows, columns, x_from, xb, xr, xc, y_from, yb, yr, yc, first, last):
    """y = x over matrices whose columns are contiguous in x, and whose rows are contiguous in y."""
    bands = (rows + 15) // 16
    for u in range(first, last):
        k = u // bands
        top = (u - k * bands) * 16
        a, b = x_from + k * xb + top, y_from + k * yb + top * yr
        transpose_rows(x, a, xc, y, b, yr, least(16, rows - top), columns)


@kernel("y: out[T], first: int, last: int", T=ELEMENT_DTYPES)
def clear_elements(y, first, last):
    """y = 0; units are elements."""
    for i in range(first, last):
        y[i] = T(0)


def strided_copy_launch(
    x: Operand, y: Operand, dtype: np.dtype, source: Layout | None, target: Layout | None
) -> Launch | None:
    """Returns the launch that copies elements, reading x by one layout and writing y by another.

    Args:
        x, y: the arrays.
        dtype: of both.
        source, target: layouts of equally many elements, or None; no two elements of ``target`` are the same.

    Returns:
        The launch; None if these kernels do not support it, or a layout is None.
    """
    if source is None or target is None:
        return None
    dims = _common_dimensions(source, target)
    if dims is None or dtype.kind == "O":
        return None
    if dtype.itemsize == 16:
        dims = [(size, 2 * a, 2 * b) for size, a, b in dims]
        dims = _merged_dimensions([*dims, (2, 1, 1)])
        source, target = source._replace(offset=2 * source.offset), target._replace(offset=2 * target.offset)
    if len(dims) > MOVE_RANK:
        return None
    width = f"uint{8 * min(dtype.itemsize, 8)}"
    if 2 <= len(dims) <= 3 and abs(dims[-1][1]) > TILE_SIDE and abs(dims[-2][1]) == 1:
        batch, rows, columns = [(1, 0, 0)] * (3 - len(dims)) + dims
        numbers = [batch[0], rows[0], columns[0]]
        for offset, of in ((source.offset, 1), (target.offset, 2)):
            numbers += [offset, batch[of], rows[of], columns[of]]
        units = batch[0] * -(-rows[0] // TILE_SIDE)
        if (rows[1], columns[2]) == (1, 1) and min(rows[0], columns[0]) >= LEAST_VECTOR_SIDE and width in VECTOR_DTYPES:
            return Launch(transpose_tiles[width], (x, y, *numbers), units)
        if prod(n for n, _, _ in dims) > 4096:
            return Launch(move_tiles[width], (x, y, *numbers), units)
    if has_short_rows([size for size, _, _ in dims]):
        dims = [*dims[:-2], dims[-1], dims[-2]]
    dims = [(1, 0, 0)] * (MOVE_RANK - len(dims)) + dims
    sizes, reads, writes = zip(*dims, strict=True)
    return Launch(move[width], (x, y, *sizes, source.offset, *reads, target.offset, *writes), prod(sizes))


def has_short_rows(sizes: Sequence[int]) -> bool:
    """True if the last of these dimensions is so short that the loop over the one before it is the inner loop."""
    return len(sizes) > 1 and sizes[-1] <= MOST_SHORT_ROW_ELEMENTS and sizes[-2] >= LEAST_ROWS_MOVED_TOGETHER


class ScratchCopies:
    """Launches that copy operands to scratch memory, in the order in which the kernel after them reads the elements.

    Attributes:
        before, scratch: for `Launches`.
        known: whether all copies are supported.
    """

    def __init__(self) -> None:
        self.before: list[Launch] = []
        self.scratch: list[tuple[np.dtype, int]] = []
        self.known = True

    def copy_to_scratch(self, operand: Operand, dtype: np.dtype, layout: Layout | None, size: int) -> Scratch:
        """Returns scratch memory with the `size` elements that a layout reads of an operand."""
        place = Scratch(len(self.scratch))
        copy = strided_copy_launch(operand, place, dtype, layout, contiguous(size))
        if copy is None:
            self.known = False
        else:
            self.before.append(copy)
        self.scratch.append((dtype, size))
        return place

    def launches_after_copies(self, *launches: Launch) -> Launches | None:
        """Returns the launches of the copies followed by `launches`; None if a copy is not supported."""
        return Launches((*self.before, *launches), tuple(self.scratch)) if self.known else None


def _common_dimensions(source: Layout, target: Layout) -> list[tuple[int, int, int]] | None:
    """Returns (size, stride read, stride written) of the fewest dimensions that express both layouts."""
    cuts = union_of_cuts(*[cuts_of([size for size, _ in layout.dims]) for layout in (source, target)])
    if cuts is None:
        return None
    sizes = sizes_between_cuts(cuts, target.total)
    reads, writes = split_dimensions(source.dims, sizes), split_dimensions(target.dims, sizes)
    if reads is None or writes is None:
        return None
    return _merged_dimensions([(size, a, b) for (size, a), (_, b) in zip(reads, writes, strict=True)])


def _merged_dimensions(dims: Sequence[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    merged: list[tuple[int, int, int]] = []
    for size, a, b in dims:
        if size == 1:
            continue
        if merged and merged[-1][1:] == (size * a, size * b):
            merged[-1] = merged[-1][0] * size, a, b
        else:
            merged.append((size, a, b))
    return merged


def clear_launch(y: Operand, spec: Spec) -> Launch:
    """Returns the launch that sets all elements of an array to zero."""
    parts = max(1, spec.dtype.itemsize // 8)
    return Launch(clear_elements[f"uint{8 * min(spec.dtype.itemsize, 8)}"], (y,), prod(spec.shape) * parts)


ViewLayouts = Callable[..., "list[Layout] | None"]
"""``(layout, shape, results, **attributes)``: the layouts of an index map's results, of shapes ``results``, when the
input, of shape ``shape``, has the layout ``layout``; None if there are none."""


def make_view_launches(views: ViewLayouts) -> Callable[..., Launches | None]:
    """Returns the ``launches`` of an index map whose results are views of its input: copies."""

    def view_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], **attributes: Any) -> Launches | None:
        x = inputs[0]
        if not prod(x.shape):
            return None
        layouts = views(contiguous(prod(x.shape)), x.shape, [y.shape for y in outputs], **attributes)
        if layouts is None:
            return None
        if len(layouts) == 1 and layouts[0] == contiguous(layouts[0].total):
            return Launches((), alias=True)
        return launches_in_order(
            strided_copy_launch(Input(0), Output(i), x.dtype, layout, contiguous(layout.total))
            for i, layout in enumerate(layouts)
            if prod(outputs[i].shape)
        )

    return view_launches


def single_result_layouts(layout: Layout | None) -> list[Layout] | None:
    """Returns the list of layouts of an index map with one result; None if it has no layout."""
    return None if layout is None else [layout]


def launches_in_order(launches: Iterable[Launch | None]) -> Launches | None:
    """Returns ``Launches`` of these launches, in order; None if a launch is None."""
    existing_launches = []
    for launch in launches:
        if launch is None:
            return None
        existing_launches.append(launch)
    return Launches(tuple(existing_launches))


def copy_into_slices_launches(
    result: Spec, fill_launches: Sequence[Launch | None], placements: Sequence[tuple[Spec, Layout | None]]
) -> Launches | None:
    """Returns launches that write the inputs, in order, to parts of the only result.

    Args:
        result: the result.
        fill_launches: the launches that run first.
        placements: each input with the layout of its elements in the result; None makes the whole result None.
    """
    launches = list(fill_launches)
    for i, (x, place) in enumerate(placements):
        if prod(x.shape) or place is None:
            launches.append(strided_copy_launch(Input(i), Output(0), result.dtype, contiguous(prod(x.shape)), place))
    return launches_in_order(launches)
