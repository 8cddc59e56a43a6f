"""Derivatives of Numba functions need no tensors' operations: neither are imported."""

import math
from pathlib import Path

import numba
import numpy as np
import pytest

import fastgrad as fg
from tests.kernels.process import run_python

PROGRAM = """
import math, sys, types

import numba
import numpy as np

package = types.ModuleType("fastgrad")  # the package without what its __init__.py imports
package.__path__ = [sys.argv[1]]
sys.modules["fastgrad"] = package
from fastgrad._src.derivatives.transforms import grad

@numba.njit
def function(x, a):
    for i in range(a.shape[0]):
        x = math.sin(x) * a[i] ** 2 + math.exp(-x)
    return x

print(grad(function)(1.0, np.array([0.3, 0.5])))
loaded = {name.split(".")[2] for name in sys.modules if name.startswith("fastgrad._src.")}
assert loaded == {"core", "derivatives", "jit", "scalars"}, loaded
"""


@numba.njit
def a_loop(x, a):
    for i in range(a.shape[0]):
        x = math.sin(x) * a[i] ** 2 + math.exp(-x)
    return x


def test_derivatives_load_no_operations():
    finished = run_python("-c", PROGRAM, str(Path(fg.__file__).parent))
    assert float(finished.stdout) == pytest.approx(fg.grad(a_loop)(1.0, np.array([0.3, 0.5])))
