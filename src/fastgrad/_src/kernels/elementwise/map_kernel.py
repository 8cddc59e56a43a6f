"""Kernels that apply a scalar function to each element of an array."""

from __future__ import annotations

from typing import Any

from fastgrad._src.jit.body import scalar_function, specialized
from fastgrad._src.jit.build import Kernel
from fastgrad._src.jit.signature import parse_signature


@scalar_function
def function(x):
    """Placeholder for the scalar function that a kernel applies; each kernel is compiled with its own."""


@scalar_function
def function_of_pair(x, y):
    """Placeholder for the scalar function of two numbers that a kernel applies."""


def _map_elements(x, out, first, last):
    for i in range(first, last):
        out[i] = function(x[i])


def _map_pairs(x, y, out, first, last):
    for i in range(first, last):
        out[i] = function_of_pair(x[i], y[i])


def map_kernel(
    name: str, of_element: Any, summary: str, x: str = "T", out: str = "T", **variables: tuple[str, ...]
) -> Kernel:
    """Returns the kernel of a scalar function; units are elements.

    Args:
        name, summary: of the kernel.
        of_element: the function.
        x, out: the type variables or dtypes of the argument and the result.
        variables: the dtypes of the type variables.
    """
    body = specialized(_map_elements, name, summary, function=of_element)
    signature = parse_signature(f"x: in[{x}], out: out[{out}], first: int, last: int")
    return Kernel(body, signature, variables, release_gil=False, noalias=False)


def map_pairs_kernel(name: str, of_pair: Any, summary: str, **variables: tuple[str, ...]) -> Kernel:
    """Returns the kernel of a scalar function of two numbers, for arrays of one shape; units are elements.

    Args:
        name, summary: of the kernel.
        of_pair: the function.
        variables: the dtypes of ``T``, that of the arguments and of the result.
    """
    body = specialized(_map_pairs, name, summary, function_of_pair=of_pair)
    signature = parse_signature("x: in[T], y: in[T], out: out[T], first: int, last: int")
    return Kernel(body, signature, variables, release_gil=False, noalias=False)
