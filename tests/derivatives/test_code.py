"""Derivatives written as LLVM IR are those that Numba compiles from their text: the same bits, exceptions and references."""

import traceback

import numba
import numpy as np
import pytest
from numba.core.runtime import _nrt_python

import fastgrad as fg
from fastgrad._src.derivatives.codegen import code_compiler
from fastgrad._src.derivatives.codegen.code_lifetimes import Lifetimes
from fastgrad._src.derivatives.output import tree as code
from fastgrad._src.jit import dispatcher_cache
from tests.derivatives.both_ways import compiled_from_text, differences


@numba.njit
def smaller_of_branches(x, k):
    return max(x * k, 1e-9) * min(x, 2.0) + abs(x) ** 2 / (1.0 + x**-2)


@numba.njit
def recorded_loop(x):
    total = 0.5
    for i in range(x.size):
        if x[i] > 0.0:
            total = np.sin(total) * x[i]
    return total


@numba.njit
def written_array(x):
    y = np.zeros(x.size)
    for i in range(1, x.size):
        y[i] = y[i - 1] * 0.5 + x[i] ** 3
    return y[::-1] * x[::2][0]


@numba.njit
def product_of_matrices(a, b):
    return np.linalg.solve(a + 4.0 * np.eye(3), a @ b).sum() + (a.T @ a)[1, 2]


@numba.njit
def by_text_of_a_tuple(x, options):
    return (np.exp(x) if options[0] == "exponential" else x).sum() * options[1]


@numba.njit
def power(x, n):
    return 1.0 if n == 0 else x * power(x, n - 1)


@numba.njit
def calls_itself(x, n):
    return power(x, n) + power(2.0 * x, 2)


@numba.njit
def tree_sum(x):
    if x.shape[0] == 1:
        return x[0] * x[0]
    middle = x.shape[0] // 2
    return tree_sum(x[:middle]) * tree_sum(x[middle:]) + x[0]


@numba.njit
def trees_of_slices(x):
    return tree_sum(x) + tree_sum(x[::2]) + tree_sum(x[::-1])


@numba.njit(parallel=True)
def parallel_sum(x, y):
    total = 0.0
    for i in numba.prange(x.shape[0]):
        total += np.sqrt(x[i] * x[i] + 1.0) * y[i]
    return total


@numba.njit
def single_precision(x):
    total = np.float32(0.0)
    for value in x:
        total += value * value / np.float32(3.0)
    return np.exp(-total)


@numba.njit
def complex_result(z):
    return np.exp(z) * z.conjugate() + z**2


@numba.njit
def several_results(x, k):
    y = x * k
    return y, y.sum(), k


@numba.njit
def integer_powers(x, n):
    total = 0.0
    for i in range(-n, n):
        total += x ** (2 * i) / (1.0 + i * i)
    return total


@numba.njit
def chosen_by_a_flag(x, y, flag):
    chosen = x if flag else y
    chosen[0] = 2.0 * y[1]
    return (chosen * chosen).sum()


X = np.array([0.3, -1.2, 0.7, 1.9])
PROGRAMS = [
    (smaller_of_branches, (0.7, 2.0)),
    (recorded_loop, (X,)),
    (written_array, (X,)),
    (product_of_matrices, (np.arange(9.0).reshape(3, 3), np.eye(3) * 1.5)),
    (calls_itself, (0.7, 3)),
    (trees_of_slices, (X,)),
    (parallel_sum, (X, X[::-1].copy())),
    (single_precision, (X.astype(np.float32),)),
    (complex_result, (0.4 - 0.3j,)),
    (several_results, (X, 1.5)),
    (integer_powers, (0.9, 4)),
    (by_text_of_a_tuple, (X, ("exponential", 2.0))),
    (chosen_by_a_flag, (X, X[::-1].copy(), True)),
]


@pytest.mark.parametrize(("function", "arguments"), PROGRAMS, ids=lambda part: getattr(part, "__name__", ""))
def test_both_ways_agree(function, arguments):
    _nrt_python.memsys_enable_stats()
    assert differences(function, arguments) == []


@numba.njit
def raises_below_zero(x):
    total = x * x
    if total < 1.0:
        raise KeyError("too small")
    return total


