"""Launches: which kernels an operation runs on arrays of known shapes, written down without running them.

With launches an operation becomes steps of a native program: whoever plans the program knows where each array lies and
fills in the words of the steps (`wrapper.step_ir`). The same launches can be run on arrays at once: `run_launches`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from fastgrad.kernels.codegen.bounds import checks_bounds
from fastgrad.kernels.codegen.build import in_place_of, signature_of, step_address
from fastgrad.kernels.codegen.signature import ARRAY_KINDS, SHARE


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


class Constant(NamedTuple):
    """An array that is there for good, and stays as it is."""

    array: np.ndarray


class Inner(NamedTuple):
    """The frame of another program, which is the kernel's to run: `make()` gives one, whose `words` it is."""

    make: Callable[[], Any]


class EntryOf(NamedTuple):
    """The address of a kernel's entry for programs, for a kernel that calls it. The next operand is the launch of it."""

    kernel: Callable[..., Any]


Operand = Input | Output | Scratch | Constant | Inner | EntryOf | int | float | tuple[Any, ...]
"""What is given for one parameter of a kernel: an array, a number, or for a list of arrays a tuple of them. For a `float`
also an `Input` whose only element is a float64: the number is read when the kernel runs."""


NO_PARTS: Mapping[int, int] = {}


class Launch:
    """One call of a kernel. (Plain classes here: `dataclasses` would double the time of the import.)

    Attributes:
        kernel: a native function, as `Kernel[dtype]` gives it.
        operands: one for each parameter that a caller passes, in order, except `first` and `last`. For an int, of a kernel
            that calls the step of another one, also a launch of that one, or the frame of a program: the address of its words.
        units: for a kernel with parameters `first` and `last`, how many units of work there are to be shared; such a
            kernel gives the same bits whatever the shares.
        unit_cost: about how many nanoseconds a unit takes on one core; it decides whether sharing is worth it.
        parts: the numbers of the operands of which a share touches only its own part, the same fraction of their elements as
            it does of the units, each with how many elements they then have.
        waits: whether steps that follow may run before it, if they touch nothing of what it does; scratch memory of its
            operation is then used for nothing else.
    """

    __slots__ = ("kernel", "operands", "parts", "unit_cost", "units", "waits")

    def __init__(
        self,
        kernel: Callable[..., Any],
        operands: tuple[Operand | Launch, ...],
        units: int = 1,
        unit_cost: float = 1.0,
        parts: Mapping[int, int] = NO_PARTS,
        waits: bool = False,
    ) -> None:
        self.kernel = kernel
        self.operands = operands
        self.units = units
        self.unit_cost = unit_cost
        self.parts = parts
        self.waits = waits

    def on(self, operands: tuple[Operand | Launch, ...]) -> Launch:
        """The same with other operands."""
        return Launch(self.kernel, operands, self.units, self.unit_cost, self.parts, self.waits)


class Launches:
    """The kernels of one operation, in order.

    Attributes:
        launches: each may read what those before it have written.
        scratch: for each `Scratch` its dtype and number of elements.
        in_place: pairs (output, input) of arrays that may be the same memory.
        starts_as: pairs (output, input): when the kernels begin, the output must hold the elements of the input, which they
            change. Whoever runs them copies what is not the same memory.
        alias: whether there is nothing to do: the bytes of the only result are those that the first input begins with.
        frames: where they are run at once, the programs that no call has at the time; see `eager_launch.py`.
    """

    __slots__ = ("alias", "frames", "in_place", "launches", "scratch", "starts_as")

    def __init__(
        self,
        launches: tuple[Launch, ...],
        scratch: tuple[tuple[np.dtype, int], ...] = (),
        in_place: tuple[tuple[int, int], ...] = (),
        alias: bool = False,
        starts_as: tuple[tuple[int, int], ...] = (),
    ) -> None:
        self.launches = launches
        self.scratch = scratch
        self.in_place = in_place
        self.alias = alias
        self.starts_as = starts_as
        self.frames: list[Any] = []


def only(
    kernel: Callable[..., Any],
    *operands: Operand,
    units: int = 1,
    unit_cost: float = 1.0,
    parts: Mapping[int, int] = NO_PARTS,
) -> Launches:
    """The launches of an operation that is one call of a kernel, whose results may be where the kernel says.

    Args:
        kernel, operands, units, unit_cost, parts: see `Launch`.
    """
    return Launches((Launch(kernel, operands, units, unit_cost, parts),), in_place=places_of(kernel, operands))


def places_of(kernel: Any, operands: Sequence[Any]) -> tuple[tuple[int, int], ...]:
    """Pairs (output, input) of arrays that a kernel lets be the same memory."""
    names = [p.name for p in signature_of(kernel).passed if p.kind != "int" or p.name not in SHARE]
    given = dict(zip(names, operands, strict=True))
    parameters = signature_of(kernel).parameters
    pairs = [
        (given[parameters[result].name], given[parameters[operand].name]) for result, operand in in_place_of(kernel)
    ]
    return tuple([(y.number, x.number) for y, x in pairs if isinstance(y, Output) and isinstance(x, Input)])


