"""Arrays without axes: those like a number, and the larger or smaller of several, as in lenstronomy and empymod."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from numba.core.runtime import _nrt_python

import fastgrad as fg
from fastgrad.errors import DifferentiationError
from tests.derivatives.both_ways import differences

X = np.array([0.3, -1.2, 0.7, 1.9])
FIRST, SECOND = np.array(0.7), np.array(1.9)


@numba.njit
def like_floats(x, n):
    return np.ones_like(n) * x * x + np.full_like(x, x) * np.ones_like(x) + np.zeros_like(x)


@numba.njit
def sum_of_complex_terms(x, n):
    total = np.zeros_like(x, dtype=np.complex128)
    term = np.exp(1j * x)
    for _ in range(n):
        total += term
        term *= 0.5 * np.exp(2j * x)
    return (total * x).real + total.imag


@numba.njit
def at_layers(x, first, second):
    return x[max([first, second])] * x[second] + x[min([first, second])] ** 2


of_the_larger = numba.njit(lambda x, y: x * max([x, y]) + min([x, y]) ** 2)


@numba.njit
def written_after_the_choice(x, y):
    larger = max([x, y])
    y[()] = 7.0
    return larger * x


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (like_floats, (0.3, 5)),
        (sum_of_complex_terms, (0.3, 3)),
        (at_layers, (X, np.array(1), np.array(2))),
        (at_layers, (X, np.array(2), np.array(1))),
        (of_the_larger, (FIRST, SECOND)),
        (of_the_larger, (SECOND, FIRST)),
    ],
)
def test_derivatives_agree_with_differences_and_both_ways(function, arguments):
    _nrt_python.memsys_enable_stats()
    fg.check_gradients(function, *arguments)
    assert differences(function, arguments) == []


def test_a_chosen_array_that_is_written_is_refused():
    with pytest.raises(DifferentiationError, match="written here, while another variable may hold the same array"):
        fg.grad(written_after_the_choice)(FIRST, SECOND)
