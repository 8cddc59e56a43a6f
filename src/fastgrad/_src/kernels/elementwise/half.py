"""Half-width floats in kernels: widened to float32 and rounded back, since a body has no half-width numbers.

Kernels read and write them as uint16.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import ml_dtypes
import numpy as np
from numpy import float32, int32, int64

from fastgrad._src.jit.body import float_bits, from_bits, scalar_function
from fastgrad._src.kernels.elementwise.map_kernel import map_kernel
from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Output, Scratch, Spec


@scalar_function
def of_bfloat16(h):
    """Returns the bfloat16 with the bits h, a uint16, as a float32."""
    return from_bits(int32(int64(h) << 16))


@scalar_function
def of_float16(h):
    """Returns the float16 with the bits h, a uint16, as a float32."""
    size = from_bits(int32((int32(h) & 0x7FFF) << 13)) * float32(5.192296858534828e33)  # 2^112
    size = from_bits(int32(float_bits(size) | 0x7F800000)) if (int32(h) & 0x7C00) == 0x7C00 else size
    return from_bits(int32(float_bits(size) | int32((int32(h) & 0x8000) << 16)))


@scalar_function
def rounded_to_bfloat16(x):
    """Rounds a float32 to the nearest bfloat16, ties to even; returns a float32."""
    bits = float_bits(x)  # every step stays int32: int64 would need twice as many vectors
    near = from_bits(int32(int32(int32(bits + 0x7FFF) + int32(int32(bits >> 16) & 1)) & -0x10000))
    return near if x == x else x  # noqa: PLR0124 - false of NaN


@scalar_function
def rounded_to_float16(x):
    """Rounds a float32 to the nearest float16, ties to even; returns a float32."""
    size = math.fabs(x)
    bits = float_bits(size)
    near = from_bits(int32((bits + 0xFFF + ((bits >> 13) & 1)) & -0x2000))
    # Float16 numbers below 2^-14 are multiples of 2^-24, as are float32 numbers from 0.5 to 1.
    near = (size + float32(0.75)) - float32(0.75) if size < float32(6.103515625e-05) else near
    near = float32(math.inf) if near > float32(65504) else near
    return math.copysign(near, x) if x == x else x  # noqa: PLR0124 - false of NaN


@scalar_function
def to_bfloat16(x):
    """Returns the bits, as int32, of a float32 rounded to bfloat16, ties to even."""
    bits = float_bits(x)
    high = int32(bits >> 16)
    rounded = int32(int32(int32(bits + 0x7FFF) + int32(high & 1)) >> 16)
    return rounded if x == x else int32(int32(high & 0x8000) | 0x7FC0)  # noqa: PLR0124 - false of NaN


@scalar_function
def to_float16(x):
    """Returns the bits, as int32, of a float32 rounded to float16, ties to even."""
    near = rounded_to_float16(x)
    size = math.fabs(near)
    bits = float_bits(size)
    found = int32(int32(bits - 0x38000000) >> 13)
    found = int32(size * float32(16777216.0)) if size < float32(6.103515625e-05) else found
    found = int32(0x7C00) if bits == 0x7F800000 else found
    found = int32(0x7E00) if bits > 0x7F800000 else found
    return int32(found | (int32(float_bits(near) >> 16) & 0x8000))


WIDENING_KERNELS = {
    "float16": map_kernel("widen_float16", of_float16, "out = x.", "uint16", "float32"),
    "bfloat16": map_kernel("widen_bfloat16", of_bfloat16, "out = x.", "uint16", "float32"),
}
NARROWING_KERNELS = {
    "float16": map_kernel("narrow_float16", to_float16, "out = x.", "float32", "uint16"),
    "bfloat16": map_kernel("narrow_bfloat16", to_bfloat16, "out = x.", "float32", "uint16"),
}
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def cast_bfloat16(x: np.ndarray) -> np.ndarray:
    """Casts a contiguous float32 array to bfloat16, or back, with the bits of `astype` in a fifth of the time."""
    if x.dtype == BFLOAT16:
        y = np.empty(x.shape, np.float32)
        WIDENING_KERNELS["bfloat16"][()](x.view(np.uint16), y, 0, x.size)
    else:
        y = np.empty(x.shape, BFLOAT16)
        NARROWING_KERNELS["bfloat16"][()](x, y.view(np.uint16), 0, x.size)
    return y


HALF_WIDTH_DTYPES = frozenset(WIDENING_KERNELS)


class ArraySpec:
    """The shape and dtype of an input or result of launches."""

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.shape = shape
        self.dtype = dtype


def with_half_floats(function: Callable[..., Launches | None]) -> Callable[..., Launches | None]:
    """Extends the launches of an operation on float32 to half-width floats.

    Args:
        function: `(inputs, outputs, **attributes)` to launches, without support for half widths.
    """

    @functools.wraps(function)
    def launches(inputs: Sequence[Spec], outputs: Sequence[Spec], **attributes: Any) -> Launches | None:
        if not any(_is_half(x.dtype) for x in (*inputs, *outputs)):
            return function(inputs, outputs, **attributes)
        found = function([_float32_spec(x) for x in inputs], [_float32_spec(y) for y in outputs], **attributes)
        return None if found is None else _converting_launches(found, inputs, outputs)

    return launches


def _is_half(dtype: np.dtype) -> bool:
    return dtype.itemsize == 2 and dtype.name in HALF_WIDTH_DTYPES  # the name of a dtype is slow to compute


def _float32_spec(x: Spec) -> Spec:
    return ArraySpec(x.shape, np.dtype(np.float32)) if x.dtype.name in HALF_WIDTH_DTYPES else x


def _converting_launches(float32_launches: Launches, inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches:
    """Returns `float32_launches` between launches that convert half-width inputs and results."""
    scratch = list(float32_launches.scratch)
    places: dict[tuple[Any, int], Scratch] = {}
    before, after = [], []
    for place, arrays in ((Input, inputs), (Output, outputs)):
        for number, x in enumerate(arrays):
            if x.dtype.name not in HALF_WIDTH_DTYPES:
                continue
            wide = places[place, number] = Scratch(len(scratch))
            scratch.append((np.dtype(np.float32), prod(x.shape)))
            if place is Input:
                before.append(Launch(WIDENING_KERNELS[x.dtype.name][()], (Input(number), wide), prod(x.shape)))
            else:
                after.append(Launch(NARROWING_KERNELS[x.dtype.name][()], (wide, Output(number)), prod(x.shape)))
    starts = []
    for output, given in float32_launches.starts_as:
        if (Output, output) in places:
            x = inputs[given]
            before.append(
                Launch(WIDENING_KERNELS[x.dtype.name][()], (Input(given), places[Output, output]), prod(x.shape))
            )
        else:
            starts.append((output, given))

    def placed(operand: Any) -> Any:
        if type(operand) is tuple:
            return tuple(map(placed, operand))
        return places.get((type(operand), operand.number), operand) if type(operand) in (Input, Output) else operand

    launches = tuple([one.with_operands(tuple(map(placed, one.operands))) for one in float32_launches.launches])
    return Launches((*before, *launches, *after), tuple(scratch), starts_as=tuple(starts))
