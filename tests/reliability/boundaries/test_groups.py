"""Compiled groups of operations, with their gradients, at sizes around the constants of the code that fuses them: against eager code in float64."""

from __future__ import annotations

import itertools
import traceback
import zlib

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.core.tensor import Tensor
from tests.reliability.boundaries.cases import LAYOUTS, laid_out, small_work_is_shared
from tests.reliability.boundaries.constants import blocks_of
from tests.reliability.boundaries.groups import GROUPS, make, with_gradients
from tests.reliability.boundaries.sampling import THREADS, borders
from tests.selection import run_seed

SHORT, LONG = 1, 12
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}
"""Of the largest number of a result, for each factor of which it is a sum."""
BLOCKS = tuple(sorted({*blocks_of("add", 4), *blocks_of("reduce_sum", 4), *blocks_of("softmax", 4)}))


def sizes_of(r: np.random.Generator, count: int, largest: int) -> list[tuple[int, int, int]]:
    """Numbers of rows and columns around blocks, and a number of outputs."""
    every = list(borders(2, BLOCKS, largest))
    chosen = [every[index] for index in r.permutation(len(every))[:count]]
    drawn = []
    for at in chosen:
        m, n = (max(1, at.get(place, int(r.integers(1, 5)))) for place in (0, 1))
        drawn.append((m, n, int(r.choice([1, 2, 7, 16, 33]))))
    return drawn


def compare(name: str, sizes: tuple[int, int, int], dtype: str, threads: int, layouts: list[str]) -> float:
    """Compares a compiled program with eager code in float64; returns the largest error as a part of the tolerance."""
    arrays = make(np.random.default_rng(sum(sizes)), *sizes)
    exact = [y.numpy() for y in with_gradients(GROUPS[name], *map(tf.constant, arrays))]
    r = np.random.default_rng(sizes)
    tensors = [Tensor(laid_out(x.astype(dtype), layout, r)) for x, layout in zip(arrays, layouts, strict=True)]
    program = tf.function(lambda *tensors: with_gradients(GROUPS[name], *tensors))
    worst = 0.0
    with small_work_is_shared(threads):
        for call in range(3):  # the first call records
            for y, wanted in zip(program(*tensors), exact, strict=True):
                found = y.numpy().astype(np.float64)
                finite = np.isfinite(wanted)  # the gradient of the standard deviation of one number is NaN
                np.testing.assert_array_equal(np.where(finite, 0, found), np.where(finite, 0, wanted))
                largest = np.abs(wanted[finite]).max(initial=0)
                bound = TOLERANCE[dtype] * (1 + largest) * max(1, np.sqrt(max(sizes)) / 8)
                off = np.abs(found - wanted)[finite].max(initial=0)
                assert off <= bound, f"call {call}: off by {off} where {bound} is allowed, shape {wanted.shape}"
                worst = max(worst, off / bound)
    return worst


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_around_blocks(name, full, figure):
    seed = 0 if full else run_seed()
    print(f"again with FASTGRAD_RANDOM_SEED={seed}")
    r = np.random.default_rng([seed, zlib.crc32(name.encode())])
    failures, worst, tried = [], 0.0, 0
    dtypes = list(TOLERANCE) if full else [str(r.choice(list(TOLERANCE)))]
    for sizes, dtype in itertools.product(sizes_of(r, *((LONG, 1 << 16) if full else (SHORT, 1 << 11))), dtypes):
        threads, layouts = int(r.choice(THREADS)), [str(r.choice(LAYOUTS)) for _ in range(3)]
        try:
            worst = max(worst, compare(name, sizes, dtype, threads, layouts))
        except Exception:  # noqa: BLE001 - whatever it is, the other sizes are tried
            failures.append(f"{name} {sizes} {dtype} {threads} threads, {layouts}\n{traceback.format_exc(limit=-2)}")
        tried += 1
    figure("programs of groups, with gradients", tried)
    figure("largest error of a group as a part of the tolerance", round(float(worst), 3), combine="max")
    assert not failures, f"{len(failures)} programs failed\n" + "\n".join(failures[:3])