def test_an_exception_names_the_line_of_the_user():
    gradient = fg.grad(raises_below_zero)
    assert gradient(2.0) == 4.0
    with pytest.raises(KeyError, match="too small") as error:
        gradient(0.5)
    last = traceback.extract_tb(error.value.__traceback__)[-1]
    assert last.filename == __file__
    assert last.line == 'raise KeyError("too small")'


def function_in_file(path, line):
    """Returns a function that a file defines, with the line at which it raises KeyError."""
    text = "def f(x):\n    if x * x < 1.0:\n        raise KeyError('small')\n    return x * x\n"
    scope = {}
    exec(compile("\n" * line + text, path, "exec"), scope)
    return numba.njit(scope["f"]), line + 3


@pytest.mark.parametrize("has_new_process", [False, True])
def test_an_exception_names_the_line_of_the_function_where_others_have_the_same_text(
    monkeypatch, tmp_path, has_new_process
):
    monkeypatch.setenv("FASTGRAD_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(dispatcher_cache, "COMPILED", dispatcher_cache.RecentlyUsed())
    for path, first in [("/one/file.py", 0), ("/another/file.py", 0), ("/one/file.py", 5), ("/another/file.py", 0)]:
        if has_new_process:
            dispatcher_cache.COMPILED = dispatcher_cache.RecentlyUsed()
        f, line = function_in_file(path, first)
        for derivative in (fg.grad(f), lambda x, f=f: fg.jvp(f)(x, 1.0)):
            with pytest.raises(KeyError, match="small") as error:
                derivative(0.5)
            last = traceback.extract_tb(error.value.__traceback__)[-1]
            assert (last.filename, last.lineno) == (path, line)


def test_code_that_is_refused_is_compiled_from_its_text(monkeypatch, tmp_path):
    monkeypatch.setenv("FASTGRAD_CACHE_DIR", str(tmp_path))

    def refuse(self, fndesc):
        raise code_compiler.NotEmittedError("refused by a test")

    monkeypatch.setattr(code_compiler.CodeLower, "lower_normal_function", refuse)
    monkeypatch.setattr(code_compiler, "NOT_EMITTED", [])
    assert fg.grad(lambda x: x * x * 3.25)(2.0) == 13.0
    assert [reason for _, reason in code_compiler.NOT_EMITTED]


def test_the_text_route_is_compiled_without_emission(monkeypatch):
    def fail(self, fndesc):
        raise AssertionError

    monkeypatch.setattr(code_compiler.CodeLower, "lower_normal_function", fail)
    with compiled_from_text():
        assert fg.grad(lambda x: x * x * 4.25)(2.0) == 17.0


def test_a_variable_is_kept_for_a_block_that_is_reached_before_it_is_written_again():
    array, count = code.Variable("array"), code.integer("count")

    def use():
        return code.Evaluate(code.call("use", array))

    def make():
        return code.assign(array, code.call("make"))

    first, second, last = use(), make(), use()
    blocks = {
        0: [make(), code.Jump(1)],
        1: [first, code.If(count > 0, [code.Jump(2)]), second, code.Jump(3)],
        2: [last, code.Return(count)],
        3: [code.Return(count)],
    }
    lifetimes = Lifetimes(code.Code("function", [count], [], blocks))
    dead = [[*lifetimes.dead_after(statement)] for statement in (first, second, last)]
    assert dead == [[], ["array"], ["array"]]
    assert not [number for number in blocks if [*lifetimes.dead_on_entry(number)]]


def test_a_variable_is_dropped_on_the_way_that_does_not_read_it():
    array, count = code.Variable("array"), code.integer("count")
    blocks = {
        0: [
            code.assign(array, code.call("make")),
            code.If(count > 0, [code.Jump(1)]),
            code.Evaluate(code.call("use", array)),
            code.Jump(2),
        ],
        1: [code.Jump(2)],
        2: [code.Return(count)],
    }
    lifetimes = Lifetimes(code.Code("function", [count], [], blocks))
    assert [[*lifetimes.dead_on_entry(number)] for number in blocks] == [[], ["array"], []]
