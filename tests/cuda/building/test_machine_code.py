"""Every kernel that the operation table has on a GPU becomes PTX; those for GPUs become machine code for each generation."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastgrad.cuda.building.compile import compile_ptx
from fastgrad.cuda.building.link import LinkingUnavailable, link
from fastgrad.cuda.kernels.choice import row_launches_on_device
from fastgrad.operation import TABLE
from tests.trace.programs import test_native_rows as rows

CAPABILITIES = (80, 90, 100)


def kernels_of_table():
    """The kernels of all rows, each with the dtypes of the row's case, and the PTX of the oldest generation."""
    found = {}
    for case in (*rows.CLOSE, *rows.EXACT):
        wanted = rows.run_of(case)
        arrays = [np.ascontiguousarray(a).reshape(a.shape) for a in case.arrays]
        launches = row_launches_on_device(TABLE[case.name], arrays, wanted, case.attributes)
        for launch in () if launches is None else launches.launches:
            kernel, dtypes = launch.kernel
            found.setdefault((kernel.function, tuple(dtypes.items())), (kernel, dtypes))
    return list(found.values())


def is_for_gpus(kernel):
    """Whether its body was written for a GPU."""
    return kernel.function.__globals__["__name__"].startswith("fastgrad.cuda")


@pytest.fixture(scope="module")
def compiled():
    return [(kernel, dtypes, compile_ptx(kernel, dtypes, CAPABILITIES[0])) for kernel, dtypes in kernels_of_table()]


def test_kernels_for_gpus_have_no_stack_and_no_other_floats(compiled):
    ours = [(kernel, dtypes, text) for kernel, dtypes, text in compiled if is_for_gpus(kernel)]
    assert ours
    for kernel, dtypes, text in ours:
        assert ".local" not in text, kernel.name
        computes = re.search(r"\b(add|sub|mul|fma|div|sqrt)\S*\.f64", text)  # numbers that are passed come as float64
        assert "float64" in dtypes.values() or not computes, kernel.name


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_they_become_machine_code_without_spills(compiled, capability):
    """PTX of an older generation is taken by the linker of a newer one."""
    ours = [(kernel, text) for kernel, _, text in compiled if is_for_gpus(kernel)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        linked = [pool.submit(link, text, capability) for _, text in ours]
        try:
            cubins = [one.result() for one in linked]
        except LinkingUnavailable as missing:
            pytest.skip(str(missing).splitlines()[0])
    for (kernel, _), cubin in zip(ours, cubins, strict=True):
        assert cubin.code.startswith(b"\x7fELF")
        assert cubin.spills == cubin.stack == 0, kernel.name
