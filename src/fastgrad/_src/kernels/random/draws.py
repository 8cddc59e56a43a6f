"""Draws computed from random bits: integers, shuffles, classes, and the words of other draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from math import inf, prod
from typing import Any

import numpy as np
from numpy import float32, int64, uint64

from fastgrad._src.jit.body import local_array, round_down
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.elementwise.elementwise import Operands
from fastgrad._src.kernels.elementwise.half import with_half_floats
from fastgrad._src.kernels.math.vector_math import exp, least
from fastgrad._src.kernels.random.random import (
    UNIT_ELEMENTS,
    bits,
    block_words,
    dropout,
    join_words,
    uniform,
    unit_count,
)
from fastgrad._src.kernels.runtime.launch import (
    Input,
    Launch,
    Launches,
    Operand,
    Output,
    Scratch,
    Spec,
    single_launch,
)

WORDS = ("uint32", "uint64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float32", "float64")
SEED_KEY = 0x02461E293EC8F720
"""The key by which TensorFlow scrambles the seeds of stateless draws."""


@kernel("words: in[W], out: out[T], first: int, last: int", T=INTEGERS, W=WORDS)
def narrow_integers(words, out, first, last):
    """Writes the low bits of words as integers of the dtype's width."""
    for i in range(first, last):
        out[i] = T(words[i])


@kernel(
    "words: in[W], low: in[T], high: in[T], out: out[T], low_step: int, high_step: int, first: int, last: int -> int",
    T=INTEGERS,
    W=WORDS,
)
def integers_between(words, low, high, out, low_step, high_step, first, last):
    """low + words % (high - low). Bounds without an integer between them stop the kernel."""
    for i in range(first, last):
        start, stop = low[i * low_step], high[i * high_step]
        if start >= stop:
            return i
        width = uint64(stop) - uint64(start)
        out[i] = T(uint64(start) + uint64(words[i]) % width)
    return -1


@kernel(
    "logits: in[L], draws: in[T], sums: inout[T], out: out[I], classes: int, count: int, first: int, last: int",
    L=FLOATS,
    T=("float64",),
    I=("int32", "int64"),
)
def choose_classes(logits, draws, sums, out, classes, count, first, last):
    """Draws classes from rows of unnormalised log-probabilities, by inversion of the running sums (scratch `sums`).

    As in TensorFlow, infinite logits and NaN have no weight; without finite logits the result is the number of classes.
    """
    for r in range(first, last):
        at = r * classes
        peak = -inf
        last_class = classes
        for c in range(classes):
            value = T(logits[at + c])
            if math.fabs(value) < inf:
                peak = value if value > peak else peak
                last_class = c
        total = 0.0
        for c in range(classes):
            value = T(logits[at + c])
            if math.fabs(value) < inf:
                total += exp(value - peak)
            sums[at + c] = total
        for i in range(r * count, (r + 1) * count):
            wanted = draws[i] * total
            low, high = 0, classes
            while low < high:
                middle = (low + high) // 2
                if sums[at + middle] <= wanted:
                    low = middle + 1
                else:
                    high = middle
            out[i] = low if low < classes else last_class


@kernel("seed: in[I], words: out[int64]", I=("int32", "int64"))
def philox_words(seed, words):
    """Writes the Philox counter and key of a stateless draw, from a seed of two integers, as TensorFlow does."""
    w0, w1, w2, w3 = block_words(SEED_KEY, int64(seed[0]), int64(seed[1]), 0)
    words[0] = 0
    words[1] = int64(join_words(w2, w3))
    words[2] = int64(join_words(w0, w1))


