"""Every kernel of the operation table runs on a simulated GPU and gives there what it gives on the CPU.

A kernel whose units go to single threads does to the bit.
"""

from __future__ import annotations

import numpy as np
import pytest

from fastgrad._src.core.operation import TABLE
from fastgrad._src.cuda.kernels.choice import row_launches_on_device
from tests.compiler.programs import row_cases as rows
from tests.cuda.simulation.lock_step import run_on_simulation

CASES = {case.name: case for case in (*rows.CLOSE, *rows.EXACT)}


def bits_of(x):
    """The bytes of an array, with one NaN for all: IEEE 754 leaves the sign of a NaN open, and processors differ."""
    return (x if x.dtype.kind in "biu" else np.where(np.isnan(x), x.dtype.type(np.nan), x)).tobytes()


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_row_gives_what_it_gives_on_the_cpu(name):
    case = CASES[name]
    wanted = rows.native_of(case, rows.run_of(case))
    if not isinstance(wanted, list):
        pytest.skip("has no kernels for these arrays, or they stop")
    arrays = [np.ascontiguousarray(a).reshape(a.shape) for a in case.arrays]
    outputs = [np.full(y.size, 7).astype(y.dtype).reshape(y.shape) for y in wanted]
    found = row_launches_on_device(TABLE[name], arrays, outputs, case.attributes)
    if found is None:
        pytest.skip("calls functions of SciPy, or runs as its reference")
    if found.alias:
        pytest.skip("has nothing to compute")
    assert run_on_simulation(found, arrays, outputs) is None
    in_another_order = any(launch.kernel.kernel.together for launch in found.launches)
    for on_gpu, on_cpu in zip(outputs, wanted, strict=True):
        if in_another_order and on_cpu.dtype.kind in "fV":
            double = on_cpu.dtype == np.float64
            rtol = 1e-13 if double else 1e-5 if on_cpu.dtype == np.float32 else 1e-2
            found, expected = np.asarray(on_gpu, float), np.asarray(on_cpu, float)
            size = np.abs(expected[np.isfinite(expected)]).max(initial=0)
            np.testing.assert_allclose(found, expected, rtol, rtol * size)
        else:
            assert bits_of(on_gpu) == bits_of(on_cpu)
