"""GPU versions of the C library calls that CPU loops make for rare elements (`jit.body.LibraryCall`).

These are sines of large angles, with as many digits of 2 / pi as needed (Payne and Hanek 1983), and remainders of large quotients.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from numpy import int32, int64, uint64

from fastgrad._src.jit.body import (
    by_dtype,
    float_bits,
    from_bits,
    fused_multiply_add,
    library_cos,
    library_fmod,
    library_sin,
    library_tan,
    pack_panel,
    round_to_zero,
    scalar_function,
    scale_by_power_of_two,
)
from fastgrad._src.kernels.math.circular import QUARTER_PI_ROUNDING_ERROR, sine_of_quarters, tangent_of_quarters
from fastgrad._src.kernels.math.power import power_in_parts, power_through_float64

FRACTION_LOWEST_BIT = 2.0**-62
"""The value in quarter turns of the lowest bit of a fraction of a quarter turn, which has 62 bits after the point."""
LOW_32_BITS = 0xFFFFFFFF


_TWO_OVER_PI = (
    0xA2F9836E4E441529, 0xFC2757D1F534DDC0, 0xDB6295993C439041, 0xFE5163ABDEBBC561, 0xB7246E3A424DD2E0,
    0x06492EEA09D1921C, 0xFE1DEB1CB129A73E, 0xE88235F52EBB4484, 0xE99C7026B45F7E41, 0x3991D639835339F4,
    0x9C845F8BBDF9283B, 0x1FF897FFDE05980F, 0xEF2F118B5A0A6D1F, 0x6D367ECF27CB09B7, 0x4F463F669E5FEA2D,
    0x7527BAC7EBE5F17B, 0x3D0739F78A5292EA, 0x6BFB5FB11F8D5D08, 0x56033046FC7B6BAB, 0xF0CFBC209AF4361D,
)  # fmt: skip
"""2 / pi as a binary fraction: 64 bits a number, the first bits after the point first."""


def _two_over_pi_word_function() -> Any:
    """Returns the scalar function that selects 64 bits of 2 / pi by their number; a body has no table of constants."""
    cases = [f"    if i == {k}: return uint64({digits})" for k, digits in enumerate(_TWO_OVER_PI, 1)]
    source = "\n".join(["def _two_over_pi_word(i):", *cases, "    return uint64(0)\n"])
    scope: dict[str, Any] = {"__name__": __name__, "uint64": uint64}
    exec(compile(source, "<fastgrad digits of 2 / pi>", "exec"), scope)  # noqa: S102 - our own text
    return scalar_function(scope["_two_over_pi_word"])


_two_over_pi_word = _two_over_pi_word_function()
"""`_two_over_pi_word(i)`: 64 bits of 2 / pi by their number i; number 1 has the first bits after the point, 0 has none."""


@scalar_function
def _two_over_pi_bits(i, shift):
    """Returns the 64 bits that begin `shift` bits after the start of `_two_over_pi_word(i)`."""
    return (_two_over_pi_word(i) << shift) | ((_two_over_pi_word(i + 1) >> (uint64(63) - shift)) >> uint64(1))


@scalar_function
def _high_product(a, b):
    """Returns the upper 64 bits of the product of two 64-bit integers."""
    a_low, a_high = a & uint64(LOW_32_BITS), a >> uint64(32)
    b_low, b_high = b & uint64(LOW_32_BITS), b >> uint64(32)
    cross = a_high * b_low + ((a_low * b_low) >> uint64(32))
    other = a_low * b_high + (cross & uint64(LOW_32_BITS))
    return a_high * b_high + (cross >> uint64(32)) + (other >> uint64(32))


def _integer_and_exponent32(x):
    """Returns the integers m and e of a float x >= 0 that is m 2^e."""
    bits = float_bits(x)
    return uint64((bits & 0x7FFFFF) | 0x800000), int64((bits >> 23) & 255) - 150


def _integer_and_exponent64(x):
    bits = float_bits(x)
    return uint64((bits & 0xFFFFFFFFFFFFF) | 0x10000000000000), int64((bits >> 52) & 2047) - 1075


_integer_and_exponent = by_dtype(float32=_integer_and_exponent32, float64=_integer_and_exponent64)


@scalar_function
def _times_half_pi_error(x):
    """Returns x times the rounding error of pi / 2 in the dtype of x."""
    return x * T(2 * QUARTER_PI_ROUNDING_ERROR)


@scalar_function
def _reduced_to_quarter_turns(x):
    """Returns r, its rounding error, and n modulo 4, for x = n pi / 2 + r with x >= 1 and the nearest n."""
    m, e = _integer_and_exponent(x)
    begin = e + 62  # earlier bits of 2 / pi give multiples of 4
    i, shift = begin >> 6, uint64(begin & 63)
    second, third = _two_over_pi_bits(i + 1, shift), _two_over_pi_bits(i + 2, shift)
    low = m * second + _high_product(m, third)
    carry = uint64(1) if low < m * second else uint64(0)
    high = m * _two_over_pi_bits(i, shift) + _high_product(m, second) + carry
    quarter = (high + (uint64(1) << uint64(61))) >> uint64(62)
    fraction = int64(high - (quarter << uint64(62)))
    a = T(fraction)
    b = T(fraction - int64(a)) + T(low >> uint64(32)) * T(2.0**-32)
    total = a + b
    b = ((a - total) + b) + T(low & uint64(LOW_32_BITS)) * T(2.0**-64)
    a, b = total * T(FRACTION_LOWEST_BIT), b * T(FRACTION_LOWEST_BIT)
    r = a * T(math.pi / 2)
    rest = fused_multiply_add(a, T(math.pi / 2), -r) + (_times_half_pi_error(a) + b * T(math.pi / 2))
    return r, rest, int64(quarter) & 3


@scalar_function
def sine_of_large_angle(x):
    """Returns the sine of an angle in radians that may be many turns."""
    r, rest, quarter = _reduced_to_quarter_turns(math.fabs(x))
    y = sine_of_quarters(r, rest, quarter)
    return math.copysign(T(1), x) * y if math.fabs(x) < T(math.inf) else x - x


@scalar_function
def cosine_of_large_angle(x):
    """Returns the cosine of an angle in radians that may be many turns."""
    r, rest, quarter = _reduced_to_quarter_turns(math.fabs(x))
    return sine_of_quarters(r, rest, quarter + 1) if math.fabs(x) < T(math.inf) else x - x


@scalar_function
def tangent_of_large_angle(x):
    """Returns the tangent of an angle in radians that may be many turns."""
    r, rest, quarter = _reduced_to_quarter_turns(math.fabs(x))
    y = tangent_of_quarters(r, rest, quarter)
    return math.copysign(T(1), x) * y if math.fabs(x) < T(math.inf) else x - x


@scalar_function
def remainder(a, b):
    """Returns a - b n exactly, where n is a / b without its fraction (C: fmod)."""
    r, divisor = math.fabs(a), math.fabs(b)
    if not (r < T(math.inf) and divisor > 0):
        return (a * b) / (a * b)
    while r >= divisor:
        step = divisor
        while step <= r * T(2.0**-22):
            step *= T(2.0**20)
        r = fused_multiply_add(-round_to_zero(r / step), step, r)
        r = r + step if r < 0 else r
    return math.copysign(r, a)


def _scale_float32_by_power_of_two(x, k):
    half = int64(k) >> 1
    return (x * from_bits(int32((half + 127) << 23))) * from_bits(int32((int64(k) - half + 127) << 23))


def _scale_float64_by_power_of_two(x, k):
    half = int64(k) >> 1
    return (x * from_bits((half + 1023) << 52)) * from_bits((int64(k) - half + 1023) << 52)


scale_in_two_steps = by_dtype(float32=_scale_float32_by_power_of_two, float64=_scale_float64_by_power_of_two)
"""`scale_in_two_steps(x, k)`: x 2^k. The first step is exact; 2^k itself may be out of range."""


@scalar_function
def pack_panel_without_padding(b, b_at, b_k, b_column, target, target_row, depth, columns):
    """Copies a panel as `pack_panel` does, without padding: a thread's vectors have one element."""
    for k in range(depth):
        for column in range(columns):
            target[k * target_row + column] = b[b_at + k * b_k + column * b_column]


GPU_REPLACEMENTS: Mapping[Any, Any] = {
    power_through_float64: power_in_parts,  # most GPUs have 1 unit for float64 to 64 for float32
    library_cos: cosine_of_large_angle,
    library_fmod: remainder,
    library_sin: sine_of_large_angle,
    library_tan: tangent_of_large_angle,
    pack_panel: pack_panel_without_padding,
    scale_by_power_of_two: scale_in_two_steps,
}
"""Functions that replace a special, or another scalar function, on every GPU."""
