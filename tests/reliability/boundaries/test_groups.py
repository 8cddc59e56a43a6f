"""Groups of operations, their gradients included, around each block of what makes kernels of them: against eager code in float64."""

from __future__ import annotations

import itertools
import traceback
import zlib

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.tensor import Tensor
from tests.reliability.boundaries.cases import LAYOUTS, laid_out, small_work_is_shared
from tests.reliability.boundaries.constants import blocks_of
from tests.reliability.boundaries.groups import GROUPS, make, with_gradients
from tests.reliability.boundaries.sampling import THREADS, borders

SHORT, LONG = 1, 12
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}
"""Of the largest number of a result, for each factor of which it is a sum."""
BLOCKS = tuple(sorted({*blocks_of("add", 4), *blocks_of("reduce_sum", 4), *blocks_of("softmax", 4)}))


def sizes_of(name: str, count: int, largest: int) -> list[tuple[int, int, int]]:
    """Numbers of rows and columns around blocks, and a number of outputs."""
    r = np.random.default_rng(zlib.crc32(name.encode()))
    found = [at for _, at in borders(2, BLOCKS, largest)]
    chosen = [found[index] for index in r.permutation(len(found))[:count]]
    drawn = []
    for at in chosen:
        m, n = (max(1, at.get(place, int(r.integers(1, 5)))) for place in (0, 1))
        drawn.append((m, n, int(r.choice([1, 2, 7, 16, 33]))))
    return drawn


def compare(name: str, sizes: tuple[int, int, int], dtype: str, threads: int, layout: str) -> float:
    """Compares a compiled program with eager code in float64; gives the largest part of the tolerance that a result took."""
    arrays = make(np.random.default_rng(sum(sizes)), *sizes)
    exact = [y.numpy() for y in with_gradients(GROUPS[name], *map(tf.constant, arrays))]
    tensors = [Tensor(laid_out(x.astype(dtype), layout)) for x in arrays]
    program = tf.function(lambda *tensors: with_gradients(GROUPS[name], *tensors))
    worst = 0.0
    with small_work_is_shared(threads):
        for call in range(3):  # the first call records
            for y, wanted in zip(program(*tensors), exact, strict=True):
                bound = TOLERANCE[dtype] * (1 + np.abs(wanted).max(initial=0)) * max(1, np.sqrt(max(sizes)) / 8)
                off = np.abs(y.numpy().astype(np.float64) - wanted).max(initial=0)
                assert off <= bound, f"call {call}: off by {off} where {bound} is allowed, shape {wanted.shape}"
                worst = max(worst, off / bound)
    return worst


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_around_blocks(name, full, figure):
    r = np.random.default_rng(zlib.crc32(name.encode()))
    failures, worst, tried = [], 0.0, 0
    dtypes = list(TOLERANCE) if full else [str(r.choice(list(TOLERANCE)))]
    for sizes, dtype in itertools.product(sizes_of(name, *((LONG, 1 << 16) if full else (SHORT, 1 << 11))), dtypes):
        threads, layout = int(r.choice(THREADS)), LAYOUTS[int(r.integers(0, len(LAYOUTS)))]
        try:
            worst = max(worst, compare(name, sizes, dtype, threads, layout))
        except Exception:  # noqa: BLE001 - whatever it is, the other sizes are tried
            failures.append(f"{name} {sizes} {dtype} {threads} threads, {layout}\n{traceback.format_exc(limit=-2)}")
        tried += 1
    figure("programs of groups, with gradients", tried)
    figure("largest error of a group as a part of the tolerance", round(float(worst), 3), combine="max")
    assert not failures, f"{len(failures)} programs failed\n" + "\n".join(failures[:3])
