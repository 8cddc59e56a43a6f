"""Bodies mean what they mean to Numba: kernels are compared with `numba.njit` of the same function, whose pipeline is the full one."""

import math

import llvmlite.binding as llvm
import numba
import numpy as np
import pytest
from numpy import float32, float64, int32, int64, uint8, uint64

from fastgrad._src.jit import cache, frontend
from fastgrad._src.jit.body import (
    by_dtype,
    float_bits,
    from_bits,
    fused_multiply_add,
    local_array,
    pointer,
    round_down,
    scalar_function,
)
from fastgrad._src.jit.build import Kernel, kernel
from fastgrad._src.jit.frontend import CompileError
from fastgrad._src.jit.intrinsics import cpu_machine
from fastgrad._src.jit.signature import parse_signature
from tests.kernels.process import run_python

HALF = 0.5
ROOM = 8


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture(autouse=True)
def _compiled_each_time(monkeypatch):
    monkeypatch.setattr(cache, "load", lambda key: None)
    monkeypatch.setattr(cache, "store", lambda key, entry: None)


def _compare(function, signature, arguments, out, **variables):
    """The kernel of a function and Numba's own function write the same bytes, and return the same."""
    made = Kernel(
        function, parse_signature(signature), {name: (dtype,) for name, dtype in variables.items()}, False, False
    )
    scope = {**function.__globals__, **{name: getattr(numba.types, dtype) for name, dtype in variables.items()}}
    plain = numba.njit(error_model="numpy")(type(function)(function.__code__, scope, function.__name__))
    answers = []
    for native in (made[tuple(variables.values())], plain):
        result = out.copy()
        given = native(*arguments[:-1], result, arguments[-1])
        answers.append((given, result.tobytes()))
    assert answers[0] == answers[1]


def _operations(x, y, out, n):
    for i in range(n):
        a, b = x[i], y[i]
        out[5 * i] = a + b
        out[5 * i + 1] = a - b * 2
        out[5 * i + 2] = a / (b if b != 0 else 3)
        out[5 * i + 3] = (4 if a == b else 0) + (2 if a < b else 0) + (1 if not (a >= b and b != 0) else 0)
        value = a if i % 2 == 0 else b
        out[5 * i + 4] = value


