"""Reductions of dtypes that fused loops do not support, and reductions that are more than one combination of elements.

The reduced axes are moved to the end first, so kernels work on (rows, columns); a unit is a row. Complex numbers are
pairs of floats.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from math import inf, prod
from typing import Any

import numpy as np
from numpy import float64, int64

from fastgrad._src.jit.body import local_array
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.elementwise.half import with_half_floats
from fastgrad._src.kernels.math.vector_math import greatest, least, log, nan_greatest, nan_least
from fastgrad._src.kernels.movement.boxes import fill_launch
from fastgrad._src.kernels.movement.layout import broadcast, contiguous, transposed
from fastgrad._src.kernels.movement.strided import ScratchCopies
from fastgrad._src.kernels.reduction.reductions import sum_of_block_squares
from fastgrad._src.kernels.reduction.row_blocks import ROW_PARTS, copy_last_columns, rows_per_block
from fastgrad._src.kernels.reduction.softmax import row_exponentials, row_peaks
from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Operand, Output, Scratch, Spec

FLOATS = ("float32", "float64")
SIGNED_INTEGERS = ("int8", "int16", "int32", "int64")
INTEGERS = (*SIGNED_INTEGERS, "uint8", "uint16", "uint32", "uint64")
NUMBER_DTYPES = (*FLOATS, *INTEGERS)
BLOCK_ELEMENTS = 64
PRODUCT_SEGMENT = 1 << 14  # elements of a row whose product is a unit of work
PRODUCT_NANOSECONDS = 0.1  # of an element


@kernel("x: in[T], out: out[T], columns: int, parts: int, divisor: int, first: int, last: int", T=NUMBER_DTYPES)
def sum_rows(x, out, columns, parts, divisor, first, last):
    """Sums rows by blocks of elements, and then the blocks' sums; divides by `divisor`, unless that is 0."""
    for r in range(first, last):
        for part in range(parts):
            total = T(0)
            for start in range(0, columns, BLOCK_ELEMENTS):
                block = T(0)
                for c in range(start, least(start + BLOCK_ELEMENTS, columns)):
                    block = T(block + x[(r * columns + c) * parts + part])
                total = T(total + block)
            out[r * parts + part] = T(total / T(divisor)) if divisor != 0 else total


@kernel("x: in[T], out: out[T], columns: int, first: int, last: int", T=(*SIGNED_INTEGERS, "uint8", "uint16", "uint32"))
def integer_means(x, out, columns, first, last):
    """Computes means of integers, rounded towards zero."""
    for r in range(first, last):
        total = int64(0)
        for c in range(r * columns, (r + 1) * columns):
            total += int64(x[c])
        size = abs(total) // columns
        out[r] = size if total >= 0 else -size


