"""Gradients of functions with kernels for both directions, at sizes around the constants of these kernels.

A gradient times a random direction is compared with central differences of the function along that direction, in float64; gradients in float32 and
in compiled programs are compared with those in float64.
"""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from fastgrad._src.core.operation import TABLE
from tests.kernels.differentiable import DIFFERENTIABLE, check_gradients
from tests.reliability.boundaries.cases import small_work_is_shared
from tests.reliability.boundaries.constants import blocks_of
from tests.reliability.boundaries.sampling import THREADS, borders
from tests.selection import run_seed

SHORT, LONG = 1, 12
ROWS = {
    "group normalization": "batch_moments",
    "layer normalization": "layer_normalization_gradient",
    "attention": "attention_gradient",
    "lstm": "lstm_gradient",
    "gru": "gru_gradient",
    "simple_rnn": "simple_rnn_gradient",
    "dense": "dense_gradient",
    "sparse cross-entropy": "sparse_softmax_cross_entropy_gradient",
    "cross-entropy": "softmax_cross_entropy_gradient",
    "softmax": "softmax_gradient",
    "softmax of columns": "softmax_across_gradient",
    "log_softmax": "log_softmax_gradient",
    "logsumexp": "reduce_logsumexp",
    "products": "cumprod",
    "running products": "linear_recurrence",
    "running sums": "cumsum",
    "recurrence": "linear_recurrence",
    "clip by norm": "clip_by_norm",
    "global norm": "sums_of_squares",
    "products of matrices": "dense",
    "mirror": "mirror_pad_gradient",
    "variance": "batch_moments",
}
"""For each function the row whose blocks its gradient meets."""
LARGEST = {"products of matrices": 450, "products": 70, "running products": 70, "recurrence": 300}
"""Of an axis; products of more numbers than these are mostly rounding."""


def operation_of(name: str) -> str:
    return ROWS[name if name in ROWS else name.partition(" ")[0]]


@pytest.mark.parametrize("known", DIFFERENTIABLE, ids=lambda known: known.name)
def test_gradients_around_blocks(known, full, figure):
    seed = 0 if full else run_seed()
    print(f"again with FASTGRAD_RANDOM_SEED={seed}")
    r = np.random.default_rng([seed, zlib.crc32(known.name.encode())])
    row = operation_of(known.name)
    assert row in TABLE
    most = LARGEST.get(known.name, 520)
    every = list(borders(known.sizes, tuple([b for b in blocks_of(row, 8) if b <= most]), most))
    tried = 0
    for index in r.permutation(len(every))[: LONG if full else SHORT]:
        sizes = tuple([every[index].get(place, int(r.integers(1, 5))) for place in range(known.sizes)])
        with small_work_is_shared(int(r.choice(THREADS))):
            check_gradients(known, sizes, int(r.integers(0, 1 << 31)))
        tried += 1
    figure("gradients along a direction", tried)
