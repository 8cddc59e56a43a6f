"""Every row of the operation table, called on arrays of a simulated GPU, gives there what it gives on the CPU."""

from __future__ import annotations

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.core.operation import TABLE, Operation
from fastgrad._src.core.tensor import Tensor
from fastgrad._src.cuda.devices import available
from fastgrad._src.cuda.runtime import program
from tests.compiler.programs import row_cases as rows
from tests.cuda.simulation.driver import simulated_gpus

CASES = {case.name: case for case in (*rows.CLOSE, *rows.EXACT)}


@pytest.fixture(scope="module", autouse=True)
def gpu():
    with simulated_gpus():
        yield available.gpu_device(0)


@pytest.mark.filterwarnings("ignore:.*has no kernel for GPUs")
@pytest.mark.parametrize("name", sorted(CASES))
def test_a_row_gives_what_it_gives_on_the_cpu(name, gpu):
    case = CASES[name]
    try:
        with np.errstate(all="ignore"):
            wanted = TABLE[name].run(*case.arrays, **case.attributes)
    except Exception as error:  # noqa: BLE001  # whatever it raises, a call on the GPU raises, too
        with pytest.raises(type(error)):
            called(gpu, case)
        return
    for ours, theirs in zip(called(gpu, case), wanted if type(wanted) is tuple else (wanted,), strict=True):
        theirs = np.asarray(theirs)
        assert (ours._array.shape, ours._array.dtype) == (theirs.shape, theirs.dtype)
        assert ours.device.endswith("CPU:0" if theirs.dtype.kind == "O" else "GPU:0")
        if theirs.dtype.kind in "fcV":
            wide = np.complex128 if theirs.dtype.kind == "c" else np.float64
            loose = {2: 1e-2, 4: 2e-5}.get(theirs.dtype.itemsize // (theirs.dtype.kind == "c" or 1), 1e-10)
            expected = theirs.astype(wide)
            size = np.abs(expected[np.isfinite(expected)]).max(initial=1)
            np.testing.assert_allclose(ours.numpy().astype(wide), expected, rtol=loose, atol=loose * size)
        else:
            np.testing.assert_array_equal(ours, theirs)


def called(gpu, case):
    inputs = [
        Tensor(gpu.put(np.ascontiguousarray(a).reshape(a.shape))) if a.dtype.kind != "O" else Tensor(a)
        for a in case.arrays
    ]
    found = Operation.__call__(TABLE[case.name], *inputs, **case.attributes)
    return found if type(found) is tuple else (found,)


def test_what_lapack_computes_runs_on_the_host_and_says_so_once(gpu, monkeypatch):
    monkeypatch.setattr(program, "_warned", set())
    with tf.device("GPU:0"):
        x = tf.constant(np.eye(3, dtype=np.float32) * 4)
        with pytest.warns(
            RuntimeWarning, match="cholesky has no kernel for GPUs .LAPACK computes it.: it runs on the host"
        ):
            y = tf.linalg.cholesky(x)
        np.testing.assert_array_equal(y, np.eye(3) * 2)
        tf.linalg.cholesky(x)
    assert y.device.endswith("GPU:0")
