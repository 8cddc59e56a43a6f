"""Numbers as decimal texts: each has `TEXT_BYTES` bytes of memory, of which it fills the first."""

from __future__ import annotations

from numpy import int64, uint8

from fastgrad._src.jit.body import float_bits, fused_multiply_add, round_down, scalar_function
from fastgrad._src.jit.build import kernel

TEXT_BYTES = 32
MOST_DECIMALS = 9
LEAST_LARGE_FLOAT = float(1 << 53)  # from here on a float64 has no fraction, and too many digits for an int64


@scalar_function
def digit_count(number):
    """Returns the number of decimal digits of a number that is not negative."""
    count, limit = 1, 10
    while count < 18 and number >= limit:
        count += 1
        limit *= 10
    return count + 1 if count == 18 and number >= limit else count


@scalar_function
def write_digits(text, at, number, count):
    """Writes the last `count` decimal digits of a number that is not negative."""
    for k in range(count):
        rest = number // 10
        text[at + count - 1 - k] = uint8(48 + number - 10 * rest)
        number = rest


@kernel("x: in[int64], text: out[uint8], sizes: out[int64], first: int, last: int -> int")
def format_integers(x, text, sizes, first, last):
    """Writes integers as `%d` does; the least int64 stops the kernel."""
    for i in range(first, last):
        at, number = TEXT_BYTES * i, x[i]
        if number == -number and number != 0:
            return i
        if number < 0:
            number = -number
            text[at] = uint8(45)
            at += 1
        count = digit_count(number)
        write_digits(text, at, number, count)
        sizes[i] = at + count - TEXT_BYTES * i
    return -1


@kernel(
    "x: in[float64], text: out[uint8], sizes: out[int64], decimals: int, scale: float, first: int, last: int -> int"
)
def format_floats(x, text, sizes, decimals, scale, first, last):
    """Writes floats as `%f` does, with up to `MOST_DECIMALS` decimals; a large float, inf or NaN stops the kernel.

    `scale` is 10^`decimals`. The scaled fraction is computed with its rounding error, so that it is rounded once.
    """
    for i in range(first, last):
        at, size = TEXT_BYTES * i, abs(x[i])
        if not size < LEAST_LARGE_FLOAT:
            return i
        if float_bits(x[i]) < 0:
            text[at] = uint8(45)
            at += 1
        whole = round_down(size)
        fraction = size - whole
        scaled = fraction * scale
        error = fused_multiply_add(fraction, scale, -scaled)
        below = round_down(scaled)
        part, rest = int64(below), scaled - below
        if rest > 0.5 or (rest == 0.5 and (error > 0.0 or (error == 0.0 and part % 2 != 0))):
            part += 1
        number = int64(whole)
        if part == int64(scale):
            part = 0
            number += 1
        count = digit_count(number)
        write_digits(text, at, number, count)
        at += count
        if decimals > 0:
            text[at] = uint8(46)
            write_digits(text, at + 1, part, decimals)
            at += 1 + decimals
        sizes[i] = at - TEXT_BYTES * i
    return -1