@kernel("words: in[int64], out: out[int64], count: int")
def shuffle_positions(words, out, count):
    """Writes the positions 0 ... count - 1 in random order, by exchanges from the first one on (Fisher and Yates 1938)."""
    low, high, key = words[0], words[1], words[2]
    for i in range(count):
        out[i] = i
    words_of_block = local_array(uint64, 4)
    for block in range((count + 2) // 4):
        w0, w1, w2, w3 = block_words(key, low, high, block)
        words_of_block[0], words_of_block[1], words_of_block[2], words_of_block[3] = w0, w1, w2, w3
        for i in range(4 * block, least(4 * block + 4, count - 1)):
            other = i + int64(words_of_block[i - 4 * block] % uint64(count - i))
            position = out[i]
            out[i] = out[other]
            out[other] = position


@kernel("x: inout[float32], factor: int, first: int, last: int")
def fraction_of_multiple(x, factor, first, last):
    """The fraction of x times a power of two: the lowest bits of a fraction."""
    for i in range(first, last):
        x[i] = x[i] * float32(factor) - round_down(x[i] * float32(factor))


# ---- launches of the operations ------------------------------------------------------------------------


def word_dtype(dtype: np.dtype) -> np.dtype:
    """Returns the dtype of the words that integers of a dtype are drawn from."""
    return np.dtype(np.uint64 if dtype.itemsize == 8 else np.uint32)


def _bits_launch(words: Operand, result: Operand, size: int, dtype: Any = np.uint64) -> Launch:
    return Launch(bits[np.dtype(dtype)], (result, size, words), unit_count(size), UNIT_ELEMENTS * 1.5)


def integers_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], shape: tuple[int, ...], dtype: str
) -> Launches | None:
    """Returns the launches that draw from all integers of a dtype."""
    size, wanted = prod(shape), outputs[0].dtype
    if wanted.name not in INTEGERS:
        return None
    word = word_dtype(wanted)
    narrow = Launch(narrow_integers[wanted, word], (Scratch(0), Output(0)), size)
    return Launches((_bits_launch(Input(0), Scratch(0), size, word), narrow), ((word, size),))


def integers_between_launches(
    inputs: Sequence[Spec], outputs: Sequence[Spec], shape: tuple[int, ...]
) -> Launches | None:
    """Returns the launches that draw integers between two bounds, which broadcast to the shape."""
    _, low, high = inputs
    size, bounds = prod(shape), Operands([low, high], shape)
    if not bounds.known or low.dtype.name not in INTEGERS:
        return None
    work = Scratch(len(bounds.scratch))
    # The bounds are the inputs after the words.
    places = [Input(place.number + 1) if isinstance(place, Input) else place for place in bounds.places]
    before = [
        Launch(one.kernel, (Input(one.operands[0].number + 1), *one.operands[1:]), one.units)  # type: ignore[union-attr]
        for one in bounds.before
    ]
    word = word_dtype(low.dtype)
    last = Launch(integers_between[low.dtype, word], (work, *places, Output(0), *bounds.steps), size)
    scratch = (*bounds.scratch, (word, size))
    return Launches((*before, _bits_launch(Input(0), work, size, word), last), scratch)


@with_half_floats
def categories_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], count: int, dtype: str) -> Launches | None:
    """Returns the launches that draw class numbers from rows of unnormalised log-probabilities."""
    logits = inputs[0]
    rows, classes = logits.shape
    wanted, wide = outputs[0].dtype, np.dtype(np.float64)
    if not classes or wanted.name not in ("int32", "int64") or logits.dtype.name not in FLOATS:
        return None
    draw = Launch(uniform[wide], (Scratch(0), rows * count, Input(1)), unit_count(rows * count), UNIT_ELEMENTS * 1.5)
    operands = Input(0), Scratch(0), Scratch(1), Output(0), classes, count
    choose = Launch(choose_classes[logits.dtype, wide, wanted], operands, rows, 10.0 * (classes + count))
    return Launches((draw, choose), ((wide, rows * count), (wide, rows * classes)))


def philox_words_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches | None:
    """Returns the launches for the Philox counter and key of a stateless draw, from a seed of two integers."""
    if inputs[0].dtype.name not in ("int32", "int64"):
        return None
    return single_launch(philox_words[inputs[0].dtype], Input(0), Output(0))


def shuffle_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], count: int) -> Launches | None:
    """Returns the launches that draw the order of a shuffle."""
    return Launches((Launch(shuffle_positions[()], (Input(0), Output(0), count)),))


def narrow_floats_launches(kernel: Any, size: int, outputs: Sequence[Spec], factor: int) -> Launches | None:
    """Returns a draw's launches for half-width floats: fractions of multiples by `factor`, unless it is 0."""

    @with_half_floats
    def fill_launches(inputs: Sequence[Spec], outputs: Sequence[Spec]) -> Launches | None:
        fill = Launch(kernel[outputs[0].dtype], (Output(0), size, Input(0)), unit_count(size), UNIT_ELEMENTS * 4.0)
        return Launches((fill, Launch(fraction_of_multiple[()], (Output(0), factor), size)) if factor else (fill,))

    return fill_launches((), outputs)


@with_half_floats
def dropout_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], rate: float) -> Launches | None:
    """Returns the launches of dropout."""
    x, size = inputs[0], prod(inputs[0].shape)
    launch = Launch(
        dropout[x.dtype], (Input(0), Output(0), size, rate, Input(1)), unit_count(size), UNIT_ELEMENTS * 1.5
    )
    return Launches((launch,), in_place=((0, 0),))
