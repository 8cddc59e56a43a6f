"""Launches: the kernels that an operation runs on arrays of known shapes, as data.

Launches make an operation a sequence of steps in a native program. The planner of the program knows the address of each
array and fills in the words of the steps (`wrapper.step_ir`). `run_launches` runs the same launches on arrays at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple, Protocol

import numpy as np

from fastgrad._src.jit.bounds import checks_bounds
from fastgrad._src.jit.build import in_place_pairs_of, signature_of, step_address
from fastgrad._src.jit.signature import ARRAY_KINDS
from fastgrad._src.kernels.runtime.driver import PAUSED


class Spec(Protocol):
    """The shape and dtype of an array."""

    shape: tuple[int, ...]
    dtype: np.dtype


class Input(NamedTuple):
    """An operand of a launch: the input of the operation with a number."""

    number: int


class Output(NamedTuple):
    """An operand of a launch: the result of the operation with a number."""

    number: int


class Scratch(NamedTuple):
    """An operand of a launch: numbered scratch memory, whose contents are arbitrary before and after the operation."""

    number: int


class Constant(NamedTuple):
    """An operand of a launch: an array that lives as long as the program and does not change."""

    array: np.ndarray


class InnerFrame(NamedTuple):
    """An operand of a launch: the frame, which `make` returns, of another program that the kernel runs."""

    make: Callable[[], Any]


class KernelEntry(NamedTuple):
    """An operand of a launch: the step address of a kernel to call; the next operand is a launch of that kernel."""

    kernel: Callable[..., Any]


Operand = Input | Output | Scratch | Constant | InnerFrame | KernelEntry | int | float | tuple[Any, ...]
"""The value for one parameter of a kernel: an array, a number, or a tuple of them for a list of arrays. A `float`
parameter also takes an `Input` with one float64 element: the kernel reads the number when it runs."""


NO_PARTS: Mapping[int, int] = {}


class Launch:
    """One call of a kernel. (A plain class: `dataclasses` would double the import time.)

    Attributes:
        kernel: a native function, as `Kernel[dtype]` gives it.
        operands: one for each parameter that a caller passes, in order, except `first` and `last`. A kernel that calls
            the step of another kernel takes a launch of that kernel, or the frame of a program, as an int: the address
            of its words.
        units: the number of units of work to share, for a kernel with parameters `first` and `last`. Such a kernel
            gives the same bits for any shares.
        unit_cost: about how many nanoseconds a unit takes on one core; it decides whether sharing pays.
        parts: the operands of which a share touches only its own part, by number, each with its number of elements. A
            share that does a fraction of the units touches the same fraction of the elements.
        together: the number of consecutive units that take less time in one share, since they read the same data.
        waits: whether later steps may run before this launch, if they touch none of its arrays. No other step then uses
            the scratch memory of the operation.
    """

    __slots__ = ("kernel", "operands", "parts", "together", "unit_cost", "units", "waits")

    def __init__(
        self,
        kernel: Callable[..., Any],
        operands: tuple[Operand | Launch, ...],
        units: int = 1,
        unit_cost: float = 1.0,
        parts: Mapping[int, int] = NO_PARTS,
        waits: bool = False,
        together: int = 1,
    ) -> None:
        self.kernel = kernel
        self.operands = operands
        self.units = units
        self.unit_cost = unit_cost
        self.parts = parts
        self.waits = waits
        self.together = together

    def kernels(self) -> Iterator[Callable[..., Any]]:
        """Yields the kernel of a launch, and the kernels that it calls."""
        yield self.kernel
        for operand in self.operands:
            if isinstance(operand, Launch):
                yield from operand.kernels()
            elif isinstance(operand, KernelEntry):
                yield operand.kernel

    def with_operands(self, operands: tuple[Operand | Launch, ...]) -> Launch:
        """Returns a copy of a launch with other operands."""
        return Launch(self.kernel, operands, self.units, self.unit_cost, self.parts, self.waits, self.together)


class Launches:
    """The kernels of one operation, in order.

    Attributes:
        launches: each may read the results of those before it.
        scratch: the dtype and the number of elements of each `Scratch`.
        in_place: pairs (output, input) of arrays that may share their memory.
        starts_as: pairs (output, input): the output must hold the elements of the input when the kernels begin; they
            change it. The caller copies the elements if the two do not share their memory.
        alias: True if there is nothing to run: the only result has the bytes at the start of the first input.
        packed: triples (output, input, offset): the input is copied to the output, at an offset in bytes, before the
            kernels begin. A program may compute the input there, so that nothing is copied.
        unpacked: triples (output, input, offset): the output is the part of the input at an offset in bytes, when the
            kernels have run. A program reads it there.
        frames: the programs of eager runs that no call uses at the moment; see `eager_launch.py`.
        runs_without_frame: the number of eager runs without such a program.
        unfinished: the scratch arrays of the last eager run that stopped or was interrupted: MPI may still write to them.
    """

    __slots__ = (
        "alias",
        "frames",
        "in_place",
        "launches",
        "packed",
        "runs_without_frame",
        "scratch",
        "starts_as",
        "unfinished",
        "unpacked",
    )

    def __init__(
        self,
        launches: tuple[Launch, ...],
        scratch: tuple[tuple[np.dtype, int], ...] = (),
        in_place: tuple[tuple[int, int], ...] = (),
        alias: bool = False,
        starts_as: tuple[tuple[int, int], ...] = (),
        packed: tuple[tuple[int, int, int], ...] = (),
        unpacked: tuple[tuple[int, int, int], ...] = (),
    ) -> None:
        self.launches = launches
        self.scratch = scratch
        self.in_place = in_place
        self.alias = alias
        self.starts_as = starts_as
        self.packed = packed
        self.unpacked = unpacked
        self.frames: list[Any] = []
        self.runs_without_frame = 0
        self.unfinished: Sequence[np.ndarray] = ()

    def with_launches(self, launches: tuple[Launch, ...]) -> Launches:
        """Returns a copy with other kernels."""
        return Launches(launches, self.scratch, self.in_place, self.alias, self.starts_as, self.packed, self.unpacked)

    def copy_initial_values(self, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
        """Copies inputs to the outputs that must begin as these inputs, unless they are the same array."""
        for output, source in self.starts_as:
            if outputs[output] is not inputs[source]:
                outputs[output][...] = inputs[source]
        for output, source, offset in self.packed:
            part_of(outputs[output], offset, inputs[source])[...] = inputs[source]


def part_of(array: np.ndarray, offset: int, part: Any) -> np.ndarray:
    """Returns the part of a contiguous array at an offset in bytes, with the shape and dtype of ``part``."""
    size = prod(part.shape) * part.dtype.itemsize
    return array.reshape(-1).view(np.uint8)[offset : offset + size].view(part.dtype).reshape(part.shape)


def single_launch(
    kernel: Callable[..., Any],
    *operands: Operand,
    units: int = 1,
    unit_cost: float = 1.0,
    parts: Mapping[int, int] = NO_PARTS,
) -> Launches:
    """Returns the launches of an operation that is one call of a kernel; `in_place` comes from the kernel.

    Args:
        kernel, operands, units, unit_cost, parts: see `Launch`.
    """
    return Launches((Launch(kernel, operands, units, unit_cost, parts),), in_place=in_place_operands(kernel, operands))


def in_place_operands(kernel: Any, operands: Sequence[Any]) -> tuple[tuple[int, int], ...]:
    """Returns pairs (output, input) of arrays that may share their memory, for this kernel and these operands."""
    operand_parameters = signature_of(kernel).operand_parameters
    operand_of = {number: operand for (number, _), operand in zip(operand_parameters, operands, strict=True)}
    pairs = [(operand_of[result], operand_of[operand]) for result, operand in in_place_pairs_of(kernel)]
    return tuple([(y.number, x.number) for y, x in pairs if isinstance(y, Output) and isinstance(x, Input)])


def run_launches(
    launches: Launches,
    inputs: Sequence[np.ndarray],
    outputs: Sequence[np.ndarray],
    shares: int = 1,
    call: Callable[[Any, Sequence[Any], int], int | None] | None = None,
) -> int | None:
    """Runs the kernels of an operation's launches now, in order, on arrays.

    Args:
        launches: the launches to run.
        inputs, outputs: C-contiguous arrays of the shapes and dtypes that `launches` was made for.
        shares: the number of parts that shareable work is cut into; the last part runs first.
        call: a function that runs each kernel instead. It takes the kernel, its arguments without `first` and `last`,
            and the number of units.

    Returns:
        None, or the status of the kernel that stopped the run: a number >= 0.
    """
    scratch = [np.empty(size, dtype) for dtype, size in launches.scratch]
    launches.copy_initial_values(inputs, outputs)

    for launch in launches.launches:
        kernel: Any = launch.kernel
        operands = iter(launch.operands)
        arguments: list[Any] = []
        ends: list[int] = []  # the positions of `first` and `last`
        for end, dtype, floating in kernel.__self__.places:
            if end >= 0:
                ends.append(len(arguments))
                arguments.append(end and launch.units)
                continue
            operand: Any = next(operands)
            kind = type(operand)
            if kind is Input:
                operand = inputs[operand.number]
            elif kind is not int:
                operand = operand_value(operand, inputs, outputs, scratch)
            if floating and type(operand) is np.ndarray:
                operand = operand.item()
            arguments.append(operand if kind is int else _viewed_as(operand, dtype, kernel))
        if call is not None:
            status = call(kernel, [one for i, one in enumerate(arguments) if i not in ends], launch.units)
        elif ends and shares > 1:
            status = _call_in_shares(kernel, arguments, ends, launch.units, shares)
        else:
            status = _stopping_status(kernel(*arguments))
            while status == PAUSED:
                launches.unfinished = scratch  # a signal may end the loop
                status = _stopping_status(kernel(*arguments))
        if status is not None:
            launches.unfinished = scratch
            return status
    return None


def operand_value(operand: Any, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray], scratch: list[Any]) -> Any:
    """Returns the value of an operand; memory that must outlive the call is appended to ``scratch``.

    This is a module function on purpose: a recursive closure would be a reference cycle, which would keep the arrays
    until the next garbage collection.
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
        case KernelEntry(kernel):
            return step_address(kernel)
        case tuple():
            return tuple([operand_value(one, inputs, outputs, scratch) for one in operand])
        case Launch():
            inner = [operand_value(one, inputs, outputs, scratch) for one in operand.operands]
            # A step reads a float from the address in its word.
            inner = [np.array(one) if type(one) is float else one for one in inner]
            scratch += inner
            numbers = [one.ctypes.data if type(one) is np.ndarray else one for one in inner]
            if checks_bounds():  # the array sizes that checked builds append; see `signature.array_size_words`
                inner_kernel: Any = operand.kernel
                parameters = [x for x in inner_kernel.__self__.parameters if not x[0].is_share_bound]
                numbers += [
                    x.nbytes // dtype.itemsize
                    for (p, dtype), x in zip(parameters, inner, strict=True)
                    if p.kind in ARRAY_KINDS
                ]
            words = np.array(numbers, np.int64)
            scratch.append(words)  # keeps the words alive
            return words.ctypes.data
        case InnerFrame(make):
            frame = make()
            scratch.append(frame)
            return frame.words.ctypes.data
    return operand


