"""Steps that move bytes, and steps that decide whether a program goes on."""

from fastgrad.kernels.body import scalar_function
from fastgrad.kernels.build import kernel


@kernel("x: in[uint8], y: out[uint8], size: int, first: int, last: int", noalias=True)
def copy_bytes(x, y, size, first, last):
    """y = x, `size` bytes in units of 64."""
    stop = size if last * 64 > size else last * 64
    for i in range(first * 64, stop):
        y[i] = x[i]


@scalar_function
def _answer(same):
    return -1 if same else 0


@kernel("x: in[uint8], wanted: int -> int")
def is_bool(x, wanted):
    """0 if the truth value in x is another one than `wanted`, else -1."""
    return _answer((x[0] != 0) == (wanted != 0))


@kernel("x: in[T], wanted: int -> int", T=("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"))
def is_int(x, wanted):
    """0 if the number in x is another one than `wanted`, else -1."""
    return _answer(x[0] == wanted)


@kernel(
    "x: in[T], wanted: int -> int",
    T=("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
)
def is_true(x, wanted):
    """0 if the number in x is zero and `wanted` is not, or the other way round, else -1."""
    return _answer((x[0] != 0) == (wanted != 0))
