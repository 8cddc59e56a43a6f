"""Kernels that apply a scalar function of float64 to each element of an array."""

from __future__ import annotations

from typing import Any

from fastgrad._src.jit.body import scalar_function, specialized
from fastgrad._src.jit.build import Kernel
from fastgrad._src.jit.signature import parse_signature


@scalar_function
def function(x):
    """Placeholder for the function that a kernel applies; each kernel is compiled with its own."""


def _map_elements(x, y, x_step, first, last):
    for i in range(first, last):
        y[i] = function(T(x[i * x_step]))


def wide_map_kernel(of_element: Any) -> Kernel:
    """Returns the kernel of a scalar function: it computes in T, always float64; elements in memory are of type E."""
    body = specialized(_map_elements, of_element.__name__, of_element.__doc__, function=of_element)
    signature = parse_signature("x: in[E], y: out[E], x_step: int, first: int, last: int")
    variables = {"E": ("float32", "float64"), "T": ("float64",)}
    return Kernel(body, signature, variables, release_gil=False, noalias=False)
