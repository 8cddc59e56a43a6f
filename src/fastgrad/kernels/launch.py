"""Launches: which kernels an operation runs on arrays of known shapes, written down without running them.

With launches an operation becomes steps of a native program: whoever plans the program knows where each array lies and
fills in the words of the steps (`wrapper.step_ir`). The same launches can be run on arrays at once: `run_launches`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from fastgrad.kernels.build import signature_of
from fastgrad.kernels.signature import SHARE


class Spec(Protocol):
    """The shape and dtype of an array."""

    shape: tuple[int, ...]
    dtype: np.dtype


class Input(NamedTuple):
    """The array that is the operation's input of this number."""

    number: int


class Output(NamedTuple):
    """The array that is the operation's result of this number."""

    number: int


class Scratch(NamedTuple):
    """Memory of this number that the operation works in; its contents are arbitrary before and after."""

    number: int


Operand = Input | Output | Scratch | int | float | tuple[Any, ...]
"""What is given for one parameter of a kernel: an array, a number, or for a list of arrays a tuple of them. For a `float`
also an `Input` whose only element is a float64: the number is read when the kernel runs."""


@dataclass(frozen=True)
class Launch:
    """One call of a kernel.

    Attributes:
        kernel: a native function, as `Kernel[dtype]` gives it.
        operands: one for each parameter that a caller passes, in order, except `first` and `last`.
        units: for a kernel with parameters `first` and `last`, how many units of work there are to be shared; such a
            kernel gives the same bits whatever the shares.
        unit_cost: about how many nanoseconds a unit takes on one core; it decides whether sharing is worth it.
    """

    kernel: Callable[..., Any]
    operands: tuple[Operand, ...]
    units: int = 1
    unit_cost: float = 1.0


@dataclass(frozen=True)
class Launches:
    """The kernels of one operation, in order.

    Attributes:
        launches: each may read what those before it have written.
        scratch: for each `Scratch` its dtype and number of elements.
        in_place: pairs (output, input) of arrays that may be the same memory.
        alias: whether there is nothing to do: the only result has the elements of the first input, in their order.
    """

    launches: tuple[Launch, ...]
    scratch: tuple[tuple[np.dtype, int], ...] = ()
    in_place: tuple[tuple[int, int], ...] = ()
    alias: bool = False


def run_launches(found: Launches, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
    """Runs launches now.

    Args:
        found: what to run.
        inputs, outputs: C-contiguous arrays of the shapes and dtypes that `found` was made for.
    """
    scratch = [np.empty(size, dtype) for dtype, size in found.scratch]

    def value(operand: Any) -> Any:
        match operand:
            case Input(number):
                return inputs[number]
            case Output(number):
                return outputs[number]
            case Scratch(number):
                return scratch[number]
            case tuple():
                return tuple([value(one) for one in operand])
        return operand

    for launch in found.launches:
        given = iter(launch.operands)
        arguments = []
        for parameter in signature_of(launch.kernel).passed:
            if parameter.kind == "int" and parameter.name in SHARE:
                arguments.append(0 if parameter.name == SHARE[0] else launch.units)
                continue
            found_value = value(next(given))
            arguments.append(
                found_value.item() if parameter.kind == "float" and type(found_value) is np.ndarray else found_value
            )
        launch.kernel(*arguments)