def _stopping_status(status: int | None) -> int | None:
    """Returns a kernel's status if it stops the program, else None."""
    return None if status is None or status < 0 else int(status)


def _call_in_shares(
    kernel: Any, arguments: list[Any], range_positions: Sequence[int], units: int, share_count: int
) -> int | None:
    """Calls a kernel once for each part of its units of work, the last part first; returns the first status >= 0."""
    count = max(1, min(share_count, units))
    first, last = range_positions
    for part in reversed(range(count)):
        arguments[first], arguments[last] = units * part // count, units * (part + 1) // count
        status = _stopping_status(kernel(*arguments))
        if status is not None:
            return status
    return None


def check_itemsize(kernel: Any, parameter_dtype: np.dtype, given_dtype: np.dtype) -> None:
    """Checks that the elements of an operand are not smaller than those of the dtype that a kernel's parameter reads.

    A kernel would read beyond the end of an array with smaller elements. The dtypes may differ: kernels that move
    elements know only the element size, others read complex numbers as pairs, and any array may stand in for an absent
    mask.

    Raises:
        TypeError: the elements are smaller.
    """
    if given_dtype.itemsize < parameter_dtype.itemsize:
        raise TypeError(
            f"kernel {kernel.__self__.name}: takes arrays of {parameter_dtype} here, got one of {given_dtype}."
        )


def _viewed_as(operand: Any, dtype: np.dtype | None, kernel: Any) -> Any:
    """Returns arrays as views of the dtype of a kernel's parameter."""
    if type(operand) is tuple:
        return tuple([_viewed_as(one, dtype, kernel) for one in operand])
    if type(operand) is not np.ndarray or dtype is None or operand.dtype == dtype:
        return operand
    check_itemsize(kernel, dtype, operand.dtype)
    return operand.reshape(-1).view(dtype)
