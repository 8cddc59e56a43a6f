"""Random draws on a simulated GPU are the CPU's to the bit, whatever is left over of the last block."""

import re

import numpy as np
import pytest

from fastgrad.core.operation import TABLE
from fastgrad.cuda.kernels.choice import row_launches_on_device
from fastgrad.cuda.simulation.lock_step import run_on_simulation
from tests.cuda.codegen.linking import WIDE_STORE, ptx_of

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


def test_four_elements_are_one_access():
    launches = [*ran("random_normal", [WORDS], shape=(64,), dtype="float32")]
    launches += ran("dropout", [np.ones(64, np.float32), WORDS], rate=0.5)
    for launch in launches:
        text = ptx_of(launch.kernel.kernel, launch.kernel.dtypes, 80)
        assert re.search(WIDE_STORE, text)
        assert not re.search(r"\b(add|sub|mul|fma|div|setp)\S*\.f64", text)
