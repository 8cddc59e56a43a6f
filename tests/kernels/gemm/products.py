"""Products of all layouts, and a digest of their bits."""

import hashlib

import numpy as np

from fastgrad._src.kernels.gemm.steps import matmul_launches
from fastgrad._src.kernels.runtime.launch import run_launches
from tests.kernels.process import run_python

BOTH = [np.dtype("float32"), np.dtype("float64")]
SHAPES = [
    (1, 1, 1), (2, 3, 4), (8, 16, 16), (32, 64, 10), (33, 65, 17), (5, 7, 129), (49, 1, 63), (7, 400, 31), (3, 1153, 5),
    (130, 385, 70), (1, 40, 200), (200, 40, 1), (16, 8, 64), (150, 20, 97),
]  # fmt: skip


def matrices(m, k, n, dtype, seed=0):
    r = np.random.default_rng(seed)
    return r.normal(size=(m, k)).astype(dtype), r.normal(size=(k, n)).astype(dtype)


def launches_of(inputs, outputs, transpose_a, transpose_b):
    return matmul_launches(inputs, outputs, transpose_a=transpose_a, transpose_b=transpose_b)


def multiplied(a, b, transpose_a=False, transpose_b=False, shares=1):
    """The product by the kernel, as a program runs it."""
    m, n = a.shape[1 if transpose_a else 0], b.shape[0 if transpose_b else 1]
    c = np.full((m, n), 7, a.dtype)
    run_launches(launches_of([a, b], [c], transpose_a, transpose_b), [a, b], [c], shares)
    return c


def laid_out(x, layout):
    """An array with the elements of x in another layout."""
    wide = np.full((2 * x.shape[0], 3 * x.shape[1]), np.nan, x.dtype)
    if layout == "columns first":
        return np.asfortranarray(x)
    if layout == "every second row":
        view = wide[::2, : x.shape[1]]
    elif layout == "every third column":
        view = wide[: x.shape[0], ::3]
    else:
        return np.ascontiguousarray(x)
    view[...] = x
    return view


def digest():
    """A number for the bits of many products."""
    found = hashlib.sha256()
    for dtype in BOTH:
        for shape in SHAPES:
            a, b = matrices(*shape, dtype)
            found.update(multiplied(a, b))
            found.update(multiplied(a, b.T.copy(), False, True))
    return found.hexdigest()


def digest_elsewhere(module, **environment):
    """The digest of a module in a process with other variables."""
    run = run_python("-c", f"from {module} import digest; print(digest())", **environment)
    assert run.stderr == ""
    return run.stdout.strip()
