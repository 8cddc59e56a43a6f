"""Kernels as plain Python: the numbers of Numba, bounds, tracebacks and debuggers."""

import math
import operator
import traceback

import numpy as np
import pytest
from numpy import float32, int32, uint8, uint64

from fastgrad._src.jit import build, jit_switch
from fastgrad._src.jit.body import (
    by_dtype,
    call_step,
    fused_multiply_add,
    local_array,
    round_to_even,
    scalar_function,
)
from fastgrad._src.jit.build import kernel, step_address
from fastgrad._src.jit.interpreted_kernel import python_function
from fastgrad._src.jit.interpreted_numbers import Integer
from fastgrad._src.kernels.math.vector_math import exp
from tests.kernels.process import run_python

F4, F8 = np.dtype(np.float32), np.dtype(np.float64)
NUMBERS = ("int8", "uint8", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64")
SCALE = 3


@pytest.fixture
def interpreted(monkeypatch):
    """Makes a kernel of the same body that runs as plain Python."""
    monkeypatch.setattr(build, "jit_is_disabled", lambda: True)

    def copy(known):
        variables = {name: tuple(d.name for d in dtypes) for name, dtypes in known.variables.items()}
        return build.Kernel(known.function, known.signature, variables, known.release_gil, known.noalias)

    return copy


def both(known, interpreted, key, *arguments):
    """Results of a kernel, compiled and as plain Python."""
    results = []
    for one in (known, interpreted(known)):
        given = [x.copy() if isinstance(x, np.ndarray) else x for x in arguments]
        one[key](*given) if key != () else one(*given)
        results.append(given)
    return zip(*results, strict=True)


@kernel("x: in[A], y: in[B], whole: out[int64], real: out[float64], n: int", A=NUMBERS, B=NUMBERS)
def operations(x, y, whole, real, n):
    for i in range(n):
        a, b = x[i], y[i]
        real[9 * i] = a + b
        real[9 * i + 1] = a - b
        real[9 * i + 2] = a * b
        real[9 * i + 3] = a / b
        real[9 * i + 4] = -a
        real[9 * i + 5] = a * 3
        real[9 * i + 6] = a * 0.1
        real[9 * i + 7] = a * i
        real[9 * i + 8] = a * float32(0.1)
        whole[5 * i] = 1 if a < b else 0
        whole[5 * i + 1] = 1 if a == b else 0
        whole[5 * i + 2] = 1 if a >= 2 else 0
        whole[5 * i + 3] = 1 if a > b + 1 else 0
        whole[5 * i + 4] = abs(int32(i - 3))


@kernel("x: in[A], y: in[B], out: out[int64], n: int", A=NUMBERS[:-2], B=NUMBERS[:-2])
def integer_operations(x, y, out, n):
    for i in range(n):
        a, b = x[i], y[i]
        out[10 * i] = a // b
        out[10 * i + 1] = a % b
        out[10 * i + 2] = a & b
        out[10 * i + 3] = a | b
        out[10 * i + 4] = a ^ b
        out[10 * i + 5] = a << (b & 7)
        out[10 * i + 6] = a >> (b & 7)
        out[10 * i + 7] = ~a
        out[10 * i + 8] = uint8(a) + uint8(b)
        out[10 * i + 9] = uint64(a) // uint64(3)


def values(dtype):
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return np.array([0.3, -2.5, 7.0, 1e3, 1.0, 2.0, 1e9], kind)
    ends = np.iinfo(kind)
    return np.array([1, 5, ends.max, ends.min, ends.max // 3, 2, 7], kind)


PAIRS = [
    ("int8", "int8"), ("uint8", "float32"), ("uint32", "uint32"), ("uint32", "int32"), ("int32", "int32"), ("uint64", "int64"),
    ("int64", "uint64"), ("uint64", "uint64"), ("uint16", "float32"), ("float32", "int64"), ("float32", "float32"), ("uint64", "float32"),
]  # fmt: skip


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_numbers_mean_what_they_mean_to_numba(interpreted, pair):
    x, y = values(pair[0]), values(pair[1])[::-1].copy()
    sizes = np.zeros(5 * x.size, np.int64), np.zeros(9 * x.size)
    for compiled, plain in both(operations, interpreted, pair, x, y, *sizes, x.size):
        np.testing.assert_array_equal(plain, compiled)


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if "float32" not in pair], ids="-".join)
def test_integers_mean_what_they_mean_to_numba(interpreted, pair):
    x, y = values(pair[0]), values(pair[1])[::-1].copy()
    out = np.zeros(10 * x.size, np.int64)
    for compiled, plain in both(integer_operations, interpreted, pair, x, y, out, x.size):
        np.testing.assert_array_equal(plain, compiled)


@scalar_function
def _single(x):
    return x * float32(0.5)


@scalar_function
def _double(x):
    return x * 0.25


halved = by_dtype(float32=_single, float64=_double)


@kernel("x: in[T], out: out[T], n: int", T=("float32", "float64"))
def functions(x, out, n):
    room = local_array(T, 4)
    for i in range(n):
        room[i % 4] = T(math.sin(x[i])) * SCALE
        out[i] = halved(exp(x[i])) + room[i % 4] + T(round_to_even(x[i])) + fused_multiply_add(x[i], x[i], T(math.pi))


@pytest.mark.parametrize("dtype", [F4, F8])
def test_functions_of_numbers_have_the_same_bits(interpreted, dtype):
    x = np.random.default_rng(0).normal(size=50).astype(dtype) * 3
    for compiled, plain in both(functions, interpreted, dtype, x, np.zeros_like(x), x.size):
        np.testing.assert_array_equal(plain, compiled)


@kernel("x: in[float32], y: out[float32], n: int")
def shifted(x, y, n):
    for i in range(n):
        y[i] = x[i + 1]


def test_an_access_outside_is_an_error_in_its_line(interpreted):
    with pytest.raises(IndexError, match=r"x\[3\] is outside of its 3 elements") as error:
        interpreted(shifted)(np.ones(3, F4), np.zeros(3, F4), 3)
    lines = [frame.line for frame in traceback.extract_tb(error.value.__traceback__)]
    assert "y[i] = x[i + 1]" in lines


@kernel("x: in[float32], y: out[float32]")
def before_the_first(x, y):
    y[0] = x[-1]


def test_a_negative_index_is_not_one_from_the_end(interpreted):
    with pytest.raises(IndexError, match=r"x\[-1\] is outside of its 2 elements"):
        interpreted(before_the_first)(np.ones(2, F4), np.zeros(1, F4))


def test_arguments_are_converted_and_refused_as_by_native_functions(interpreted):
    plain = interpreted(shifted)
    y = np.zeros(2, F4)
    plain(np.arange(6, dtype=F4)[::2], y, np.int64(2))
    assert y.tolist() == [2, 4]
    for native in (shifted[()], plain[()]):
        with pytest.raises(TypeError, match="kernel shifted: x must be a float32 array, got float64 array"):
            native(np.ones(3), y, 2)
        with pytest.raises(TypeError, match="takes 3 arguments, got 2"):
            native(np.ones(3, F4), y)
        with pytest.raises(TypeError, match="must be C-contiguous"):
            native(np.ones(3, F4), np.zeros(4, F4)[::2], 2)


@kernel("xs: ins[float32], out: out[float32], count: count, sizes: sizes, factor: float -> int")
def totals(xs, out, count, sizes, factor):
    for k in range(count):
        total = float32(0)
        for i in range(sizes[k]):
            total += xs[k][i]
        out[k] = total * factor
    return sizes[count - 1]


def test_lists_counts_and_answers(interpreted):
    xs, out = [np.arange(3, dtype=F4), np.ones(5, F4)], np.zeros(2, F4)
    assert interpreted(totals)(xs, out, 0.5) == 5
    assert out.tolist() == [1.5, 2.5]


@kernel("step: int, words: int, last: int -> int")
def caller(step, words, last):
    return call_step(step, words, 0, last)


@kernel("x: in[float32], factor: float, y: out[float32], first: int, last: int -> int")
def scaled(x, factor, y, first, last):
    for i in range(first, last):
        y[i] = x[i] * factor
    return 41


def test_a_step_reads_its_words(interpreted):
    x, factor, y = np.arange(4, dtype=F4), np.array(2.5), np.zeros(4, F4)
    words = np.array([x.ctypes.data, factor.ctypes.data, y.ctypes.data, 4, 4], np.int64)
    native = interpreted(scaled)[()]
    assert interpreted(caller)(step_address(native), words.ctypes.data, 4) == 42
    assert y.tolist() == [0, 2.5, 5, 7.5]
    words[3] = 2
    with pytest.raises(IndexError, match=r"x\[2\] is outside of its 2 elements"):
        interpreted(caller)(step_address(native), words.ctypes.data, 4)


def test_a_number_of_no_kernel_is_refused(interpreted):
    with pytest.raises(RuntimeError, match="there is no kernel of number 0"):
        interpreted(caller)(0, 0, 1)


def test_names_of_bodies_can_be_called_from_python():
    assert fused_multiply_add(float32(2), float32(3), float32(1)) == 7
    assert halved(np.float64(2.0)) == 0.5
    assert local_array(F8, 4).array.size == 4
    assert python_function(exp, {"T": "float32"})(float32(1)) == float32(math.e)


PROGRAM = """
import fastgrad as tf
from fastgrad._src.jit.interpreted_kernel import functions

w = tf.Variable([1.0, 2.0])

@tf.function
def step(x):
    return tf.tanh(x * w) + 1.0

x = tf.constant([0.5, 0.25])
for _ in range(3):
    step(x)
(group,) = [name for name in functions() if name.startswith('fused')]
assert group.partition('[')[0] in step.source()
breakpoint()
step(x)
"""


def test_a_debugger_stops_in_the_kernel_of_a_compiled_step():
    commands = "break functions()[group]\ncontinue\np x0\nnext\nquit\n"
    run = run_python("-c", PROGRAM, stdin=commands, NUMBA_DISABLE_JIT="1")
    assert "x0: array([0.5 , 0.25], dtype=float32)" in run.stdout, run.stdout + run.stderr


def test_kernels_have_no_code_to_show(monkeypatch):
    monkeypatch.setattr(jit_switch, "jit_is_disabled", lambda: True)
    with pytest.raises(RuntimeError, match="kernel scaled runs as plain Python, as NUMBA_DISABLE_JIT says"):
        scaled.inspect_llvm()


@pytest.mark.parametrize("function", [operator.lshift, operator.rshift, operator.and_, operator.or_, operator.xor])
@pytest.mark.parametrize("number", [70.5, -1.5, np.float32(1)])
def test_bits_of_integers_do_not_go_with_floats(function, number):
    with pytest.raises(TypeError, match="float"):
        function(Integer(1, "int32"), number)
