"""Rows of the operation table in Numba's simulator: each gives what it gives on the CPU. `test_numbas_simulator.py` runs this file."""

import numpy as np
import pytest

from fastgrad._src.core.operation import TABLE
from fastgrad._src.cuda.kernels.choice import row_launches_on_device
from tests.compiler.programs import row_cases as rows
from tests.cuda.numbas_simulator import adapter
from tests.cuda.simulation import lock_step

LEFT_OUT = frozenset(
    [
        # NumPy's scalars are not Numba's numbers in all: 64-bit integers with and without a sign give float64, short integers
        # stay short. Not each of these rows has been looked into.
        *("avg_pool", "avg_pool_gradient", "max_pool", "max_pool_gather", "max_pool_scatter"),
        *("convolution", "convolution_backprop_filter", "convolution_backprop_input"),
        *("cross", "random_categories", "unsorted_segment_min"),
        *("gru", "gru_gradient", "lstm", "lstm_gradient", "simple_rnn", "simple_rnn_gradient"),
    ]
)
"""Rows that this simulator does not run, or not to the CPU's result."""
CASES = {case.name: case for case in reversed((*rows.CLOSE, *rows.EXACT))}


@pytest.fixture(autouse=True)
def by_numba(monkeypatch):
    monkeypatch.setattr(lock_step, "simulate", adapter.simulate)


@pytest.mark.parametrize("name", sorted(CASES.keys() - LEFT_OUT))
def test_a_row_gives_what_it_gives_on_the_cpu(name):
    case = CASES[name]
    wanted = rows.native_of(case, rows.run_of(case))
    if not isinstance(wanted, list):
        pytest.skip("has no kernels for these arrays, or they stop")
    arrays = [np.ascontiguousarray(a).reshape(a.shape) for a in case.arrays]
    outputs = [np.full(y.size, 7).astype(y.dtype).reshape(y.shape) for y in wanted]
    found = row_launches_on_device(TABLE[name], arrays, outputs, case.attributes)
    if found is None or found.alias:
        pytest.skip("runs on the host, or has nothing to compute")
    assert lock_step.run_on_simulation(found, arrays, outputs, blocks=1) is None
    for on_gpu, on_cpu in zip(outputs, wanted, strict=True):
        if on_cpu.dtype.kind in "fV":
            rtol = 1e-4 if on_cpu.dtype.itemsize >= 4 else 1e-2
            found, expected = np.asarray(on_gpu, float), np.asarray(on_cpu, float)
            size = np.abs(expected[np.isfinite(expected)]).max(initial=0)
            np.testing.assert_allclose(found, expected, rtol, rtol * size)
        elif on_cpu.dtype.kind == "c":
            np.testing.assert_allclose(on_gpu, on_cpu, 1e-4, 1e-4)
        else:
            np.testing.assert_array_equal(on_gpu, on_cpu)
