"""The functions that a differentiated function calls are compiled when their code is needed, and then work as all others."""

import math
import threading

import numba
import numpy as np
import pytest
from numba.core import event

import fastgrad as fg
from fastgrad._src.derivatives.codegen.inferred_overloads import InferredOverload, is_compiling_derivative
from fastgrad._src.jit.numba_internals import JITCodeLibrary

pytestmark = pytest.mark.usefixtures("no_kept_derivatives")  # a derivative that is loaded infers nothing


@numba.njit
def _square(x):
    return x * x


@numba.njit
def _half(n):
    return n // 2


@numba.njit
def _ratio(x, y):
    return x / y


@numba.njit
def _factorial(n):
    return 1.0 if n < 2 else n * _factorial(n - 1)


@numba.njit
def _numbers(n):
    for i in range(n):
        yield i * 0.5


def _fresh(dispatcher):
    """Returns a dispatcher of the same function without compiled code."""
    return numba.njit(dispatcher.py_func)


def _compiled_names(call):
    """Returns the names of the functions that Numba compiles in a call."""

    class Names(event.Listener):
        def __init__(self):
            self.names = []

        def on_start(self, event):
            self.names.append(event.data["dispatcher"].py_func.__name__)

        def on_end(self, event):
            pass

    listener = Names()
    with event.install_listener("numba:compile", listener):
        call()
    return listener.names


def test_a_callee_whose_derivative_runs_is_not_compiled():
    square = _fresh(_square)

    loss = numba.njit(lambda x: square(x) + square(2.0 * x))
    assert "_square" not in _compiled_names(lambda: fg.grad(loss)(3.0))
    assert fg.grad(loss)(3.0) == 30.0
    assert [type(overload) for overload in square.overloads.values()] == [InferredOverload]
    assert not is_compiling_derivative()


def test_such_a_callee_works_from_python_and_from_other_functions():
    square = _fresh(_square)

    @numba.njit
    def loss(x):
        return square(x)

    assert fg.grad(loss)(3.0) == 6.0
    assert numba.njit(lambda x: square(x) + 1.0)(3.0) == 10.0  # by Numba's own compilation of a caller
    assert square(4.0) == 16.0
    assert square.signatures == [(numba.float64,)]
    assert not any(isinstance(overload, InferredOverload) for overload in square.overloads.values())
    assert square(5) == 25
    assert fg.grad(loss)(2.0) == 4.0


def test_its_llvm_ir_can_be_shown():
    square = _fresh(_square)
    fg.grad(numba.njit(lambda x: 3.0 * square(x)))(1.0)
    assert "fmul double" in square.inspect_llvm((numba.float64,))


def test_a_callee_that_a_derivative_calls_itself_is_a_part_of_it():
    half = _fresh(_half)

    @numba.njit
    def loss(x, n):
        total = 0.0
        for _ in range(half(n)):
            total += x * x
        return total

    assert "_half" not in _compiled_names(lambda: fg.grad(loss)(3.0, 5))
    assert fg.grad(loss)(3.0, 7) == 18.0
    assert half(9) == 4


@pytest.mark.parametrize("from_python_first", [False, True])
def test_a_callee_keeps_its_error_model(from_python_first):
    """A derivative returns inf for a division by 0. The callee raises ZeroDivisionError when it is called by itself."""
    ratio = _fresh(_ratio)

    @numba.njit
    def loss(x, y):
        return ratio(x, y)

    if from_python_first:
        ratio(1.0, 2.0)
    assert fg.grad(loss)(1.0, 4.0) == 0.25
    with pytest.raises(ZeroDivisionError):
        ratio(1.0, 0.0)
    with pytest.raises(ZeroDivisionError):
        numba.njit(lambda x: ratio(x, 0.0))(1.0)


def test_callees_that_call_themselves():
    loss = numba.njit(lambda x, n: x * _factorial(n))
    assert fg.grad(loss)(2.0, 4) == 24.0
    assert _factorial(5) == 120.0


def test_generators_are_compiled_at_once():
    numbers = _fresh(_numbers)

    @numba.njit
    def loss(x, n):
        total = 0.0
        for step in numbers(n):
            total += step * x
        return total

    assert fg.grad(loss)(2.0, 3) == 1.5
    assert loss(2.0, 3) == 3.0


def test_a_callee_that_numba_refuses_tells_the_same_error():
    wrong = numba.njit(lambda x: x.no_such_attribute)

    @numba.njit
    def loss(x):
        return wrong(x)

    with pytest.raises(numba.core.errors.TypingError, match="no_such_attribute"):
        fg.grad(loss)(1.0)
    with pytest.raises(numba.core.errors.TypingError, match="no_such_attribute"):
        wrong(1.0)


def test_other_threads_compile_as_ever():
    results, stop = [], threading.Event()

    def compile_others():
        while not stop.is_set():
            results.append(numba.njit(lambda x: math.sin(x) * 2.0)(1.0))

    thread = threading.Thread(target=compile_others)
    thread.start()
    try:
        for scale in (1.0, 2.0, 3.0):
            square = _fresh(_square)
            assert fg.grad(numba.njit(lambda x, square=square, scale=scale: square(x) * scale))(2.0, square, scale) == (
                4.0 * scale
            )
    finally:
        stop.set()
        thread.join()
    assert results
    assert set(results) == {math.sin(1.0) * 2.0}


def test_first_class_functions():
    square = _fresh(_square)
    double = numba.njit(lambda x: 2.0 * x)

    loss = numba.njit(lambda x: square(x) * double(x))
    assert fg.grad(loss)(1.0) == pytest.approx(6.0)
    chosen = numba.njit(lambda fs, i, x: fs[i](x))
    fs = numba.typed.List.empty_list(numba.types.FunctionType(numba.types.float64(numba.types.float64)))
    for function in (square, double):
        fs.append(function)
    assert chosen(fs, 0, 3.0) == 9.0
    assert chosen(fs, 1, 3.0) == 6.0


def test_array_callees_of_numpy():
    loss = numba.njit(lambda a, b: np.sum(np.linalg.solve(a, b)) + np.mean(b) * np.median(b))
    a, b = np.array([[2.0, 0.3], [0.1, 1.5]]), np.array([1.0, 2.0])
    gradient = fg.grad(loss, argnums=1)(a, b)
    step = 1e-6
    for i in range(2):
        shift = step * np.eye(2)[i]
        assert gradient[i] == pytest.approx((loss(a, b + shift) - loss(a, b - shift)) / (2 * step), rel=1e-6)
    twice = numba.njit(lambda a, b: 2.0 * np.linalg.solve(a, b))  # Numba's implementation, by itself
    assert np.linalg.norm(twice(a, b) - 2.0 * np.linalg.solve(a, b)) < 1e-14


@numba.njit(parallel=True)
def _sum_of_squares(x):
    total = 0.0
    for i in numba.prange(x.size):
        total += x[i] ** 2
    return total


def test_what_a_derivative_alone_calls_is_optimized_as_a_part_of_it(monkeypatch):
    names = []
    optimize = JITCodeLibrary._optimize_final_module

    def noted(library):
        names.append(library.name)
        optimize(library)

    monkeypatch.setattr(JITCodeLibrary, "_optimize_final_module", noted)
    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(fg.grad(_sum_of_squares)(x), 2.0 * x)
    assert any(name.startswith("derivative_of__sum_of_squares") for name in names)
    assert "chunk" not in names
    assert not [name for name in names if name.startswith(("augmented_", "reverse_"))]
