"""Random numbers from a counter: Philox4x32-10 (Salmon, Moraes, Dror and Shaw 2011).

A draw has a 64-bit key and a 128-bit counter. Kernels take them as `words`, three int64 in the format of a generator's
state: the counter's low word, its high word, the key. Element i of a draw is a function of key, counter and i alone. It
is the same for every dtype of the same width, every cut into pieces, and every device:

- Block b is Philox at counter + b (mod 2^128): four 32-bit words w0, w1, w2, w3. The counter's 32-bit words c0 (the
  lowest) to c3 and the key's k0 (the low one), k1 are the algorithm's input in that order.
- A 32-bit element i is word i % 4 of block i // 4. A 64-bit element i is words 2(i % 2), the low half, and
  2(i % 2) + 1 of block i // 2.
Floats follow from the words as in TensorFlow, so that draws of one key and counter are TensorFlow's:

- A fraction of float32 is the low 23 bits of a word times 2^-23. One of float64 has 52 bits: the low 20 bits of the
  element's first word, then its second word.
- `uniform`: the fraction of the element.
- `normal` (Box and Muller 1958): elements 2j and 2j + 1 are r sin(2 pi v) and r cos(2 pi v), r = sqrt(-2 log u), with
  the fractions u and v of these elements, u at least 1e-7.
- `truncated_normal`: the first normal numbers within (-2, 2). The elements of a block, four of float32 or two of
  float64, take theirs from 256 or 128 blocks of their own.
- `dropout`: element i is kept if the fraction of its word is at least the rate, whatever the dtype.

A draw of n elements owns 256 n counters, as TensorFlow's generators reserve. Kernels that draw do the units of work [first,
last) of `unit_count(size)`.
"""

import math
from typing import Any

from numpy import float32, float64, int32, int64, uint32, uint64

from fastgrad._src.jit.body import by_dtype, scalar_function, specialized
from fastgrad._src.jit.build import Kernel, kernel
from fastgrad._src.kernels.math.circular import cosine_and_sine_of_turns
from fastgrad._src.kernels.math.vector_math import least, log

FLOATS = ("float32", "float64")
UNIT_ELEMENTS = 4096
"""Elements of a unit of work."""

PHILOX_MULTIPLIER_0 = 0xD2511F53
PHILOX_MULTIPLIER_1 = 0xCD9E8D57
PHILOX_WEYL_0 = 0x9E3779B9
PHILOX_WEYL_1 = 0xBB67AE85
LOW_32_BITS = 0xFFFFFFFF

LEAST_UNIFORM = 1e-7
"""The least uniform number whose logarithm a normal number takes."""


def unit_count(size: int) -> int:
    """Returns the number of units of work of a draw of `size` elements."""
    return size // UNIT_ELEMENTS + 1


@scalar_function
def block_words(key, low, high, block):
    """Returns the four words of a block, as uint64 below 2^32."""
    c = uint64(low) + uint64(block)
    d = uint64(high) + (uint64(1) if c < uint64(low) else uint64(0))
    c0, c1 = c & uint64(LOW_32_BITS), c >> uint64(32)
    c2, c3 = d & uint64(LOW_32_BITS), d >> uint64(32)
    k0, k1 = uint64(key) & uint64(LOW_32_BITS), uint64(key) >> uint64(32)
    for _ in range(10):
        p0 = uint64(PHILOX_MULTIPLIER_0) * c0
        p1 = uint64(PHILOX_MULTIPLIER_1) * c2
        c0, c2 = (p1 >> uint64(32)) ^ c1 ^ k0, (p0 >> uint64(32)) ^ c3 ^ k1
        c1, c3 = p1 & uint64(LOW_32_BITS), p0 & uint64(LOW_32_BITS)
        k0 = (k0 + uint64(PHILOX_WEYL_0)) & uint64(LOW_32_BITS)
        k1 = (k1 + uint64(PHILOX_WEYL_1)) & uint64(LOW_32_BITS)
    return c0, c1, c2, c3


