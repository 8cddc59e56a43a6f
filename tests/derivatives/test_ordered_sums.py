"""Loops with sums have vector code in derivatives, with the bits of the function's own order."""

import math

import llvmlite.binding as llvm
import numba
import numpy as np
import pytest

import fastgrad as fg
from fastgrad._src.jit import ordered_sums
from fastgrad._src.jit.numba_internals import cpu_target
from tests.derivatives.interpreted import value_and_gradients
from tests.derivatives.plain_python import INTERPRETED

DRAWN = np.random.default_rng(0)
SIZES = (0, 1, 3, 4, 7, 8, 9, 16, 31, 33, 64, 131)


@numba.njit
def of_exponentials(x, y):
    total = 0.0
    for i in range(len(x)):
        total += math.exp(x[i] - y[i])
    return total


@numba.njit
def of_squares(x, y):
    total = -0.0
    for i in range(len(x)):
        total += (x[i] - y[i]) ** 2
    return total


@numba.njit
def of_a_difference(x, y):
    total = 1.0
    for i in range(len(x)):
        total -= x[i] * y[i]
    return total


@numba.njit
def of_every_second(x, y):
    total = 0.0
    for i in range(0, len(x), 2):
        total += x[i] * y[len(y) - 1 - i]
    return total


@numba.njit
def of_those_that_are_positive(x, y):
    total = 0.0
    for i in range(len(x)):
        if x[i] > 0.0:
            total += x[i] * y[i]
    return total


@numba.njit
def two_sums(x, y):
    total, product = 0.0, 1.0
    for i in range(len(x)):
        total += x[i] / (2.0 + abs(y[i]))
        product *= 1.0 + 0.01 * y[i]
    return total * product


@numba.njit
def from_the_end(x, y):
    total = 0.0
    for i in range(len(x)):
        total += x[-1 - i] * y[i - 1]
    return total


@numba.njit
def of_running_places(x, y):
    total, place = 0.0, 0
    for row in range(len(x)):
        for _ in range(row % 3):
            total += y[row] * x[place]
            place += 1
        place //= 2
    return total


FUNCTIONS = [
    *(of_exponentials, of_squares, of_a_difference, of_every_second, of_those_that_are_positive, two_sums),
    *(from_the_end, of_running_places),
]


def bits(number):
    return np.asarray(number).tobytes()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_values_have_the_bits_of_the_function(function, dtype):
    derivative = fg.value_and_grad(function, argnums=(0, 1))
    tangent = fg.jvp(function)
    for size in SIZES:
        x, y = (DRAWN.normal(size=size) * 10.0 ** DRAWN.integers(-3, 2, size) for _ in range(2))
        x, y = x.astype(dtype), y.astype(dtype)
        expected = function(x, y)
        value, gradients = derivative(x, y)
        assert bits(value) == bits(expected)
        value, slope = tangent(x, y, x)
        assert bits(value) == bits(expected)
        sizes = sum(np.abs(gradients[0].astype(float) * x.astype(float)))
        assert abs(slope - np.dot(gradients[0].astype(float), x)) <= 100 * np.finfo(dtype).eps * (sizes + abs(slope))


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf, -0.0, 5e-324, 1e308])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_special_numbers_stay_where_they_are(function, special):
    derivative = fg.value_and_grad(function)
    for place in range(0, 33, 5):
        x, y = np.linspace(0.5, 2.0, 33), np.linspace(2.0, -1.0, 33)
        x[place] = special
        assert np.array_equal(derivative(x, y)[0], function(x, y), equal_nan=True)


MODULE = """
define double @f(ptr noalias %x, i64 %n) {
entry:
  br label %loop
loop:
  %i = phi i64 [0, %entry], [%next, %loop]
  %sum = phi double [0.0, %entry], [%more, %loop]
  %from = getelementptr inbounds double, ptr %x, i64 %i
  %number = load double, ptr %from
  %square = fmul double %number, %number
  %root = call double @llvm.sqrt.f64(double %square)
  %quotient = fdiv double %root, %square
  %more = fadd double %sum, %quotient
  %next = add nuw nsw i64 %i, 1
  %goes_on = icmp slt i64 %next, %n
  br i1 %goes_on, label %loop, label %end
end:
  ret double %more
}
declare double @llvm.sqrt.f64(double)
"""


def optimized():
    """Returns a module with a sum after LLVM's passes."""
    codegen = cpu_target.target_context.codegen()
    module = llvm.parse_assembly(MODULE)
    module.triple, module.data_layout = codegen._tm.triple, codegen._data_layout
    passes, builder = codegen._module_pass_manager(opt=3, loop_vectorize=True)
    passes.run(module, builder)
    return str(module)


def test_only_derivatives_have_it():
    triple = cpu_target.target_context.codegen()._tm.triple
    before = optimized()
    if triple.startswith("x86_64"):
        assert "@llvm.vector.reduce.fadd" not in before
    with ordered_sums.vector_code(triple):
        assert "@llvm.vector.reduce.fadd" in optimized()
    assert optimized() == before
    fg.grad(of_squares)(np.ones(3), np.zeros(3))
    assert optimized() == before


def test_other_processors_keep_their_own_choice(monkeypatch):
    monkeypatch.setattr(ordered_sums.llvm, "set_option", lambda name, option: pytest.fail("the option was set"))
    with ordered_sums.vector_code("aarch64-unknown-linux-gnu"):
        pass


@numba.njit
def log_sum_exp(x):
    largest = x[0]
    for i in range(1, len(x)):
        largest = max(largest, x[i])
    total = 0.0
    for i in range(len(x)):
        total += math.exp(x[i] - largest)
    return math.log(total) + largest


def test_cotangents_that_many_iterations_add_to_are_right_and_the_same_each_time():
    gradient = fg.grad(log_sum_exp)
    for size in (1, 2, 8, 33, 1000, 100_003):
        x = DRAWN.normal(size=size)
        first = gradient(x)
        powers = np.exp(x - x.max())
        np.testing.assert_allclose(first, powers / powers.sum(), rtol=1e-12, atol=1e-13)
        assert bits(gradient(x.copy())) == bits(first)


def test_the_text_run_by_python_refuses_an_index_that_counts_from_the_end():
    with pytest.raises(IndexError, match="does not count from the start"):
        INTERPRETED["unsigned"](-1)
    x, y = np.linspace(0.5, 2.0, 7), np.linspace(2.0, -1.0, 7)
    assert value_and_gradients(from_the_end, (x, y), 1.0)[0] == from_the_end(x, y)
