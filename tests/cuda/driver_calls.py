"""Copies to and from a device's memory, and a kernel of the CPU, for the tests of drivers."""

import numpy as np

from fastgrad._src.jit.build import kernel


def put(driver, array):
    address = driver.allocate(array.nbytes)
    driver.copy_in(address, array)
    return address


def got(driver, address, like):
    array = np.empty_like(like)
    driver.copy_out(array, address)
    return array


@kernel("x: in[T], y: out[T], factor: float, first: int, last: int -> int", T=("float32",))
def scale(x, y, factor, first, last):
    for i in range(first, last):
        if x[i] < 0:
            return i
        y[i] = x[i] * T(factor)
    return -1
