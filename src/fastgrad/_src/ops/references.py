"""Gradients by the tape, of functions that are composed of operations.

Rows with kernels of their own name such a function as their ``reference``. So their second gradients need no formula.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from fastgrad._src.core.operation import HALF_DTYPES, TABLE, JointGradient, joint
from fastgrad._src.core.tape import GradientTape
from fastgrad._src.core.tensor import Tensor


def cotangents_by_tape(
    function: Callable[..., Any], inputs: Sequence[Tensor], needs: Sequence[bool], cotangents: Sequence[Tensor | None]
) -> tuple[Tensor | None, ...]:
    """Returns the cotangents of the inputs of ``function``, which is composed of operations; None where not needed.

    Args:
        function: maps the inputs to a tensor or a tuple of tensors.
        inputs: its inputs.
        needs: whether the cotangent of each input is needed.
        cotangents: those of the results; None for a result without one.
    """
    needed_inputs = [x for x, need in zip(inputs, needs, strict=True) if need]
    with GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(needed_inputs)
        results = function(*inputs)
    results = results if type(results) is tuple else (results,)
    pairs = [(y, g) for y, g in zip(results, cotangents, strict=True) if g is not None]
    input_cotangents = iter(tape.gradient([y for y, _ in pairs], needed_inputs, output_gradients=[g for _, g in pairs]))
    return tuple([next(input_cotangents) if need else None for need in needs])


def gradient_of_reference(reference: Callable[..., Any]) -> JointGradient:
    """Returns the gradient rule of a row from its ``reference``."""

    def rule(needs: Sequence[bool], g: Any, y: Any, *inputs: Tensor, **attributes: Any) -> tuple[Tensor | None, ...]:
        cotangents = g if type(g) in (tuple, list) else (g,)
        return cotangents_by_tape(partial(reference, **attributes), inputs, needs, cotangents)

    return joint(rule, zeros=False)


def in_float32(reference: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Returns the function that computes half-width floats in float32, and rounds the result once."""

    def computed(*inputs: Tensor, **attributes: Any) -> Tensor:
        dtype = inputs[0]._array.dtype
        if dtype not in HALF_DTYPES:
            return reference(*inputs, **attributes)
        wide = [TABLE["cast"](x, dtype="float32") for x in inputs]
        narrow: Tensor = TABLE["cast"](reference(*wide, **attributes), dtype=dtype.name)
        return narrow

    return computed