@scalar_function
def store_up_to_four(out, at, count, v0, v1, v2, v3):
    """out[at : at + count] = v0, v1, v2, v3 for count <= 4."""
    if count > 0:
        out[at] = v0
    if count > 1:
        out[at + 1] = v1
    if count > 2:
        out[at + 2] = v2
    if count > 3:
        out[at + 3] = v3


@scalar_function
def join_words(low_word, high_word):
    """Returns the 64-bit number whose low and high 32 bits are these words."""
    return low_word | (high_word << uint64(32))


@kernel("state: in[int64], next_state: out[int64], count: int")
def advance_state(state, next_state, count):
    """Writes the state after a draw of `count` elements, which advances the counter by `count`, mod 2^128."""
    low = uint64(state[0])
    sum_ = low + uint64(count)
    next_state[0] = int64(sum_)
    next_state[1] = int64(uint64(state[1]) + (uint64(1) if sum_ < low else uint64(0)))
    next_state[2] = state[2]


def _bits_of_block32(zero, words):
    w0, w1, w2, w3 = words
    return uint32(w0), uint32(w1), uint32(w2), uint32(w3)


def _bits_of_block64(zero, words):
    w0, w1, w2, w3 = words
    return join_words(w0, w1), join_words(w2, w3), zero, zero


@scalar_function
def fraction_bits(word):
    """Returns the bits of a word that a fraction of float32 has."""
    return word & uint64(0x7FFFFF)


@scalar_function
def least_kept_bits(rate):
    """Returns the least `fraction_bits` of elements that dropout keeps."""
    return uint64(math.ceil(float64(float32(rate)) * 8388608.0))


@scalar_function
def fraction32(word):
    """Returns the low 23 bits of a word as a number in [0, 1)."""
    return T(int32(fraction_bits(word))) * T(2.0**-23)


@scalar_function
def fraction64(first_word, second_word):
    """Returns 52 bits of two words as a number in [0, 1)."""
    return T(int64(join_words(second_word, first_word & uint64(0xFFFFF)))) * T(2.0**-52)


def _uniform_of_block32(zero, words):
    w0, w1, w2, w3 = words
    return fraction32(w0), fraction32(w1), fraction32(w2), fraction32(w3)


def _uniform_of_block64(zero, words):
    w0, w1, w2, w3 = words
    return fraction64(w0, w1), fraction64(w2, w3), zero, zero


@scalar_function
def normal_pair(u, v):
    """Returns two independent normal numbers from two uniform ones in [0, 1)."""
    r = math.sqrt(T(-2) * log(u if u > T(LEAST_UNIFORM) else T(LEAST_UNIFORM)))
    c, s = cosine_and_sine_of_turns(v)
    return r * s, r * c


def _normal_of_block32(zero, words):
    w0, w1, w2, w3 = words
    v0, v1 = normal_pair(fraction32(w0), fraction32(w1))
    v2, v3 = normal_pair(fraction32(w2), fraction32(w3))
    return v0, v1, v2, v3


def _normal_of_block64(zero, words):
    w0, w1, w2, w3 = words
    v0, v1 = normal_pair(fraction64(w0, w1), fraction64(w2, w3))
    return v0, v1, zero, zero


def _dropout_bits_of_block(zero, words):
    w0, w1, w2, w3 = words
    return uint32(w0 << uint64(9)), uint32(w1 << uint64(9)), uint32(w2 << uint64(9)), uint32(w3 << uint64(9))


# ---- the loop over a draw's blocks --------------------------------------------------------------------------


def _four_elements_per_block(zero):
    return 4


def _two_elements_per_block(zero):
    return 2


elements_per_block = by_dtype(
    float32=_four_elements_per_block,
    float64=_two_elements_per_block,
    uint32=_four_elements_per_block,
    uint64=_two_elements_per_block,
)
elements = by_dtype(uint32=_bits_of_block32, uint64=_bits_of_block64)
"""The elements of a block from its words; each kernel is compiled with its own function."""


