"""A number that fails a check is seen wherever it lies: at each place around the vectors and blocks of the kernels that look for it."""

from __future__ import annotations

import numpy as np
import pytest

import fastgrad as tf
from tests.reliability.boundaries.cases import small_work_is_shared
from tests.reliability.boundaries.constants import blocks_of
from tests.reliability.boundaries.sampling import THREADS

DTYPES = ("float32", "float64", "float16", "bfloat16")
CHECKS = {
    "check_numerics": lambda x: tf.debugging.check_numerics(x, "x"),
    "assert_less": lambda x: tf.debugging.assert_less(tf.abs(x), tf.constant(9.0, x.dtype)),
    "assert_all_finite": lambda x: tf.debugging.Assert(tf.reduce_all(tf.math.is_finite(x)), [x]),
}


def places_of(size: int, blocks: tuple[int, ...]) -> list[int]:
    """The first and last places, and those on both sides of each block."""
    places = {0, size - 1, size // 2, *[b + step for b in blocks for step in (-1, 0)]}
    return sorted(place for place in places if 0 <= place < size)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CHECKS)
def test_a_nan_is_found_wherever_it_is(name, dtype, full, figure):
    blocks = tuple([b for b in blocks_of("check_numerics", 4) if b <= 128])
    sizes = sorted({1, *[b + step for b in blocks for step in (-1, 0, 1, 5)]})
    check = CHECKS[name]
    for size in sizes if full else sizes[:: len(sizes) // 3]:

        @tf.function
        def compiled(x):
            z = x * tf.cast(0.5, x.dtype)
            check(z)
            return z + tf.cast(1.0, x.dtype)

        with small_work_is_shared(THREADS[size % len(THREADS)]):
            good = np.zeros(size)
            for _ in range(3):
                compiled(tf.cast(tf.constant(good), dtype))
            for place in places_of(size, blocks):
                bad = good.copy()
                bad[place] = np.nan
                x = tf.cast(tf.constant(bad), dtype)
                for call in (check, compiled):
                    with pytest.raises(tf.errors.InvalidArgumentError):
                        call(x)
                figure("places of a NaN", 1)
            compiled(tf.cast(tf.constant(good), dtype))
