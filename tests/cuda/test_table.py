"""Every kernel of the operation table runs on a simulated GPU and gives there what it gives on the CPU, to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from fastgrad.cuda.simulation import run_on_simulation
from fastgrad.operation import TABLE
from fastgrad.trace.programs.native_form import launches_of_row
from tests.trace.programs import test_native_rows as rows

CASES = {case.name: case for case in (*rows.CLOSE, *rows.EXACT)}


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_thread_for_each_unit_of_work(name):
    case = CASES[name]
    wanted = rows.native_of(case, rows.run_of(case))
    if not isinstance(wanted, list):
        pytest.skip("has no kernels for these arrays, or they stop")
    arrays = [np.ascontiguousarray(a).reshape(a.shape) for a in case.arrays]
    outputs = [np.full(y.size, 7).astype(y.dtype).reshape(y.shape) for y in wanted]
    found = launches_of_row(TABLE[name], arrays, outputs, case.attributes)
    if found.alias:
        pytest.skip("has nothing to compute")
    assert run_on_simulation(found, arrays, outputs) is None
    for on_gpu, on_cpu in zip(outputs, wanted, strict=True):
        assert on_gpu.tobytes() == on_cpu.tobytes()
