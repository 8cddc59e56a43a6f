import itertools

import numpy as np
import pytest
from scipy import stats

from fastgrad._src.kernels.random import random

F4, F8 = np.dtype("float32"), np.dtype("float64")
BOTH = [F4, F8]


def _philox(key, counter):
    """Philox4x32-10 of Salmon et al. 2011, in Python's integers."""
    k = [key & 0xFFFFFFFF, key >> 32 & 0xFFFFFFFF]
    c = [counter >> 32 * i & 0xFFFFFFFF for i in range(4)]
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & 0xFFFFFFFF, (p0 >> 32) ^ c[3] ^ k[1], p0 & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def _words(key, low, high, blocks):
    start = (high % 2**64) << 64 | low % 2**64
    return np.array([w for b in range(blocks) for w in _philox(key % 2**64, (start + b) % 2**128)], np.uint64)


def _draw(name, dtype, n, key=1, low=0, high=0):
    out = np.empty(n, dtype)
    getattr(random, name)[dtype](out, n, np.array([low, high, key]), 0, random.unit_count(n))
    return out


def _elements(dtype, n, key, low, high):
    """The 32-bit or 64-bit elements behind a draw, by the layout that the module's text gives."""
    if dtype.itemsize == 4:
        return _words(key, low, high, n // 4 + 1)
    words = _words(key, low, high, n // 2 + 1)
    return words[0::2] | words[1::2] << np.uint64(32)


@pytest.mark.parametrize(
    ("key", "counter", "words"),
    [
        (0, 0, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        (-1, -1, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    ],
)
def test_the_published_test_vectors(key, counter, words):
    out = _draw("bits", np.dtype(np.uint32), 4, key, counter, counter)
    np.testing.assert_array_equal(out, np.array(words, np.uint32))


# The counter's low words end within the draw: the carry reaches the high ones.
STREAMS = [(12345, 0, 0), (-7, -3, 9), (1 << 40, (1 << 63) - 2, -1), (5, -2, -1)]


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 7, 64, 101])
def test_bits_follow_the_layout(stream, n):
    for dtype in (np.dtype(np.uint32), np.dtype(np.uint64)):
        np.testing.assert_array_equal(_draw("bits", dtype, n, *stream), _elements(dtype, n, *stream)[:n])


def _fractions(dtype, n, key, low, high):
    """The fractions of the elements: of float32 the low 23 bits of a word, of float64 20 bits of the first word and the second."""
    words = _words(key, low, high, n // (16 // dtype.itemsize) + 1)
    if dtype == F4:
        return ((words & np.uint64(0x7FFFFF)) * 2.0**-23)[:n]
    return (((words[0::2] & np.uint64(0xFFFFF)) << np.uint64(32) | words[1::2]) * 2.0**-52)[:n]


def _normals(dtype, pairs, *stream):
    u, v = _fractions(dtype, 2 * pairs, *stream).reshape(-1, 2).T
    r = np.sqrt(-2 * np.log(np.maximum(u, 1e-7)))
    return np.stack([r * np.sin(2 * np.pi * v), r * np.cos(2 * np.pi * v)], 1).ravel()


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("n", [1, 6, 101])
def test_floats_follow_the_layout(dtype, stream, n):
    np.testing.assert_array_equal(_draw("uniform", dtype, n, *stream), _fractions(dtype, n, *stream))
    tolerance = 3e-6 if dtype == F4 else 3e-11
    normal = _normals(dtype, (n + 1) // 2, *stream)[:n]
    np.testing.assert_allclose(_draw("normal", dtype, n, *stream), normal, rtol=0, atol=tolerance)
    key, low, high = stream
    each = 16 // dtype.itemsize
    truncated = []
    for group in range(-(-n // each)):
        start = ((high % 2**64) << 64 | low % 2**64) + group * 64 * each
        drawn = _normals(dtype, 40, key, start % 2**64, start >> 64)
        truncated += drawn[np.abs(drawn) < 2][:each].tolist()
    found = _draw("truncated_normal", dtype, n, *stream)
    np.testing.assert_allclose(found, truncated[:n], rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("name", ["uniform", "normal", "truncated_normal"])
def test_an_element_does_not_depend_on_how_many_are_drawn(name, dtype):
    whole, each = _draw(name, dtype, 103, 3, 5), 16 // dtype.itemsize
    for n in (1, 5, 64, 102):
        np.testing.assert_array_equal(_draw(name, dtype, n, 3, 5), whole[:n])
    blocks = 8 * (64 * each if name == "truncated_normal" else 1)
    np.testing.assert_array_equal(_draw(name, dtype, 103 - 8 * each, 3, 5 + blocks), whole[8 * each :])


@pytest.mark.parametrize("dtype", BOTH)
def test_distributions(dtype):
    n = 100_000
    assert stats.kstest(_draw("uniform", dtype, n), "uniform").pvalue > 1e-3
    assert stats.kstest(_draw("normal", dtype, n), "norm").pvalue > 1e-3
    truncated = _draw("truncated_normal", dtype, n)
    assert stats.kstest(truncated, stats.truncnorm(-2, 2).cdf).pvalue > 1e-3
    assert np.abs(truncated).max() <= 2
    uniform = _draw("uniform", dtype, n)
    assert uniform.min() >= 0
    assert uniform.max() < 1


@pytest.mark.parametrize("dtype", BOTH)
@pytest.mark.parametrize("n", [0, 1, 6, 103])
def test_dropout_keeps_by_the_bits_whatever_the_dtype(dtype, n):
    x = np.random.default_rng(0).normal(size=n).astype(dtype)
    out = np.empty_like(x)
    random.dropout[dtype](x, out, n, 0.3, np.array([4, 2, -9]), 0, 1)
    kept = _fractions(F4, n, -9, 4, 2) >= np.float32(0.3)
    np.testing.assert_array_equal(out, np.where(kept, x * dtype.type(1 / (1 - 0.3)), 0))


def test_dropout_at_its_ends():
    x, out = np.array([np.nan, np.inf, 1.0, 2.0, 3.0]), np.empty(5)
    random.dropout[F8](x, out, 5, 0.0, np.array([0, 0, 1]), 0, 1)
    np.testing.assert_array_equal(out, x)
    random.dropout[F8](x, out, 5, 1 - 2.0**-40, np.array([0, 0, 1]), 0, 1)
    np.testing.assert_array_equal(out, 0)


@pytest.mark.parametrize("count", [1, 7, 2**63 - 1])
@pytest.mark.parametrize("start", [0, 5, 2**64 - 3, 2**64 - 1, 2**127, 2**128 - 1])
def test_a_counter_moves_on_modulo_2_to_the_128(start, count):
    words = np.array([start % 2**64, start >> 64, 9], np.uint64).view(np.int64)
    after = np.empty(3, np.int64)
    random.advance_state[()](words, after, count)
    expected = (start + count) % 2**128
    np.testing.assert_array_equal(after.view(np.uint64), np.array([expected % 2**64, expected >> 64, 9], np.uint64))


@pytest.mark.parametrize("n", [4095, 4096, 4097, 8192, 12301])
@pytest.mark.parametrize("name", ["uniform", "normal", "truncated_normal", "bits", "dropout"])
def test_draws_can_be_cut_anywhere(name, n):
    words, units = np.array([5, 0, 3]), random.unit_count(n)
    x = np.random.default_rng(0).normal(size=n)
    dtype = np.dtype(np.uint64) if name == "bits" else F8
    kernel = getattr(random, name)[dtype]

    def draw(cuts):
        out = np.full(n, 7, dtype)
        for first, last in itertools.pairwise(cuts):
            kernel(*((x, out, n, 0.3) if name == "dropout" else (out, n)), words, first, last)
        return out

    whole = draw([0, units])
    assert (whole != 7).all()
    np.testing.assert_array_equal(draw(range(units + 1)), whole)
    np.testing.assert_array_equal(draw([0, 0, units // 2, units]), whole)
