"""What the tests of programs of repeated tapes share."""

import numpy as np


def assert_bits(ours, wanted):
    for x, y in zip(ours, wanted, strict=True):
        assert (x is None) == (y is None)
        if x is not None:
            assert x.dtype == y.dtype
            np.testing.assert_array_equal(x, y)
