"""Steps that move bytes, and steps that decide where a program continues."""

from collections.abc import Sequence

from fastgrad.kernels.codegen.body import scalar_function
from fastgrad.kernels.codegen.build import kernel
from fastgrad.kernels.runtime.driver import JUMP_ANSWER
from fastgrad.kernels.runtime.launch import Input, Launch, Launches, Output, Spec


@kernel("x: in[uint8], y: out[uint8], size: int, first: int, last: int", noalias=True)
def copy_bytes(x, y, size, first, last):
    """Copies `size` bytes from x to y; a unit of work is 64 bytes."""
    stop = size if last * 64 > size else last * 64
    for i in range(first * 64, stop):
        y[i] = x[i]


def copy_launches(size: int) -> Launches:
    """Returns the launch that copies the first `size` bytes of the input."""
    return Launches((Launch(copy_bytes[()], (Input(0), Output(0), size), -(-size // 64)),))


def bitcast_launches(inputs: Sequence[Spec], outputs: Sequence[Spec], type: str) -> Launches:
    """Returns the launches of ``tf.bitcast``: none, as the result is the bytes of the input."""
    return Launches((), alias=True)


NUMBERS = ("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
INTEGERS = NUMBERS[2:]


@scalar_function
def _jump_answer(answer, table, count):
    """Returns the jump to the step that `table`, pairs (answer, step), has for `answer`; 0 if it has none."""
    for i in range(count):
        if table[2 * i] == answer:
            return -JUMP_ANSWER - table[2 * i + 1] - 1
    return 0


@kernel("x: in[T], table: in[int64], count: int -> int", T=NUMBERS)
def choose_by_truth(x, table, count):
    """Jumps to the step that the table has for the truth of x, 1 or 0; answers 0 if it has none."""
    return _jump_answer(1 if x[0] != 0 else 0, table, count)


@kernel("x: in[T], table: in[int64], count: int -> int", T=INTEGERS)
def choose_by_value(x, table, count):
    """Jumps to the step that the table has for the number x; answers 0 if it has none."""
    return _jump_answer(x[0], table, count)


@kernel("x: in[T], wanted: int -> int", T=NUMBERS)
def has_truth(x, wanted):
    """Returns -1 if x and `wanted` are both zero or both not, else 0."""
    return -1 if (x[0] != 0) == (wanted != 0) else 0


@kernel("x: in[T], wanted: int -> int", T=INTEGERS)
def has_value(x, wanted):
    """Returns -1 if x equals `wanted`, else 0."""
    return -1 if x[0] == wanted else 0


@kernel("path_number: int -> int")
def end_program(path_number):
    """Ends the program at the end of path `path_number` of the trace tree."""
    return -2 - path_number
