"""Running totals along an axis. Arrays are (outer, size, inner), the axis in the middle; a unit is one outer index."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from fastgrad._src.jit.body import local_array, scalar_function, specialized
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.elementwise.half import with_half_floats
from fastgrad._src.kernels.math.vector_math import exp, log1p
from fastgrad._src.kernels.runtime.launch import Input, Launches, Output, Spec, single_launch

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float32", "float64")
COLUMNS_TOGETHER = 64  # columns that are summed side by side
_RUNNING_SIGNATURE = "x: in[T], y: out[T], size: int, inner: int, exclusive: int, reverse: int, first: int, last: int"
_IN_PLACE = {"y": ("x",)}


@scalar_function
def sum_rounding_error(total, value, larger):
    """Returns the rounding error of `larger` = `total + value` (Knuth's TwoSum); 0 if the sum is not finite."""
    part = larger - total
    error = (total - (larger - part)) + (value - part)
    return error if math.fabs(larger) < math.inf else T(0)


@kernel(_RUNNING_SIGNATURE, T=FLOATS, in_place=_IN_PLACE)
def running_sum_of_floats(x, y, size, inner, exclusive, reverse, first, last):
    """Sums the elements up to each element with compensated rounding errors (Ogita, Rump and Oishi 2005)."""
    totals = local_array(T, 64)
    rests = local_array(T, 64)
    step = -inner if reverse != 0 else inner
    for outer in range(first, last):
        start = (outer * size + (size - 1 if reverse != 0 else 0)) * inner
        if inner == 1:
            total, rest, at = T(0), T(0), start
            for block in range(0, size, 8):
                part = T(0)  # so that the sums of blocks are independent
                for _ in range(8 if block + 8 <= size else size - block):
                    before = part
                    part += x[at]
                    y[at] = total + (rest + (before if exclusive != 0 else part))
                    at += step
                larger = total + part
                rest += sum_rounding_error(total, part, larger)
                total = larger
            continue
        for column in range(0, inner, COLUMNS_TOGETHER):
            count = COLUMNS_TOGETHER if column + COLUMNS_TOGETHER <= inner else inner - column
            for i in range(count):
                totals[i] = T(0)
                rests[i] = T(0)
            for k in range(size):
                at = start + column + k * step
                for i in range(count):
                    value, total = x[at + i], totals[i]
                    larger = total + value
                    rest = rests[i] + sum_rounding_error(total, value, larger)
                    y[at + i] = total + rests[i] if exclusive != 0 else larger + rest
                    totals[i] = larger
                    rests[i] = rest


@kernel(_RUNNING_SIGNATURE, T=INTEGERS, in_place=_IN_PLACE)
def running_sum(x, y, size, inner, exclusive, reverse, first, last):
    """Sums the elements up to each element, without it if `exclusive`, from the end if `reverse`."""
    step = -inner if reverse != 0 else inner
    for outer in range(first, last):
        start = (outer * size + (size - 1 if reverse != 0 else 0)) * inner
        if size > 0 and inner > 1 and exclusive == 0:  # row by row
            for i in range(start, start + inner):
                y[i] = x[i]
            for k in range(1, size):
                at = start + k * step
                for i in range(at, at + inner):
                    y[i] = T(y[i - step] + x[i])
            continue
        for i in range(inner):
            total = T(0)
            at = start + i
            for _ in range(size):
                value = x[at]
                if exclusive != 0:
                    y[at] = total
                    total = T(total + value)
                else:
                    total = T(total + value)
                    y[at] = total
                at += step


@scalar_function
def times(a, b):
    """Returns the product of two numbers."""
    return a * b


@scalar_function
def log_add_exp(a, b):
    """Returns log(exp(a) + exp(b)) without overflow (NumPy: logaddexp)."""
    if a == b:
        return a + T(0.6931471805599453)
    less = a - b
    if less > 0:
        return a + log1p(exp(-less))
    return b + log1p(exp(less))


def _running_total(x, y, size, inner, exclusive, reverse, first, last):
    step = -inner if reverse != 0 else inner
    for outer in range(first, last):
        start = (outer * size + (size - 1 if reverse != 0 else 0)) * inner
        for i in range(inner):
            total = T(NEUTRAL)
            at = start + i
            for k in range(size):
                value = x[at]
                if exclusive != 0:
                    y[at] = total
                total = value if k == 0 else T(join(total, value))
                if exclusive == 0:
                    y[at] = total
                at += step


# Each kernel is compiled with its own values.
join, NEUTRAL = times, 1
_SCAN_DOCSTRING = "up to each element, without it if `exclusive`, from the end if `reverse`."
running_product = kernel(_RUNNING_SIGNATURE, T=(*FLOATS, *INTEGERS), in_place=_IN_PLACE)(
    specialized(_running_total, "running_product", f"Multiplies the elements {_SCAN_DOCSTRING}")
)
running_logsumexp = kernel(_RUNNING_SIGNATURE, T=FLOATS, in_place=_IN_PLACE)(
    specialized(
        _running_total,
        "running_logsumexp",
        f"Computes log(sum(exp(x))) {_SCAN_DOCSTRING}",
        join=log_add_exp,
        NEUTRAL=-math.inf,
    )
)


@kernel(
    "a: in[T], b: in[T], y: out[T], size: int, inner: int, reverse: int, first: int, last: int",
    T=FLOATS,
    in_place={"y": ("b",)},
)
def recurrence(a, b, y, size, inner, reverse, first, last):
    """y[0] = b[0], y[k] = b[k] + a[k] * y[k - 1]; from the end if `reverse`."""
    step = -inner if reverse != 0 else inner
    for outer in range(first, last):
        start = (outer * size + (size - 1 if reverse != 0 else 0)) * inner
        for k in range(size):
            at = start + k * step
            if k == 0:
                for i in range(inner):
                    y[at + i] = b[at + i]
            else:
                for i in range(inner):
                    y[at + i] = b[at + i] + a[at + i] * y[at - step + i]


# ---- launches of the operations ------------------------------------------------------------------------


def _make_running_launches(
    kernel: Any, dtypes: tuple[str, ...], float_kernel: Any = None, with_complex: bool = False
) -> Callable[..., Launches | None]:
    @with_half_floats
    def running_launches(
        inputs: Sequence[Spec], outputs: Sequence[Spec], axis: int, exclusive: bool, reverse: bool
    ) -> Launches | None:
        (x,) = inputs
        dtype, inner = x.dtype, prod(x.shape[axis + 1 :])
        if dtype.kind == "c" and with_complex:  # real and imaginary parts separately
            dtype, inner = np.dtype(f"float{dtype.itemsize * 4}"), inner * 2
        if dtype.name not in dtypes:
            return None
        native = (float_kernel if float_kernel is not None and dtype.kind == "f" else kernel)[dtype]
        operands = Input(0), Output(0), x.shape[axis], inner, int(exclusive), int(reverse)
        cost = 1.5 * x.shape[axis] * inner
        return single_launch(native, *operands, units=prod(x.shape[:axis]), unit_cost=cost)

    return running_launches


cumsum_launches = _make_running_launches(running_sum, (*FLOATS, *INTEGERS), running_sum_of_floats, with_complex=True)
cumprod_launches = _make_running_launches(running_product, (*FLOATS, *INTEGERS))
cumulative_logsumexp_launches = _make_running_launches(running_logsumexp, FLOATS)


@with_half_floats
def recurrence_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], axis: int, reverse: bool) -> Launches | None:
    """Returns the launches of the linear recurrence ``y[k] = a[k] * y[k - 1] + b[k]`` along an axis."""
    a, b = inputs
    if b.dtype.name not in FLOATS or a.shape != b.shape:
        return None
    sizes = b.shape[axis], prod(b.shape[axis + 1 :]), int(reverse)
    arrays, cost = (Input(0), Input(1), Output(0)), 1.5 * sizes[0] * sizes[1]
    return single_launch(recurrence[b.dtype], *arrays, *sizes, units=prod(b.shape[:axis]), unit_cost=cost)
