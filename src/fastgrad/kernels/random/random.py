"""Random numbers from a counter: Philox4x32-10 (Salmon, Moraes, Dror and Shaw 2011).

A draw has a 64-bit key and a 128-bit counter. Kernels take them as `words`, three int64 in the format of a generator's
state: the counter's low word, its high word, the key. Element i of a draw is a function of key, counter and i alone. It
is the same for every dtype of the same width, every cut into pieces, and every device:

- Block b is Philox at counter + b (mod 2^128): four 32-bit words w0, w1, w2, w3. The counter's 32-bit words c0 (the
  lowest) to c3 and the key's k0 (the low one), k1 are the algorithm's input in that order.
- A 32-bit element i is word i % 4 of block i // 4. A 64-bit element i is words 2(i % 2), the low half, and
  2(i % 2) + 1 of block i // 2.
- `uniform`: the top 24 bits of a 32-bit element times 2^-24 for float32, the top 53 bits of a 64-bit element times
  2^-53 for float64.
- `normal` (Box and Muller 1958): elements 2j and 2j + 1 are r cos(2 pi v) and r sin(2 pi v), r = sqrt(-2 log u), from
  the elements a = 2j and b = 2j + 1 of the same width. float32: u = ((a >> 1) + 1) 2^-31, v = (b >> 8) 2^-24.
  float64: u = ((a >> 11) + 1) 2^-53, v = (b >> 11) 2^-53.
- `truncated_normal`: the quantile of the normal distribution between -2 and 2 at (k + 1/2) 2^-n, with k the top n = 24
  (float32) or 53 (float64) bits of the element.
- `dropout`: element i is kept if its 32-bit element is at least rate 2^32, whatever the dtype.

So a draw of n elements uses at most the n blocks from its counter on. Kernels that draw do the units of work [first,
last) of `unit_count(size)`.
"""

import math
from typing import Any

from numpy import int32, int64, uint32, uint64

from fastgrad.kernels.codegen.body import by_dtype, scalar_function, specialized
from fastgrad.kernels.codegen.build import Kernel, kernel
from fastgrad.kernels.math.circular import cosine_and_sine_of_turns
from fastgrad.kernels.math.vector_math import least, log

FLOATS = ("float32", "float64")
UNIT_ELEMENTS = 4096
"""Elements of a unit of work."""

PHILOX_MULTIPLIER_0 = 0xD2511F53
PHILOX_MULTIPLIER_1 = 0xCD9E8D57
PHILOX_WEYL_0 = 0x9E3779B9
PHILOX_WEYL_1 = 0xBB67AE85
LOW_32_BITS = 0xFFFFFFFF

# The normal distribution's mass between -2 and 2, and sqrt(-2 log(1/2)), where the fit of its quantile begins.
NORMAL_MASS_WITHIN_TWO = 0.95449973610364158560
QUANTILE_FIT_START = 1.17741002251547469101


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
def joined_words(low_word, high_word):
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
    return joined_words(w0, w1), joined_words(w2, w3), zero, zero


@scalar_function
def fraction32(word):
    """Returns the top 24 bits of a word as a number in [0, 1)."""
    return T(int32(word >> uint64(8))) * T(2.0**-24)


@scalar_function
def fraction64(low_word, high_word):
    """Returns the top 53 bits of a 64-bit element as a number in [0, 1)."""
    return T(int64(joined_words(low_word, high_word) >> uint64(11))) * T(2.0**-53)


def _uniform_of_block32(zero, words):
    w0, w1, w2, w3 = words
    return fraction32(w0), fraction32(w1), fraction32(w2), fraction32(w3)


def _uniform_of_block64(zero, words):
    w0, w1, w2, w3 = words
    return fraction64(w0, w1), fraction64(w2, w3), zero, zero


@scalar_function
def normal_pair(u, v):
    """Returns two independent normal numbers from two uniform ones, 0 < u <= 1."""
    r = math.sqrt(T(-2) * log(u))
    c, s = cosine_and_sine_of_turns(v)
    return r * c, r * s


def _normal_of_block32(zero, words):
    w0, w1, w2, w3 = words
    v0, v1 = normal_pair((T(int32(w0 >> uint64(1))) + T(1)) * T(2.0**-31), fraction32(w1))
    v2, v3 = normal_pair((T(int32(w2 >> uint64(1))) + T(1)) * T(2.0**-31), fraction32(w3))
    return v0, v1, v2, v3


