"""Adjoints of called functions, for cotangents that may be infinite.

An adjoint is linear in the cotangents, but its products of 0 and infinity are NaN. So it runs for the finite cotangents, and again for the signs of the infinite
cotangents. A cotangent from the second run is infinite unless it is 0.
"""

from __future__ import annotations

import functools
from typing import Any

import numba
import numpy as np

from fastgrad._src.derivatives.codegen.exceptional_exits import ReleasingCompiler
from fastgrad._src.jit.generated_source import generated_function


@numba.njit
def _zero_if_infinite(cotangent):  # type: ignore[no-untyped-def]
    sign = np.sign(cotangent)
    return sign - sign if np.isinf(cotangent) else cotangent


@numba.njit
def _sign_if_infinite(cotangent):  # type: ignore[no-untyped-def]
    sign = np.sign(cotangent)
    return sign if np.isinf(cotangent) else sign - sign


@numba.njit(error_model="numpy")
def _restore_infinity(finite, sign):  # type: ignore[no-untyped-def]
    return finite if sign == 0 else finite + sign / (sign - sign)


def _of_elements(function: Any) -> Any:
    """Returns the function of arrays that applies a function to each element."""

    @numba.njit
    def apply_to_elements(cotangent):  # type: ignore[no-untyped-def]
        part = np.empty_like(cotangent)
        for place, number in np.ndenumerate(cotangent):
            part[place] = function(number)
        return part

    return apply_to_elements


@numba.njit
def _restore_infinities(finite, sign):  # type: ignore[no-untyped-def]
    whole = finite.copy()
    for place, number in np.ndenumerate(sign):
        if number != 0:
            whole[place] += number * np.inf
    return whole


@functools.lru_cache(maxsize=256)
def guarded_adjoint(adjoint: Any, results: tuple[bool, ...], others: int, arguments: tuple[bool, ...]) -> Any:
    """Returns an adjoint that adds 0 for a derivative of 0, also where a cotangent is infinite.

    Args:
        adjoint: a dispatcher of the cotangents of results and of ``others`` more arguments, which returns a tuple of cotangents.
        results: for each cotangent that it takes whether it is an array.
        others: the number of its other arguments.
        arguments: for each cotangent that it returns whether it is an array.
    """
    g, x = [f"g{number}" for number in range(len(results))], [f"x{number}" for number in range(others)]
    kinds = ["array" if is_array else "number" for is_array in results]
    finite = [f"finite_{kind}({name})" for name, kind in zip(g, kinds, strict=True)]
    infinite = [f"infinite_{kind}({name})" for name, kind in zip(g, kinds, strict=True)]
    sums = [f"{'array' if is_array else 'number'}_of_parts(e[{n}], s[{n}])" for n, is_array in enumerate(arguments)]
    is_infinite = [
        f"np.isinf({name}).any()" if is_array else f"np.isinf({name})"
        for name, is_array in zip(g, results, strict=True)
    ]
    lines = [
        f"def guarded_adjoint({', '.join([*g, *x])}):",
        f"    if not ({' or '.join(is_infinite)}):",
        f"        return call({', '.join([*g, *x])})",
        f"    s = call({', '.join([*infinite, *x])})",
        f"    e = call({', '.join([*finite, *x])})",
        f"    return ({', '.join(sums)},)",
    ]
    scope = {
        "np": np,
        "call": adjoint,
        "finite_number": _zero_if_infinite,
        "infinite_number": _sign_if_infinite,
        "number_of_parts": _restore_infinity,
        "finite_array": _of_elements(_zero_if_infinite),
        "infinite_array": _of_elements(_sign_if_infinite),
        "array_of_parts": _restore_infinities,
    }
    function = generated_function("guarded_adjoint", "\n".join([*lines, ""]), "guarded_adjoint", scope)
    return numba.njit(function, pipeline_class=ReleasingCompiler)
