"""Checks: kernels that stop a program if an element violates a condition."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
from numpy import float64

from fastgrad._src.jit.body import constant_by_dtype, float_bits, scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.elementwise.half import with_half_floats
from fastgrad._src.kernels.movement.layout import broadcast, contiguous
from fastgrad._src.kernels.movement.strided import ScratchCopies
from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Operand, Output, Spec, single_launch

FLOATS = ("float32", "float64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
RELATIONS = {
    "assert_equal": 0,
    "assert_none_equal": 1,
    "assert_less": 2,
    "assert_less_equal": 3,
    "assert_greater": 4,
    "assert_positive": 4,
    "assert_greater_equal": 5,
    "assert_non_negative": 5,
}
"""The number in `first_mismatch` of the relation of each check."""


EXPONENT_BITS = constant_by_dtype(float32=0x7F800000, float64=0x7FF0000000000000)
"""The bits of the exponent; all are set in numbers that are not finite."""


@kernel("x: in[T], y: out[T], first: int, last: int -> int", T=FLOATS, in_place={"y": ("x",)})
def copy_finite(x, y, first, last):
    """y = x; stops if a number is not finite (TensorFlow: tf.debugging.check_numerics)."""
    bad = 0
    for i in range(first, last):
        value = x[i]
        bad |= 1 if float_bits(value) & EXPONENT_BITS == EXPONENT_BITS else 0
        y[i] = value
    return -1 if bad == 0 else 0


@scalar_function
def relation_holds(a, b, relation):
    """True if the relation holds between a and b."""
    if relation == 0:
        return a == b
    if relation == 1:
        return a != b
    if relation == 2:
        return a < b
    if relation == 3:
        return a <= b
    return a > b if relation == 4 else a >= b


@kernel("x: in[T], y: in[T], done: out[uint8], relation: int, first: int, last: int -> int", T=(*FLOATS, *INTEGERS))
def first_mismatch(x, y, done, relation, first, last):
    """Returns the first element of x for which the relation to y's element does not hold, else -1."""
    done[0] = 1
    for i in range(first, last):
        if not relation_holds(x[i], y[i], relation):
            return i
    return -1


@kernel(
    "x: in[T], y: in[T], rtol: in[float64], atol: in[float64], done: out[uint8], first: int, last: int -> int", T=FLOATS
)
def first_distant_element(x, y, rtol, atol, done, first, last):
    """Returns the first element with |x - y| > atol + rtol |y|, else -1."""
    done[0] = 1
    for i in range(first, last):
        if not float64(abs(x[i] - y[i])) <= atol[0] + rtol[0] * float64(abs(y[i])):
            return i
    return -1


@kernel("x: in[uint8], done: out[uint8], first: int, last: int -> int")
def first_false(x, done, first, last):
    """Returns the first element that is false, else -1."""
    done[0] = 1
    for i in range(first, last):
        if x[i] == 0:
            return i
    return -1


# ---- launches of the operations ------------------------------------------------------------------------


@with_half_floats
def check_numerics_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], message: str) -> Launches | None:
    """``tf.debugging.check_numerics``."""
    dtype, size = inputs[0].dtype, prod(inputs[0].shape)
    if dtype.kind == "c":
        dtype, size = np.dtype(f"float{dtype.itemsize * 4}"), size * 2
    return single_launch(copy_finite[dtype], Input(0), Output(0), units=size)


@with_half_floats
def assert_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], check: str, message: str | None, summarize: int | None
) -> Launches | None:
    """Returns the launches of a check that compares all elements of two arrays, which broadcast."""
    x, y, *bounds = inputs
    if x.dtype.name not in (*FLOATS, *INTEGERS, "bool"):
        return None
    if bounds and (x.dtype.name not in FLOATS or any(bound.shape for bound in bounds)):
        return None
    shape = np.broadcast_shapes(x.shape, y.shape)
    size = prod(shape)
    copies = ScratchCopies()
    places: list[Operand] = [Input(0), Input(1)]
    for number, a in enumerate((x, y)):
        if a.shape != shape and size:
            layout = broadcast(contiguous(prod(a.shape)), a.shape, shape)
            places[number] = copies.copy_to_scratch(Input(number), a.dtype, layout, size)
    dtype = np.dtype(np.uint8) if x.dtype.name == "bool" else x.dtype
    if bounds:
        last = Launch(first_distant_element[dtype], (*places, Input(2), Input(3), Output(0)), size)
    else:
        last = Launch(first_mismatch[dtype], (*places, Output(0), RELATIONS[check]), size)
    return copies.launches_after_copies(last)


def assert_true_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], summarize: int | None) -> Launches | None:
    """``tf.debugging.Assert`` of a condition and what to show."""
    condition = inputs[0]
    if condition.dtype.name != "bool":
        return None
    return single_launch(first_false[()], Input(0), Output(0), units=prod(condition.shape))