def _normal_of_block64(zero, words):
    w0, w1, w2, w3 = words
    v0, v1 = normal_pair(fraction64(w0, w1) + T(2.0**-53), fraction64(w2, w3))
    return v0, v1, zero, zero


@scalar_function
def truncated_quantile(s):
    """Returns the quantile at 1/2 + s of the normal distribution between -2 and 2, |s| < 1/2.

    With t = sqrt(-2 log p) for the tail p beyond it, the quantile is (t - FIT_START) times a polynomial in t - 2.
    """
    t = math.sqrt(T(-2) * log(T(0.5) - math.fabs(s) * T(NORMAL_MASS_WITHIN_TWO)))
    u = t - T(2)
    q = T(4.67124277324390776e-06)
    q = q * u + T(-6.91140837846335875e-06)
    q = q * u + T(5.01072048114248251e-06)
    q = q * u + T(-1.72879155621183983e-05)
    q = q * u + T(4.65914052555616593e-05)
    q = q * u + T(-9.83247608940720523e-05)
    q = q * u + T(2.16659258256934353e-04)
    q = q * u + T(-4.94128027629418356e-04)
    q = q * u + T(1.14161692178575298e-03)
    q = q * u + T(-2.68891994353588369e-03)
    q = q * u + T(6.49714295205520914e-03)
    q = q * u + T(-1.62057667713047843e-02)
    q = q * u + T(4.20618262385018048e-02)
    q = q * u + T(-1.14949692764352400e-01)
    q = q * u + T(1.33908710128532914e00)
    return math.copysign((t - T(QUANTILE_FIT_START)) * q, s)


@scalar_function
def centred32(word):
    """Returns (k + 1/2) 2^-24 - 1/2 for the top 24 bits k of a word, exactly."""
    return (T(int32(word >> uint64(8)) - 8388608) + T(0.5)) * T(2.0**-24)


@scalar_function
def centred64(low_word, high_word):
    """Returns (k + 1/2) 2^-53 - 1/2 for the top 53 bits k of a 64-bit element, exactly."""
    return (T(int64(joined_words(low_word, high_word) >> uint64(11)) - 4503599627370496) + T(0.5)) * T(2.0**-53)


def _truncated_normal_of_block32(zero, words):
    w0, w1, w2, w3 = words
    return (
        truncated_quantile(centred32(w0)),
        truncated_quantile(centred32(w1)),
        truncated_quantile(centred32(w2)),
        truncated_quantile(centred32(w3)),
    )


def _truncated_normal_of_block64(zero, words):
    w0, w1, w2, w3 = words
    return truncated_quantile(centred64(w0, w1)), truncated_quantile(centred64(w2, w3)), zero, zero


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
truncated_normal = draw_kernel(
    "truncated_normal",
    "Normal numbers given that they lie between -2 and 2.",
    by_dtype(float32=_truncated_normal_of_block32, float64=_truncated_normal_of_block64),
    FLOATS,
)


@kernel("x: in[T], out: out[T], size: int, rate: float, words: in[int64], first: int, last: int", T=FLOATS)
def dropout(x, out, size, rate, words, first, last):
    """x / (1 - rate) for kept elements, else 0. The gradient is the same draw applied to the cotangent."""
    low, high, key = words[0], words[1], words[2]
    scale = T(1.0 / (1.0 - rate))
    least_kept = uint64(math.ceil(rate * 4294967296.0))
    for b in range(first * (UNIT_ELEMENTS // 4), least(last * (UNIT_ELEMENTS // 4), size // 4)):
        w0, w1, w2, w3 = block_words(key, low, high, b)
        out[4 * b] = x[4 * b] * scale if w0 >= least_kept else T(0)
        out[4 * b + 1] = x[4 * b + 1] * scale if w1 >= least_kept else T(0)
        out[4 * b + 2] = x[4 * b + 2] * scale if w2 >= least_kept else T(0)
        out[4 * b + 3] = x[4 * b + 3] * scale if w3 >= least_kept else T(0)
    if first * UNIT_ELEMENTS <= size < last * UNIT_ELEMENTS:
        at = size - size % 4
        w0, w1, w2, _ = block_words(key, low, high, size // 4)
        if at < size:
            out[at] = x[at] * scale if w0 >= least_kept else T(0)
        if at + 1 < size:
            out[at + 1] = x[at + 1] * scale if w1 >= least_kept else T(0)
        if at + 2 < size:
            out[at + 2] = x[at + 2] * scale if w2 >= least_kept else T(0)
