"""Bits do not depend on where arrays lie: loops for overlaps and remainders round as the vectorised ones do."""

import numpy as np
import pytest

from fastgrad._src.kernels.elementwise import activation
from fastgrad._src.kernels.gemm import dense
from fastgrad._src.kernels.optimizers import optimizers
from fastgrad._src.kernels.optimizers.update_rule import unit_count
from fastgrad._src.kernels.reduction import normalization, softmax

RNG = np.random.default_rng(0)


def placements(arrays, count=30):
    """The same arrays at many places: close together in either order, far apart, at odd multiples of their element."""
    room = np.empty(sum(a.nbytes for a in arrays) + 64 * 1024, np.uint8)
    for _ in range(count):
        at = int(RNG.integers(0, 9)) * 8
        placed = [None] * len(arrays)
        for position in RNG.permutation(len(arrays)):
            a = arrays[position]
            view = room[at : at + a.nbytes].view(a.dtype).reshape(a.shape)
            view[...] = a
            placed[position] = view
            at += a.nbytes + int(RNG.choice([0, 8, 264, 2048]))
        yield placed


KERNELS = {
    "layer_norm": lambda x, g, y, c, d, r, s: normalization.layer_norm[x.dtype](
        x, c, d, y, r, s, x.shape[1], 1e-3, 0, len(x)
    ),
    "layer_norm_gradient": lambda x, g, y, c, d, r, s: normalization.layer_norm_gradient[x.dtype](
        g, x, g[0], r, s, y, x.shape[1], 0, len(x)
    ),
    "layer_norm_parameters_gradient": lambda x, g, y, c, d, r, s: normalization.layer_norm_parameters_gradient[x.dtype](
        g, x, r, s, c, d, *x.shape, 0, 1
    ),
    "softmax": lambda x, g, y, c, d, r, s: softmax.softmax[x.dtype](x, y, x.shape[1], 0, len(x)),
    "softmax_gradient": lambda x, g, y, c, d, r, s: softmax.softmax_gradient[x.dtype](g, x, y, x.shape[1], 0, len(x)),
    "gelu": lambda x, g, y, c, d, r, s: activation.gelu[x.dtype](x, y, 0, x.size),
    "tanh_gradient_bias": lambda x, g, y, c, d, r, s: dense.DENSE_GRADIENT_KERNELS["tanh"][x.dtype](
        g, x, y, c, *x.shape
    ),
    "adam": lambda x, g, y, c, d, r, s: optimizers.adam.variables_kernel[x.dtype](
        [x], [y], [y * y], [g], 0, unit_count([x]), 0.01, 0.9, 0.99, 1e-7, 0.0
    ),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(2, 4), (3, 7), (5, 33), (2, 130)])
@pytest.mark.parametrize("name", KERNELS)
def test_results_are_the_same_everywhere(name, shape, dtype):
    rows, columns = shape
    sizes = (shape, shape, shape, columns, columns, rows, rows)
    arrays = [RNG.normal(size=size).astype(dtype) for size in sizes]
    found = set()
    for placed in placements(arrays):
        KERNELS[name](*placed)
        found.add(b"".join(a.tobytes() for a in placed))
    assert len(found) == 1
