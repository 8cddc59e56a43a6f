"""Random generators of NumPy as arguments: ``numpy.random.Generator``.

Numba implements their methods in Python. These implementations are inlined, down to draws whose parameters are independent of the inputs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numba
from numba import types

from fastgrad._src.derivatives.frontend.builder import Builder
from fastgrad._src.derivatives.ir.values import Method, RandomGenerator
from fastgrad._src.derivatives.output import tree as code
from fastgrad._src.derivatives.output.text import expression
from fastgrad._src.jit.numba_internals import distributions, generator_core, random_methods
from fastgrad._src.scalars.formulas import ScalarOperation

DRAWS: dict[Any, str] = {
    generator_core.next_double: "random",
    generator_core.next_float: "random",
    generator_core.next_uint32: "integers",
    generator_core.next_uint64: "integers",
    distributions.random_standard_normal_f: "standard_normal",
    distributions.random_standard_exponential_f: "standard_exponential",
    distributions.random_standard_gamma: "gamma",
    distributions.random_standard_gamma_f: "gamma",
    **{
        getattr(distributions, f"random_{name}"): name
        for name in (
            *("standard_normal", "standard_exponential", "beta", "wald", "geometric", "zipf", "poisson", "binomial"),
            *("negative_binomial", "noncentral_chisquare", "logseries"),
        )
    },
    random_methods.buffered_bounded_lemire_uint32: "integers",
    random_methods.bounded_lemire_uint64: "integers",
    random_methods.random_interval: "shuffle",
}
"""Numba's functions that draw a number from the bits of a generator, and the generator's methods that call them.

They may jump where their parameters change. Numba computes other distributions smoothly from these draws.
"""


def attribute(owner: RandomGenerator, name: str) -> Any:
    """Returns the attribute of a generator: the source of its bits, or a method."""
    if name == "bit_generator":
        return RandomGenerator(owner.name, types.NumPyRandomBitGeneratorType(name))
    return Method(owner, name)


def draw_operation(builder: Builder, function: Any, generator: RandomGenerator, count: int) -> ScalarOperation:
    """Returns the operation of ``count`` numbers that draws a number from a generator by a function of ``DRAWS``."""
    draw = builder.bind(_draw_of_generator(function, count), f"draw_{function.__name__}")
    owner = code.Variable(generator.name)
    return expression(lambda *numbers: code.call(draw, owner, *numbers), count, reads_parameter=True)


@functools.cache
def _draw_of_generator(function: Any, count: int) -> Callable[..., Any]:
    """Returns the compiled function of a generator and ``count`` numbers that calls a function of the generator's bits."""
    functions = [
        lambda rng: function(rng.bit_generator),
        lambda rng, a: function(rng.bit_generator, a),
        lambda rng, a, b: function(rng.bit_generator, a, b),
    ]
    compiled: Callable[..., Any] = numba.njit(functions[count])
    return compiled
