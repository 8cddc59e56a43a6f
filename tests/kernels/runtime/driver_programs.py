"""Programs of small kernels for the tests of the driver."""

import numpy as np

from fastgrad._src.jit.bounds import NO_BOUND
from fastgrad._src.jit.build import kernel, step_address
from fastgrad._src.kernels.runtime import driver


@kernel("x: in[T], y: inout[T], first: int, last: int", T=("float32", "float64"), noalias=True)
def add_to(x, y, first, last):
    for i in range(first, last):
        y[i] = y[i] + x[i]


def address(array):
    return array.__array_interface__["data"][0]


class Program:
    """Steps over arrays that stay where they are, and one object that is bound to the first word of each."""

    def __init__(self, steps, wanted=None):
        unbounded = [NO_BOUND] * 2  # what checked builds read behind the parameters' words
        self.words = [np.array([*words, *unbounded], np.int64) for _, words, *_ in steps]
        self.steps = np.array(
            [[step_address(k), address(w), units, shares, 1, 1]
             for (k, _, units, shares), w in zip(steps, self.words, strict=True)],
            np.int64,
        )  # fmt: skip
        self.frame = np.zeros(driver.HEADER_WORDS, np.int64)
        self.frame[driver.STEPS] = address(self.steps)
        self.frame[driver.ARRAY_TYPE] = driver.ARRAY_TYPE_ADDRESS
        if wanted is not None:
            places = [address(w) for w in self.words]
            self.objects = np.array([wanted.dtype.num, wanted.ndim, *wanted.shape, len(places), *places, 0], np.int64)
            self.frame[driver.OBJECTS], self.frame[driver.OBJECT_COUNT] = address(self.objects), 1