def _fill_with_draw(out, size, words, first, last):
    low, high, key = words[0], words[1], words[2]
    each = elements_per_block(T(0))
    blocks = size // each
    for b in range(first * (UNIT_ELEMENTS // each), least(last * (UNIT_ELEMENTS // each), blocks)):
        v0, v1, v2, v3 = elements(T(0), block_words(key, low, high, b))
        store_up_to_four(out, each * b, each, v0, v1, v2, v3)
    if first * UNIT_ELEMENTS <= size < last * UNIT_ELEMENTS:
        v0, v1, v2, v3 = elements(T(0), block_words(key, low, high, blocks))
        store_up_to_four(out, each * blocks, size - each * blocks, v0, v1, v2, v3)


def draw_kernel(name: str, summary: str, of_block: Any, dtypes: tuple[str, ...]) -> Kernel:
    """Returns a kernel that fills an array with a draw; `of_block` computes a block's elements from its words."""
    function = specialized(_fill_with_draw, name, summary, elements=of_block)
    return kernel("out: out[T], size: int, words: in[int64], first: int, last: int", T=dtypes)(function)


bits = draw_kernel("bits", "The 32-bit or 64-bit elements of a draw.", elements, ("uint32", "uint64"))
uniform = draw_kernel(
    "uniform", "Uniform numbers in [0, 1).", by_dtype(float32=_uniform_of_block32, float64=_uniform_of_block64), FLOATS
)
normal = draw_kernel(
    "normal",
    "Normal numbers of mean 0 and variance 1.",
    by_dtype(float32=_normal_of_block32, float64=_normal_of_block64),
    FLOATS,
)
dropout_bits = draw_kernel(
    "dropout_bits",
    "The low 23 bits of each 32-bit element, as the top ones: those that dropout compares.",
    by_dtype(uint32=_dropout_bits_of_block),
    ("uint32",),
)
normal_elements = by_dtype(float32=_normal_of_block32, float64=_normal_of_block64)


@kernel("out: out[T], size: int, words: in[int64], first: int, last: int", T=FLOATS)
def truncated_normal(out, size, words, first, last):
    """Normal numbers given that they lie between -2 and 2."""
    low, high, key = words[0], words[1], words[2]
    each = elements_per_block(T(0))
    for at in range(first * UNIT_ELEMENTS, least(last * UNIT_ELEMENTS, size), each):
        block = (at // each) * (64 * each)
        count = 0
        while count < each:
            v0, v1, v2, v3 = normal_elements(T(0), block_words(key, low, high, block))
            block += 1
            for place in range(each):
                v = v0 if place == 0 else v1 if place == 1 else v2 if place == 2 else v3
                if math.fabs(v) < T(2) and count < each:
                    if at + count < size:
                        out[at + count] = v
                    count += 1


@kernel("x: in[T], out: out[T], size: int, rate: float, words: in[int64], first: int, last: int", T=FLOATS)
def dropout(x, out, size, rate, words, first, last):
    """x / (1 - rate) for kept elements, else 0. The gradient is the same draw applied to the cotangent."""
    low, high, key = words[0], words[1], words[2]
    scale = T(1.0 / (1.0 - rate))
    least_kept = least_kept_bits(rate)
    for b in range(first * (UNIT_ELEMENTS // 4), least(last * (UNIT_ELEMENTS // 4), size // 4)):
        w0, w1, w2, w3 = block_words(key, low, high, b)
        out[4 * b] = x[4 * b] * scale if fraction_bits(w0) >= least_kept else T(0)
        out[4 * b + 1] = x[4 * b + 1] * scale if fraction_bits(w1) >= least_kept else T(0)
        out[4 * b + 2] = x[4 * b + 2] * scale if fraction_bits(w2) >= least_kept else T(0)
        out[4 * b + 3] = x[4 * b + 3] * scale if fraction_bits(w3) >= least_kept else T(0)
    if first * UNIT_ELEMENTS <= size < last * UNIT_ELEMENTS:
        at = size - size % 4
        w0, w1, w2, _ = block_words(key, low, high, size // 4)
        if at < size:
            out[at] = x[at] * scale if fraction_bits(w0) >= least_kept else T(0)
        if at + 1 < size:
            out[at + 1] = x[at + 1] * scale if fraction_bits(w1) >= least_kept else T(0)
        if at + 2 < size:
            out[at + 2] = x[at + 2] * scale if fraction_bits(w2) >= least_kept else T(0)