def _samples(name, rng):
    dtype = np.dtype(name)
    if dtype.kind == "f":
        return rng.normal(size=64).astype(dtype) * 100
    limits = np.iinfo(dtype)
    some = [0, 1, 2, 3, limits.max, limits.min]
    return np.array([*some, *rng.integers(limits.min // 2, limits.max // 2, 58)], dtype)[rng.permutation(64)]


@pytest.mark.parametrize(
    ("a", "b"),
    [("uint8", "int8"), ("int32", "uint32"), ("uint64", "int64"), ("int64", "float32"), ("float32", "float64")],
)
def test_operations_of_pairs_of_types(rng, a, b):
    arguments = _samples(a, rng), _samples(b, rng), 64
    _compare(_operations, "x: in[A], y: in[B], out: out[float64], n: int", arguments, np.zeros(5 * 64), A=a, B=b)


def _integers(x, y, out, n):
    for i in range(n):
        a, b = x[i], y[i]
        out[8 * i] = a // b
        out[8 * i + 1] = a % b
        out[8 * i + 2] = a & b
        out[8 * i + 3] = (a | b) ^ 5
        out[8 * i + 4] = a << (b & 7)
        out[8 * i + 5] = a >> (b & 7)
        out[8 * i + 6] = -a
        out[8 * i + 7] = ~b


@pytest.mark.parametrize(
    ("a", "b"), [("int64", "int64"), ("uint64", "uint64"), ("uint8", "int32"), ("uint64", "int16")]
)
def test_divisions_shifts_and_bits_of_integers(rng, a, b):
    arguments, out = (_samples(a, rng), _samples(b, rng), 64), np.zeros(8 * 64, np.int64)
    _compare(_integers, "x: in[A], y: in[B], out: out[int64], n: int", arguments, out, A=a, B=b)


def _casts(x, y, out, n):
    for i in range(n):
        out[6 * i] = float64(T(x[i])) + float64(y[i])
        out[6 * i + 1] = float32(x[i])
        out[6 * i + 2] = int64(int32(int64(y[i])))
        out[6 * i + 3] = uint8(int64(y[i]))
        out[6 * i + 4] = float64(uint64(int64(y[i])))
        out[6 * i + 5] = T(0.1) * HALF + T(3)


@pytest.mark.parametrize(("a", "b"), [("int8", "float32"), ("uint8", "float64"), ("int64", "int32")])
def test_casts(rng, a, b):
    arguments = _samples(a, rng), _samples(b, rng), 64
    _compare(_casts, "x: in[I], y: in[T], out: out[float64], n: int", arguments, np.zeros(6 * 64), I=a, T=b)


def _step_from_data(x, out, n):
    step = 4 if n > 9 else -1
    for i in range(n, 0, -1 if n > 9 else -2):
        out[i - 1] += x[i - 1]
    for i in range(0, n, step):
        out[i] -= 2 * x[i]


@pytest.mark.parametrize("n", [0, 3, 9, 10, 21])
def test_ranges_with_a_step_known_at_run_time(rng, n):
    arguments = rng.normal(size=64), n
    _compare(_step_from_data, "x: in[float64], out: inout[float64], n: int", arguments, np.ones(64))


@scalar_function
def _smaller_first(a, b):
    """Both, in order."""
    if a <= b:
        return a, b
    return b, a


@scalar_function
def _of_float32(x):
    return fused_multiply_add(x, x, float32(1))


@scalar_function
def _of_float64(x):
    return x * x - 1.0


_chosen = by_dtype(float32=_of_float32, float64=_of_float64)


@kernel("x: in[T], y: in[T], out: out[float64], n: int", T=("float32", "float64"))
def loops(x, y, out, n):
    total = 0
    last = -1
    for i in range(n):
        total += x[i]  # a float from here on
        if x[i] > 1000:
            continue
        low, high = _smaller_first(x[i], y[i])
        kept = local_array(T, ROOM)
        for j in range(ROOM):
            kept[j] = T(j) * low
        best, at = kept[0], 0
        for j in range(ROOM - 1, -1, -2):
            if not (kept[j] <= best) and (j == 0 or kept[j - 1] == kept[j - 1]):
                best, at = kept[j], j
        k = 0
        while True:
            k += 1
            if k * k > abs(at) + i or k in (17, 19):
                break
        last = k
        out[i] = best + at + k + _chosen(high)
    if last < 0:
        return
    out[0] = total if 0 <= last < n else -total
    out[1] = last


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_loops_branches_tuples_and_functions(rng, dtype):
    x, y = rng.normal(size=20).astype(dtype), rng.normal(size=20).astype(dtype)
    out = np.zeros(20)
    loops[dtype](x, y, out, 20)
    expected = np.zeros(20)
    for i in range(20):
        low, high = min(x[i], y[i]), max(x[i], y[i])
        parts = [x.dtype.type(j) * low for j in range(ROOM)]
        best, at = parts[0], 0
        for j in range(ROOM - 1, -1, -2):
            if parts[j] > best:
                best, at = parts[j], j
        k = 1
        while k * k <= at + i and k not in (17, 19):
            k += 1
        wide = float(high) * float(high)
        chosen = np.float32(wide + 1) if dtype == "float32" else wide - 1
        expected[i] = float(best) + at + k + chosen
    expected[1] = k
    expected[0] = x.sum(dtype=np.float64)
    np.testing.assert_allclose(out, expected, rtol=1e-6 if dtype == "float32" else 1e-14)


@kernel("x: in[T], out: out[float64], n: int", T=("float32", "float64"))
def functions(x, out, n):
    for i in range(n):
        a = math.fabs(x[i])
        total = math.sqrt(a) + math.exp(-a) + math.log(a + T(1)) + math.sin(a) - math.tanh(x[i]) + math.erf(x[i])
        total += math.pow(a, T(0.3)) + math.atan2(x[i], a) + math.hypot(x[i], T(2)) + math.copysign(T(2), x[i])
        out[2 * i] = total + round_down(x[i]) + math.ceil(x[i]) + math.floor(x[i]) + math.pi
        out[2 * i + 1] = from_bits(T_bits(float_bits(x[i]) ^ T_bits(1))) if x[i] == x[i] else math.inf


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_functions_of_numbers(rng, dtype):
    x = np.array([*rng.normal(size=60) * 3, 0.0, -0.0, 7.0, -1e-30], dtype)
    out = np.zeros(128)
    functions[dtype](x, out, 64)
    from scipy.special import erf

    w = x.astype(np.float64)
    a = np.abs(w)
    total = np.sqrt(a) + np.exp(-a) + np.log(a + 1) + np.sin(a) - np.tanh(w) + erf(w) + a**0.3 + np.arctan2(w, a)
    total += np.hypot(w, 2) + np.copysign(2, w) + 2 * np.floor(w) + np.ceil(w) + np.pi
    np.testing.assert_allclose(out[::2], total, rtol=0, atol=4e-6 if dtype == "float32" else 1e-14)
    word = np.int32 if dtype == "float32" else np.int64
    np.testing.assert_array_equal(out[1::2], (x.view(word) ^ word(1)).view(dtype))


@kernel("x: in[bool], n: int, words: int -> int")
def status(x, n, words):
    memory = pointer(int64, words)
    for i in range(n):
        if x[i] != 0 and memory[i] != 7:
            return i
        memory[i] += 1
    return -1


def test_a_body_that_returns_a_status():
    words = np.array([1, 2, 3, 4])
    assert status(np.array([False, False, True, True]), 4, words.ctypes.data) == 2
    assert words.tolist() == [2, 3, 3, 4]
    assert status(np.zeros(4, bool), 4, words.ctypes.data) == -1


def _two_types(x, n):
    y = x
    for _ in range(n):
        y = 3
    x[0] = y


def _text(x, n):
    x[0] = "n"


@scalar_function
def _endless(n):
    return _endless(n - 1)


def _recursive(x, n):
    x[0] = _endless(n)


def _unknown(x, n):
    x[0] = nowhere(n)  # noqa: F821 - that is the point


def _generator(x, n):
    yield n


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (_two_types, "unify"),
        (_generator, "cannot yield"),
        (_text, "unicode|str|Literal"),
        (_recursive, "_endless calls itself"),
        (_unknown, "nowhere"),
    ],
)
def test_an_error_names_the_function_its_line_and_numbas_reason(function, reason):
    made = Kernel(function, parse_signature("x: inout[float64], n: int"), {}, False, False)
    with pytest.raises(CompileError, match=rf"(?s)\w+ \(.*test_frontend\.py:\d+\): .*({reason})"):
        made(np.zeros(3), 3)


def _kept_over_iterations(x, out, n):
    total = x[0] * 0
    for i in range(n):
        if i % 3 == 0:
            latest = x[i]
            total = 2 if i % 2 == 0 else total + 1
        for _ in range(i % 4):
            if total > 5:
                break
            total += latest
        while latest > 1:
            latest -= 1
            if latest > 7:
                continue
            total -= 1
        out[i] = total + latest


@pytest.mark.parametrize("dtype", ["int64", "float64"])
def test_variables_keep_their_values_over_branches_and_iterations(rng, dtype):
    x = rng.integers(0, 12, 40).astype(dtype)
    signature = "x: in[T], out: out[T], n: int"
    _compare(_kept_over_iterations, signature, (x, 40), np.zeros(40, dtype), T=dtype)


def test_ir_says_nothing_of_the_end_of_a_variables_life(monkeypatch):
    ended = []
    monkeypatch.setattr(numba.core.lowering.Lower, "delvar", lambda self, name: ended.append(name))
    made = Kernel(
        _kept_over_iterations, parse_signature("x: in[T], out: out[T], n: int"), {"T": ("int64",)}, False, False
    )
    made["int64"](np.ones(3, "int64"), np.zeros(3, "int64"), 3)
    assert ended == []


@scalar_function
def _twice(x):
    return x + x


def _doubled(x, n):
    for i in range(n):
        x[i] = _twice(x[i])


def test_a_function_is_compiled_once_for_its_argument_types(monkeypatch):
    compiled = []
    compile_function = frontend.Frontend.compile
    monkeypatch.setattr(
        frontend.Frontend,
        "compile",
        lambda self, function, *rest: (
            compiled.append(function.__code__.co_name),
            compile_function(self, function, *rest),
        )[1],
    )

    for name in ("first", "second"):
        body = type(_doubled)(_doubled.__code__, _doubled.__globals__, name)
        for dtype in ("float32", "float64"):
            Kernel(body, parse_signature("x: inout[T], n: int"), {"T": (dtype,)}, False, False)[dtype]
    assert sorted(compiled) == ["_doubled"] * 4 + ["_twice"] * 2


@pytest.mark.parametrize(
    "kind",
    [
        numba.types.float32,
        numba.types.boolean,
        numba.types.none,
        numba.types.UniTuple(numba.types.uint64, 4),
        numba.types.Tuple([numba.types.int64, numba.types.Tuple([numba.types.float32, numba.types.boolean])]),
    ],
    ids=str,
)
def test_the_name_of_a_type_gives_the_type(kind):
    assert frontend._type_of_names(frontend._storable_type_name(kind)) == kind


def test_a_type_of_this_process_alone_has_no_name():
    assert frontend._storable_type_name(numba.types.Array(numba.types.float32, 1, "C")) is None
    assert (
        frontend._storable_type_name(numba.types.Tuple([numba.types.int64, numba.types.CPointer(numba.types.int64)]))
        is None
    )


FIRST = """
import sys
import numpy as np
from numpy import float64
from fastgrad._src.jit import frontend
from fastgrad._src.jit.body import by_dtype, local_array, scalar_function
from fastgrad._src.jit.build import kernel

compiled = []
frontend.LEAST_CACHED_BYTECODE = 0
compile_function = frontend.Frontend.compile
def noted(self, function, *rest):
    compiled.append(function.__code__.co_name)
    return compile_function(self, function, *rest)
frontend.Frontend.compile = noted

@scalar_function
def inner(x):
    return x * T(3) if x in (T(1), T(2)) else x

@scalar_function
def pair(x, y):
    return inner(x) + y, x < y, (x, float64(y))

@scalar_function
def total(x, n):
    kept = local_array(T, 4)
    for i in range(4):
        kept[i] = inner(x) + T(i)
    return kept[n & 3]

FLOATS = ("float32", "float64")
"""
BODIES = """
@kernel("x: in[T], out: out[T], n: int", T=FLOATS)
def {name}(x, out, n):
    for i in range(n):
        a, less, (b, c) = pair(x[i], T({number}))
        out[i] = a + T(b) + T(c) + (T(1) if less else T(0)) + total(x[i], i)

for dtype in FLOATS:
    x, out = np.arange(5, dtype=dtype), np.empty(5, dtype)
    {name}[dtype](x, out, 5)
    print(out.tolist())
print(sorted(compiled))
"""


def _output(folder, name, number):
    run = run_python("-c", FIRST + BODIES.format(name=name, number=number), FASTGRAD_CACHE_DIR=str(folder))
    assert run.returncode == 0, run.stderr
    *values, names = run.stdout.splitlines()
    return values, names


def test_another_process_takes_scalar_functions_from_the_disk_cache(tmp_path):
    _, names = _output(tmp_path / "shared", "first", 2)
    assert all(names.count(f"'{name}'") == 2 for name in ("first", "inner", "pair", "total")), names
    values, names = _output(tmp_path / "shared", "second", 3)
    assert names == "['second', 'second']"
    assert values == _output(tmp_path / "alone", "second", 3)[0]


def test_damaged_scalar_functions_in_the_disk_cache_are_compiled_again(tmp_path):
    expected, _ = _output(tmp_path, "first", 2)
    for entry in tmp_path.iterdir():
        data = bytearray(entry.read_bytes())
        data[-10] ^= 1
        entry.write_bytes(data)
    values, names = _output(tmp_path, "first", 2)
    assert values == expected
    assert names.count("total") == 2


def test_a_function_that_only_a_later_module_calls_is_linked():
    codegen = frontend.frontend(cpu_machine).target.codegen()

    def library(name, called_symbol, *called):
        result = codegen.create_library(name)
        declared = f"declare i64 @{called_symbol}()\n" if called_symbol else ""
        value = f"%v = call i64 @{called_symbol}()" if called_symbol else "%v = add i64 7, 0"
        result.add_ir_module(f"{declared}define i64 @{name}() {{\n  {value}\n  ret i64 %v\n}}\n")
        for each in called:
            result.add_linking_library(each)
        return result

    last = library("last", "")
    middle = library("middle", "last", last)
    first = library("first", "middle", middle, last)  # which has typed a call of `last` that its code lacks
    module = llvm.parse_bitcode(first.bitcode("whole"))
    assert [function.name for function in module.functions if function.is_declaration] == []