def run_launches(
    found: Launches,
    inputs: Sequence[np.ndarray],
    outputs: Sequence[np.ndarray],
    shares: int = 1,
    call: Callable[[Any, Sequence[Any], int], int | None] | None = None,
) -> int | None:
    """Runs launches now.

    Args:
        found: what to run.
        inputs, outputs: C-contiguous arrays of the shapes and dtypes that `found` was made for.
        shares: into how many parts work that can be shared is cut; the last one is done first.
        call: what runs a kernel instead, given it, its arguments but `first` and `last`, and the number of units.

    Returns:
        None, or what the kernel answered that stopped it: a number >= 0.
    """
    scratch = [np.empty(size, dtype) for dtype, size in found.scratch]
    for output, source in found.starts_as:
        if outputs[output] is not inputs[source]:
            np.copyto(outputs[output], inputs[source])

    for launch in found.launches:
        kernel: Any = launch.kernel
        given = iter(launch.operands)
        arguments: list[Any] = []
        ends: list[int] = []  # where `first` and `last` stand
        for end, dtype, floating in kernel.__self__.places:
            if end >= 0:
                ends.append(len(arguments))
                arguments.append(end and launch.units)
                continue
            operand: Any = next(given)
            kind = type(operand)
            if kind is Input:
                operand = inputs[operand.number]
            elif kind is not int:
                operand = _value(operand, inputs, outputs, scratch)
            if floating and type(operand) is np.ndarray:
                operand = operand.item()
            arguments.append(operand if kind is int else _read_as(operand, dtype, kernel))
        if call is not None:
            answer = call(kernel, [one for i, one in enumerate(arguments) if i not in ends], launch.units)
        elif ends and shares > 1:
            answer = _in_parts(kernel, arguments, ends, launch.units, shares)
        else:
            answer = _stop(kernel(*arguments))
        if answer is not None:
            return answer
    return None


def _value(operand: Any, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray], scratch: list[Any]) -> Any:
    """What stands for an operand; what it needs beside the arrays is added to ``scratch``.

    No function within the one that runs launches: one that calls itself would keep the arrays until garbage is looked for.
    """
    match operand:
        case Input(number):
            return inputs[number]
        case Output(number):
            return outputs[number]
        case Scratch(number):
            return scratch[number]
        case Constant(array):
            return array
        case EntryOf(kernel):
            return step_address(kernel)
        case tuple():
            return tuple([_value(one, inputs, outputs, scratch) for one in operand])
        case Launch():
            inner = [_value(one, inputs, outputs, scratch) for one in operand.operands]
            # A step reads a float where its word says.
            inner = [np.array(one) if type(one) is float else one for one in inner]
            scratch += inner
            numbers = [one.ctypes.data if type(one) is np.ndarray else one for one in inner]
            if checks_bounds():
                numbers += sizes_behind(operand.kernel, inner)
            words = np.array(numbers, np.int64)
            scratch.append(words)  # to keep it
            return words.ctypes.data
        case Inner(make):
            frame = make()
            scratch.append(frame)
            return frame.words.ctypes.data
    return operand


def _stop(answer: int | None) -> int | None:
    """What a kernel answered, if that stops the program."""
    return None if answer is None or answer < 0 else int(answer)


def _in_parts(kernel: Any, arguments: list[Any], ends: Sequence[int], units: int, shares: int) -> int | None:
    """Calls a kernel for each part of its work; gives the first answer >= 0."""
    count = max(1, min(shares, units))
    first, last = ends
    for part in reversed(range(count)):
        arguments[first], arguments[last] = units * part // count, units * (part + 1) // count
        answer = _stop(kernel(*arguments))
        if answer is not None:
            return answer
    return None


def sizes_behind(kernel: Any, operands: Sequence[Any]) -> list[int]:
    """What checked builds read behind the words of a step whose arrays are in no lists; see `signature.checked_words`."""
    return [one.nbytes // dtype.itemsize for dtype, one in arrays_among(kernel, operands)]


def arrays_among(kernel: Any, operands: Sequence[Any]) -> list[tuple[np.dtype, np.ndarray]]:
    """The arrays among the operands of a kernel, each with the dtype of its parameter."""
    parameters = [(p, dtype) for p, dtype in kernel.__self__.parameters if p.kind != "int" or p.name not in SHARE]
    pairs = zip(parameters, operands, strict=True)
    return [(dtype, one) for (p, dtype), one in pairs if p.kind in ARRAY_KINDS]


def check_size(kernel: Any, wanted: np.dtype, given: np.dtype) -> None:
    """Refuses an array whose elements are smaller than those that a kernel reads: it would read beyond the end.

    They need not have the same dtype. Kernels that move elements know only how wide they are, others read complex numbers as pairs,
    and any array stands for a mask that there is not.

    Raises:
        TypeError: the elements are smaller.
    """
    if given.itemsize < wanted.itemsize:
        raise TypeError(f"kernel {kernel.__self__.name}: takes arrays of {wanted} here, got one of {given}.")


def _read_as(operand: Any, dtype: np.dtype | None, kernel: Any) -> Any:
    """Arrays as a kernel's parameter reads them."""
    if type(operand) is tuple:
        return tuple([_read_as(one, dtype, kernel) for one in operand])
    if type(operand) is not np.ndarray or dtype is None or operand.dtype == dtype:
        return operand
    check_size(kernel, dtype, operand.dtype)
    return operand.reshape(-1).view(dtype)