@kernel("x: in[T], out: out[T], columns: int, segment: int, first: int, last: int", T=NUMBER_DTYPES)
def multiply_rows(x, out, columns, segment, first, last):
    """Computes the products of rows, one of each segment; element i of a segment goes to part i % `ROW_PARTS`."""
    part = local_array(T, 16)
    segments = greatest((columns + segment - 1) // segment, 1)
    for unit in range(first, last):
        row = unit // segments
        at = row * columns + (unit - row * segments) * segment
        end = least(at + segment, (row + 1) * columns)
        for i in range(ROW_PARTS):
            part[i] = T(1)
        whole = at + (end - at) // ROW_PARTS * ROW_PARTS
        for c in range(at, whole, ROW_PARTS):
            for i in range(ROW_PARTS):
                part[i] = T(part[i] * x[c + i])
        for i in range(end - whole):
            part[i] = T(part[i] * x[whole + i])
        total = part[0]
        for i in range(1, ROW_PARTS):
            total = T(total * part[i])
        out[unit] = total


@kernel("x: in[T], out: out[T], columns: int, first: int, last: int", T=FLOATS)
def multiply_complex_rows(x, out, columns, first, last):
    """Computes the product of the complex elements of each row."""
    for r in range(first, last):
        a, b = T(1), T(0)
        for c in range(r * columns, (r + 1) * columns):
            p, q = x[2 * c], x[2 * c + 1]
            a, b = a * p - b * q, a * q + b * p
        out[2 * r] = a
        out[2 * r + 1] = b


@kernel("x: in[T], out: out[T], columns: int, sign: int, only_finite: int, first: int, last: int", T=NUMBER_DTYPES)
def extremes_of_rows(x, out, columns, sign, only_finite, first, last):
    """Writes the largest elements of rows (sign -1: smallest), NaN if any is NaN; `only_finite`: 0 for non-finite."""
    for r in range(first, last):
        best = x[r * columns]
        for c in range(r * columns + 1, (r + 1) * columns):
            best = nan_greatest(best, x[c]) if sign > 0 else nan_least(best, x[c])
        out[r] = T(0) if only_finite != 0 and best - best != 0 else best


@kernel("x: in[T], out: out[int64], columns: int, parts: int, first: int, last: int", T=(*NUMBER_DTYPES, "bool"))
def count_rows(x, out, columns, parts, first, last):
    """Counts the non-zero elements of rows."""
    for r in range(first, last):
        count = 0
        for c in range(r * columns, (r + 1) * columns):
            there = x[c * parts] != 0 or (parts == 2 and x[c * parts + 1] != 0)
            count += 1 if there else 0
        out[r] = count


@kernel("x: in[T], out: out[T], columns: int, first: int, last: int", T=FLOATS)
def logsumexp_rows(x, out, columns, first, last):
    """Computes log(sum(exp(x))) of rows, relative to the largest element."""
    parts, across, tails = local_array(T, 256), local_array(T, 256), local_array(T, 256)
    peaks, totals = local_array(T, 16), local_array(float64, 16)
    together = rows_per_block(columns)
    for top in range(first, last, together):
        rows = least(together, last - top)
        copy_last_columns(x, top, rows, columns, tails)
        row_peaks(x, top, rows, columns, tails, parts, across, peaks)
        for k in range(ROW_PARTS):
            peaks[k] = peaks[k] if peaks[k] - peaks[k] == 0 else T(0)
        row_exponentials(x, x, False, top, rows, columns, tails, peaks, parts, across, totals)
        for k in range(rows):
            out[top + k] = log(T(totals[k])) + peaks[k]


@kernel("x: in[T], out: out[T], columns: int, parts: int, first: int, last: int", T=FLOATS)
def norms_of_rows(x, out, columns, parts, first, last):
    """Computes the Euclidean norms of rows."""
    lanes = local_array(T, 256)
    for r in range(first, last):
        start = r * columns * parts
        out[r * parts] = math.sqrt(sum_of_block_squares(x, start, start + columns * parts, lanes))
        if parts == 2:
            out[r * parts + 1] = T(0)


@kernel("x: in[T], out: out[T], columns: int, first: int, last: int", T=INTEGERS)
def integer_norms_of_rows(x, out, columns, first, last):
    """Computes the Euclidean norms of rows of integers, rounded down."""
    for r in range(first, last):
        total = T(0)
        for c in range(r * columns, (r + 1) * columns):
            total = T(total + T(x[c] * x[c]))
        out[r] = T(math.sqrt(float64(total)))


@kernel("x: in[T], norm: in[T], limit: in[T], out: out[T], first: int, last: int", T=FLOATS)
def clip_to_norm(x, norm, limit, out, first, last):
    """Computes x limit / max(norm, limit), with a norm and a limit for each element."""
    for i in range(first, last):
        out[i] = x[i] * (limit[i] / nan_greatest(norm[i], limit[i]))


@kernel("x: in[T], norms: in[T], limit: in[T], out: out[T], columns: int, first: int, last: int", T=FLOATS)
def clip_rows(x, norms, limit, out, columns, first, last):
    """Computes x limit / max(norm, limit), with a norm for each row and one limit; units are elements."""
    for r in range(first // columns, (last + columns - 1) // columns):
        start, stop = greatest(first, r * columns), least(last, (r + 1) * columns)
        scale = limit[0] / nan_greatest(norms[r], limit[0])
        for i in range(start, stop):
            out[i] = x[i] * scale


# ---- launches of the operations ------------------------------------------------------------------------


def real_dtype_and_count(dtype: np.dtype) -> tuple[np.dtype, int]:
    """Returns the dtype of real numbers, and how many of them make an element of this dtype."""
    return (np.dtype(f"float{dtype.itemsize * 4}"), 2) if dtype.kind == "c" else (dtype, 1)


class _ReducedRows(ScratchCopies):
    """An input as (rows, columns), with the reduced axes as columns, and the launches that move it there."""

    def __init__(self, x: Spec, axes: tuple[int, ...]) -> None:
        super().__init__()
        self.dtype = x.dtype
        self.real, self.parts = real_dtype_and_count(x.dtype)
        kept = [axis for axis in range(len(x.shape)) if axis not in axes]
        self.columns = prod(x.shape[axis] for axis in axes)
        self.rows = prod(x.shape[axis] for axis in kept)
        self.place: Operand = Input(0)
        size = self.rows * self.columns
        if size and [*kept, *axes] != list(range(len(x.shape))):
            layout = transposed(contiguous(size), x.shape, [*kept, *axes])
            self.place = self.copy_to_scratch(self.place, x.dtype, layout, size)

    def apply(self, kernel: Any, *numbers: Any) -> Launches | None:
        """Returns the launches that bring the input into rows and then run a kernel over them."""
        operands = self.place, Output(0), self.columns, *numbers
        return self.launches_after_copies(Launch(kernel, operands, self.rows, self.columns))


KernelChoice = Callable[[_ReducedRows, Spec], "Launches | None"]


def _make_reduction_launches(choose: KernelChoice, dtypes: Sequence[str]) -> Callable[..., Launches | None]:
    @with_half_floats
    def reduction_launches(
        inputs: Sequence[Spec], outputs: Sequence[Spec], axes: tuple[int, ...], keepdims: bool = True
    ) -> Launches | None:
        rows = _ReducedRows(inputs[0], axes)
        return choose(rows, outputs[0]) if rows.known and inputs[0].dtype.name in dtypes else None

    return reduction_launches


def _mean_of_rows(x: _ReducedRows, y: Spec) -> Launches | None:
    if not x.columns or x.dtype == np.uint64:
        return None
    is_float = x.real.kind == "f"
    return x.apply(sum_rows[x.real], x.parts, x.columns) if is_float else x.apply(integer_means[x.real])


def _extreme_of_rows(sign: int, only_finite: bool) -> KernelChoice:
    def extreme_launches(x: _ReducedRows, y: Spec) -> Launches | None:
        if x.columns:
            return x.apply(extremes_of_rows[x.dtype], sign, int(only_finite))
        nothing: Any = 0 if only_finite else -sign * inf
        if x.dtype.kind in "iu":
            nothing = np.iinfo(x.dtype).min if sign > 0 else np.iinfo(x.dtype).max
        fill = fill_launch(y, nothing)
        return None if fill is None else Launches((fill,))

    return extreme_launches


def _logsumexp_of_rows(x: _ReducedRows, y: Spec) -> Launches | None:
    if not x.columns:
        fill = fill_launch(y, -inf)
        return None if fill is None else Launches((fill,))
    return x.apply(logsumexp_rows[x.dtype])


def _product_of_rows(x: _ReducedRows, y: Spec) -> Launches | None:
    if x.parts == 2:
        return x.apply(multiply_complex_rows[x.real])
    multiply, segments = multiply_rows[x.dtype], -(-x.columns // PRODUCT_SEGMENT)
    if segments <= 1:
        return x.apply(multiply, PRODUCT_SEGMENT)
    part = Scratch(len(x.scratch))
    x.scratch.append((x.dtype, x.rows * segments))
    x.before.append(
        Launch(
            multiply,
            (x.place, part, x.columns, PRODUCT_SEGMENT),
            x.rows * segments,
            PRODUCT_NANOSECONDS * PRODUCT_SEGMENT,
        )
    )
    return x.launches_after_copies(Launch(multiply, (part, Output(0), segments, segments), x.rows, segments))


def _norm_of_rows(x: _ReducedRows, y: Spec) -> Launches | None:
    is_float = x.real.kind == "f"
    return x.apply(norms_of_rows[x.real], x.parts) if is_float else x.apply(integer_norms_of_rows[x.real])


COMPLEX_DTYPES = ("complex64", "complex128")
sum_launches = _make_reduction_launches(
    lambda x, y: x.apply(sum_rows[x.real], x.parts, 0), (*NUMBER_DTYPES, *COMPLEX_DTYPES)
)
mean_launches = _make_reduction_launches(_mean_of_rows, (*NUMBER_DTYPES, *COMPLEX_DTYPES))
prod_launches = _make_reduction_launches(_product_of_rows, (*NUMBER_DTYPES, *COMPLEX_DTYPES))
max_launches = _make_reduction_launches(_extreme_of_rows(1, only_finite=False), NUMBER_DTYPES)
min_launches = _make_reduction_launches(_extreme_of_rows(-1, only_finite=False), NUMBER_DTYPES)
finite_maximum_launches = _make_reduction_launches(_extreme_of_rows(1, only_finite=True), FLOATS)
count_nonzero_launches = _make_reduction_launches(
    lambda x, y: x.apply(count_rows[x.real], x.parts), (*NUMBER_DTYPES, "bool", *COMPLEX_DTYPES)
)
logsumexp_launches = _make_reduction_launches(_logsumexp_of_rows, FLOATS)
norm_launches = _make_reduction_launches(_norm_of_rows, (*NUMBER_DTYPES, *COMPLEX_DTYPES))


@with_half_floats
def clip_by_norm_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], axes: tuple[int, ...]) -> Launches | None:
    """``tf.clip_by_norm`` of a tensor and limits that broadcast with it: norms, then x limit / max(norm, limit)."""
    t, limit = inputs
    rows = _ReducedRows(t, axes)
    size = prod(t.shape)
    if not rows.before and prod(limit.shape) == 1 and rows.columns:
        measure = Launch(norms_of_rows[t.dtype], (Input(0), Scratch(0), rows.columns, 1), rows.rows, 0.3 * rows.columns)
        scale = Launch(clip_rows[t.dtype], (Input(0), Scratch(0), Input(1), Output(0), rows.columns), size, 0.2)
        return Launches((measure, scale), ((t.dtype, rows.rows),), in_place=((0, 0),))
    norms = Scratch(len(rows.scratch))
    rows.scratch.append((t.dtype, rows.rows))
    rows.before.append(Launch(norms_of_rows[t.dtype], (rows.place, norms, rows.columns, 1), rows.rows, rows.columns))
    kept = [1 if axis in axes else length for axis, length in enumerate(t.shape)]
    spread = rows.copy_to_scratch(norms, t.dtype, broadcast(contiguous(rows.rows), kept, t.shape), size)
    wide = broadcast(contiguous(prod(limit.shape)), limit.shape, t.shape)
    limits = rows.copy_to_scratch(Input(1), t.dtype, wide, size)
    return rows.launches_after_copies(Launch(clip_to_norm[t.dtype], (Input(0), spread, limits, Output(0)), size))
