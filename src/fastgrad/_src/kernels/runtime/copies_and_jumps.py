"""Steps that move bytes, and steps that decide where a program continues."""

from collections.abc import Sequence

from fastgrad._src.jit.body import scalar_function
from fastgrad._src.jit.build import kernel
from fastgrad._src.kernels.runtime.driver import FIRST_JUMP_CODE
from fastgrad._src.kernels.runtime.launch import Input, Launch, Launches, Output, Spec


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
def _status_of_program_jump(value, jump_table, pair_count):
    """Returns the status of a jump to the step that `jump_table`, pairs (value, step), has for `value`; else 0."""
    for i in range(pair_count):
        if jump_table[2 * i] == value:
            return -FIRST_JUMP_CODE - jump_table[2 * i + 1] - 1
    return 0


@kernel("x: in[T], jump_table: in[int64], pair_count: int -> int", T=NUMBERS)
def jump_by_truth(x, jump_table, pair_count):
    """Jumps to the step that `jump_table` has for x != 0, as 1 or 0; returns status 0 if the table lacks it."""
    return _status_of_program_jump(1 if x[0] != 0 else 0, jump_table, pair_count)


@kernel("x: in[T], jump_table: in[int64], pair_count: int -> int", T=INTEGERS)
def jump_by_value(x, jump_table, pair_count):
    """Jumps to the step that `jump_table` has for the number x; returns status 0 if the table lacks x."""
    return _status_of_program_jump(x[0], jump_table, pair_count)


@kernel("x: in[T], expected: int -> int", T=NUMBERS)
def check_truth(x, expected):
    """Returns -1 if x and `expected` are both zero or both not, else 0."""
    return -1 if (x[0] != 0) == (expected != 0) else 0


@kernel("x: in[T], expected: int -> int", T=INTEGERS)
def check_value(x, expected):
    """Returns -1 if x equals `expected`, else 0."""
    return -1 if x[0] == expected else 0


@kernel("trace_path: int -> int")
def end_program(trace_path):
    """Ends the program at the end of path `trace_path` of the trace tree."""
    return -2 - trace_path
