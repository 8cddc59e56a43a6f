"""What a body means does not depend on who translates it: each is compared with what Numba makes of it."""

import gc
import importlib
import itertools
import linecache
import math
import pkgutil
from types import FunctionType

import numpy as np
import pytest
from numpy import float32, float64, int32, int64, uint8, uint64

import fastgrad.kernels
from fastgrad.kernels.building import cache, translate
from fastgrad.kernels.building import compile as compiling
from fastgrad.kernels.building.body import (
    by_dtype,
    float_bits,
    from_bits,
    fused_multiply_add,
    local_array,
    pointer,
    round_down,
    scalar_function,
)
from fastgrad.kernels.building.bounds import checks_bounds
from fastgrad.kernels.building.build import Kernel
from fastgrad.kernels.building.number_types import Untranslatable
from fastgrad.kernels.building.signature import parse_signature
from tests.kernels.building import numba_referee

pytestmark = pytest.mark.skipif(checks_bounds(), reason="Numba knows nothing of bounds")

HALF = 0.5
ROOM = 8

WHOLE = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def both(monkeypatch):
    """Makes of a function two kernels: one translated, and one that Numba made."""
    monkeypatch.setattr(cache, "load", lambda key: None)
    monkeypatch.setattr(cache, "store", lambda key, entry: None)

    def make(function, signature, *dtypes, **variables):
        kernels = []
        for name, translated in (("", translate.translated), ("_by_numba", numba_referee.translated)):
            copy = FunctionType(function.__code__, function.__globals__, function.__name__ + name)
            made = Kernel(copy, parse_signature(signature), variables, False, False)
            with monkeypatch.context() as patch:
                patch.setattr(compiling, "translated", translated)
                kernels.append(made[dtypes])
        return kernels

    return make


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
    if name == "bool":
        return rng.integers(0, 2, 64).astype(bool)
    dtype = np.dtype(name)
    if dtype.kind == "f":
        return rng.normal(size=64).astype(dtype) * 100
    limits = np.iinfo(dtype)
    some = [0, 1, 2, 3, limits.max, limits.min]
    return np.array([*some, *rng.integers(limits.min // 2, limits.max // 2, 58)], dtype)[rng.permutation(64)]


def _compare(kernels, *arguments, out):
    found = []
    for native in kernels:
        result = out.copy()
        status = native(*arguments[:-1], result, arguments[-1])
        found.append((status, result.tobytes()))
    assert found[0] == found[1]


@pytest.mark.parametrize("a", ["bool", "uint8", "int32", "uint64", "int64", "float32"])
def test_operations_of_all_pairs_of_types(both, rng, a):
    for b in ("bool", "int8", "uint32", "int64", "float32", "float64"):
        kernels = both(_operations, "x: in[A], y: in[B], out: out[float64], n: int", a, b, A=(a,), B=(b,))
        _compare(kernels, _samples(a, rng), _samples(b, rng), 64, out=np.zeros(5 * 64))


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


@pytest.mark.parametrize(("a", "b"), [*zip(WHOLE, WHOLE, strict=True), ("int8", "uint32"), ("uint64", "int16")])
def test_integers_divided_shifted_and_turned(both, rng, a, b):
    kernels = both(_integers, "x: in[A], y: in[B], out: out[int64], n: int", a, b, A=(a,), B=(b,))
    _compare(kernels, _samples(a, rng), _samples(b, rng), 64, out=np.zeros(8 * 64, np.int64))


def _casts(x, y, out, n):
    for i in range(n):
        out[6 * i] = float64(T(x[i])) + float64(y[i])
        out[6 * i + 1] = float32(x[i])
        out[6 * i + 2] = int64(int32(int64(y[i])))
        out[6 * i + 3] = uint8(int64(y[i]))
        out[6 * i + 4] = float64(uint64(int64(y[i])))
        out[6 * i + 5] = T(0.1) * HALF + T(3)


@pytest.mark.parametrize(("a", "b"), [("int8", "float32"), ("uint8", "float64"), ("int64", "int32"), ("bool", "int8")])
def test_casts(both, rng, a, b):
    kernels = both(_casts, "x: in[I], y: in[T], out: out[float64], n: int", a, b, I=(a,), T=(b,))
    _compare(kernels, _samples(a, rng), _samples(b, rng), 64, out=np.zeros(6 * 64))


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


@scalar_function
def _clipped(x):
    """Of a type that holds what both ways give."""
    if x > 50:
        return 50
    return x


def _loops(x, y, out, n):
    total = 0
    last = -1
    for i in range(n):
        total += x[i]  # is no integer any more from here on
        if x[i] > 1000:
            continue
        low, high = _smaller_first(x[i], y[i])
        low, high = high, low
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
        out[i] = best + at + k + _chosen(high) + _clipped(low)
    if last < 0:
        return
    out[0] = total if 0 <= last < n else -total
    out[1] = last


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_loops_branches_tuples_and_functions(both, rng, dtype):
    kernels = both(_loops, "x: in[T], y: in[T], out: out[float64], n: int", dtype, T=(dtype,))
    _compare(kernels, _samples(dtype, rng), _samples(dtype, rng), 64, out=np.zeros(64))


@scalar_function
def _four_or_minus_one(n):
    return 4 if n > 9 else -1


def _strides(x, out, n):
    for i in range(n, 0, _four_or_minus_one(n)):
        out[i - 1] += x[i - 1]
    step = _four_or_minus_one(n)
    for i in range(0, n, step):
        out[i] -= 2 * x[i]


@pytest.mark.parametrize("n", [0, 3, 9, 10, 21])
def test_ranges_whose_steps_are_found_when_they_run(both, rng, n):
    kernels = both(_strides, "x: in[float64], out: inout[float64], n: int")
    _compare(kernels, rng.normal(size=64), n, out=np.ones(64))


def _functions(x, out, n):
    for i in range(n):
        a = math.fabs(x[i])
        found = math.sqrt(a) + math.exp(-a) + math.log(a + T(1)) + math.sin(a) - math.tanh(x[i]) + math.erf(x[i])
        found += math.pow(a, T(0.3)) + math.atan2(x[i], a) + math.hypot(x[i], T(2)) + math.copysign(T(2), x[i])
        out[2 * i] = found + round_down(x[i]) + math.ceil(x[i]) + math.floor(x[i]) + math.pi
        out[2 * i + 1] = from_bits(float_bits(x[i]) ^ T_bits(1)) if x[i] == x[i] else math.inf


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_functions(both, rng, dtype):
    x = np.array([*rng.normal(size=60) * 3, 0.0, -0.0, np.nan, -1e-30], dtype)
    kernels = both(_functions, "x: in[T], out: out[float64], n: int", dtype, T=(dtype,))
    _compare(kernels, x, 64, out=np.zeros(128))


def _status(x, n, words):
    memory = pointer(int64, words)
    for i in range(n):
        if x[i] != 0 and memory[i] != 7:
            return i
        memory[i] += 1
    return -1


def test_a_body_that_answers(both):
    for native in both(_status, "x: in[bool], n: int, words: int -> int"):
        words = np.array([1, 2, 3, 4])
        assert native(np.array([False, False, True, True]), 4, words.ctypes.data) == 2
        assert words.tolist() == [2, 3, 3, 4]
        assert native(np.zeros(4, bool), 4, words.ctypes.data) == -1


def _unassigned(x, n):
    if n > 3:
        y = 1.0
    for i in range(n):
        x[i] = y


def _two_types(x, n):
    y = x
    for _ in range(n):
        y = 3
    x[0] = y


def _power(x, n):
    x[0] = x[0] ** n


@pytest.mark.parametrize("function", [_two_types, _power])
def test_what_is_unknown_is_refused(function):
    with pytest.raises(Untranslatable):
        translate.translated(function, ["*float64", "int64"], "none", {}, False)


def test_a_variable_that_some_ways_do_not_assign_is_no_reason_to_refuse():
    assert (
        "define internal void @.body"
        in translate.translated(_unassigned, ["*float64", "int64"], "none", {}, False).text
    )


def test_a_body_whose_source_has_changed_is_refused(monkeypatch):
    source = "def grow(x, n):\n    for i in range(n):\n        x[i] += {}\n"
    scope = {}
    exec(compile(source.format("1.0"), "<grow>", "exec"), scope)
    for other in ("2.0", "1.0 + )"):
        text = source.format(other)
        monkeypatch.setitem(linecache.cache, "<grow>", (len(text), None, text.splitlines(keepends=True), "<grow>"))
        with pytest.raises(Untranslatable, match="changed"):
            translate.translated(scope["grow"], ["*float64", "int64"], "none", {}, False)
    monkeypatch.setattr(cache, "load", lambda key: None)
    monkeypatch.setattr(cache, "store", lambda key, entry: None)
    changed = Kernel(scope["grow"], parse_signature("x: inout[float64], n: int"), {}, False, False)
    with pytest.raises(
        RuntimeError, match=r"^kernel grow can't be compiled: the source of grow .* changed since Python read it"
    ):
        changed(np.zeros(3), 3)


def test_all_kernels_of_the_library_are_translated():
    for module in pkgutil.walk_packages(fastgrad.kernels.__path__, "fastgrad.kernels."):
        importlib.import_module(module.name)
    kernels = [
        k for k in gc.get_objects() if isinstance(k, Kernel) and str(k.function.__module__).startswith("fastgrad.")
    ]
    assert len(kernels) > 150
    for found in kernels:
        for dtypes in itertools.islice(itertools.product(*found.variables.values()), 0, None, 7):
            variables = {name: dtype.name for name, dtype in zip(found.variables, dtypes, strict=True)}
            arguments = [compiling.parameter_type(p, variables) for p in found.signature.parameters]
            result = "int64" if found.signature.returns_status else "none"
            translate.translated(found.function, arguments, result, compiling.type_names(variables), found.noalias)
