"""Cases of pooling."""

import numpy as np

from fastgrad._src.kernels.convolution.pooling import (
    avg_pool_gradient_launches,
    avg_pool_launches,
    max_pool_gather_launches,
    max_pool_launches,
    max_pool_scatter_launches,
)
from fastgrad._src.kernels.runtime.launch import run_launches


def computed(x, y_shape, g, shares, **window):
    """The same from the kernels."""
    y, given, taken, mean, shared = (np.full(s, 7, x.dtype) for s in (y_shape, x.shape, y_shape, y_shape, x.shape))
    run_launches(max_pool_launches([x], [y], **window), [x], [y], shares)
    run_launches(max_pool_scatter_launches([x, y, g], [given], **window), [x, y, g], [given], shares)
    twice = 2 * x
    run_launches(max_pool_gather_launches([x, y, twice], [taken], **window), [x, y, twice], [taken], shares)
    run_launches(avg_pool_launches([x], [mean], **window), [x], [mean], shares)
    found = avg_pool_gradient_launches([g], [shared], input_shape=x.shape[1:], **window)
    run_launches(found, [g], [shared], shares)
    return y, given, taken, mean, shared


APART = (6, 8), {"kernel": (2, 2), "strides": (2, 2), "padding": ((0, 0), (0, 0)), "dilations": (1, 1)}
EMPTY_BETWEEN = (11,), {"kernel": (2,), "strides": (1,), "padding": ((1, 1),), "dilations": (3,)}
