"""Weighted sums of neighbouring rows: one axis of an image resized."""

from fastgrad._src.jit.build import kernel

FLOATS = ("float32", "float64")
LEAST_VECTOR_WIDTH = 16
"""The least width of rows that are added one after another, by vectors."""


@kernel(
    "x: in[T], firsts: in[int64], counts: in[int64], weights: in[T], out: out[T], size: int, new_size: int, taps: int, "
    "width: int, first: int, last: int",
    noalias=True,
    T=FLOATS,
)
def resampled_rows(x, firsts, counts, weights, out, size, new_size, taps, width, first, last):
    """out[b, i] = sum over t < counts[i] of weights[i, t] x[b, firsts[i] + t], rows of `width` elements.

    x has the shape (batch, size, width), weights (new_size, taps). A unit is a row of out.
    """
    block = first // new_size
    i = first - block * new_size
    for r in range(first, last):
        count, tap = counts[i], i * taps
        at, target = (block * size + firsts[i]) * width, r * width
        if count == 2:
            a, b = weights[tap], weights[tap + 1]
            for j in range(width):
                out[target + j] = a * x[at + j] + b * x[at + width + j]
        elif count == 4:
            a, b, c, d = weights[tap], weights[tap + 1], weights[tap + 2], weights[tap + 3]
            third = at + 2 * width
            for j in range(width):
                out[target + j] = a * x[at + j] + b * x[at + width + j] + c * x[third + j] + d * x[third + width + j]
        elif width < LEAST_VECTOR_WIDTH:
            for j in range(width):
                total = T(0)
                for t in range(count):
                    total += weights[tap + t] * x[at + t * width + j]
                out[target + j] = total
        else:
            for j in range(width):
                out[target + j] = T(0)
            for t in range(count):
                weight, source = weights[tap + t], at + t * width
                for j in range(width):
                    out[target + j] += weight * x[source + j]
        i += 1
        if i == new_size:
            i, block = 0, block + 1


@kernel(
    "x: in[T], weights: in[T], out: out[T], lines: int, block: int, step: int, length: int, taps: int, first: int, last: int",
    noalias=True,
    T=FLOATS,
)
def window_sums(x, weights, out, lines, block, step, length, taps, first, last):
    """Writes lines of `length` sums: weights[t] times the element `t` steps ahead, over `taps` of them.

    Blocks of x have `block` elements. The line `i` of the `lines` of a block begins `i` steps after it. A unit is a line.
    """
    for line in range(first, last):
        number = line // lines
        at, to = number * block + (line - number * lines) * step, line * length
        weight = weights[0]
        for j in range(length):
            out[to + j] = weight * x[at + j]
        for pair in range((taps - 1) // 2):
            a, b = weights[2 * pair + 1], weights[2 * pair + 2]
            near = at + (2 * pair + 1) * step
            far = near + step
            for j in range(length):
                out[to + j] += a * x[near + j] + b * x[far + j]
        if taps % 2 == 0:
            weight = weights[taps - 1]
            at += (taps - 1) * step
            for j in range(length):
                out[to + j] += weight * x[at + j]
