"""Random draws on a simulated GPU are the CPU's to the bit, whatever is left over of the last block."""

import numpy as np
import pytest

from fastgrad._src.core.operation import TABLE
from fastgrad._src.cuda.kernels.choice import row_launches_on_device
from tests.cuda.simulation.lock_step import run_on_simulation

WORDS = np.array([-3, 5, 77], np.int64)  # the low word of the counter overflows


def ran(name, inputs, **attributes):
    row = TABLE[name]
    wanted = np.asarray(row.run(*inputs, **attributes))
    found = np.full_like(wanted, 7)
    launches = row_launches_on_device(row, inputs, [found], attributes)
    assert run_on_simulation(launches, inputs, [found]) is None
    assert found.tobytes() == wanted.tobytes()
    return launches.launches


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 130, 4096, 4099])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_draws(size, dtype):
    for name in ("random_uniform", "random_normal", "random_truncated_normal"):
        ran(name, [WORDS], shape=(size,), dtype=dtype)
    x = np.random.default_rng(0).normal(size=size).astype(dtype)
    for rate in (0.0, 0.1, 0.5):
        ran("dropout", [x, WORDS], rate=rate)
    ran("random_integers", [WORDS], shape=(size,), dtype="int32")
