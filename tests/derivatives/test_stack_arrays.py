"""Arrays in the stack frame of a derivative: which arrays these are, and that gradients do not depend on it."""

import numba
import numpy as np
import pytest
from numba.core.runtime._nrt_python import memsys_enable_stats

import fastgrad as fg
from fastgrad._src.derivatives import derivation
from fastgrad._src.derivatives.codegen import code_emission, stack_arrays
from fastgrad._src.derivatives.codegen.stack_arrays import stack_allocations
from fastgrad._src.derivatives.output.tree import tuple_of
from fastgrad._src.derivatives.transform.reverse_mode import ReverseMode
from tests.derivatives.both_ways import references_left

X = np.array([0.3, -0.7, 1.1])


@numba.njit
def of_constant_size(x):
    total = 0.0
    for i in range(x.size):
        powers = np.full(20, x[i])
        total += (powers * powers).sum()
    return total


@numba.njit
def of_any_size(x):
    total = 0.0
    for i in range(3):
        scaled = np.sqrt(x * x + i)
        total += (scaled * scaled[::-1]).sum()
    return total


@numba.njit
def of_many_elements(x):
    table = np.zeros((12, 12))
    for i in range(12):
        table[i] = x[0] * i
    return (table * table).sum()


@numba.njit
def carried(x):
    state = np.zeros(20)
    for i in range(3):
        state = np.sin(state) + x[i]
    return state.sum()


@numba.njit
def returned(x):
    result = np.zeros(3)
    result[0] = x[0] * x[1]
    return result


@numba.njit
def first_of_a_view(x):
    table = np.zeros((2, 12))
    table[1, 2] = x[0] ** 2
    row = table[1]
    return row[2] * x[1]


@numba.njit
def product_of_a_row(x):
    total = 0.0
    for i in range(3):
        table = np.zeros((9, 9))
        table[1, i] = x[i]
        total += (table[1] @ table).sum()
    return total


def variables_on_the_stack(function):
    """Returns the room of the function's own arrays on the stack, by their names."""
    lowered, flow = derivation.lowered_function(function, (numba.typeof(X),), is_reverse=True)
    derivative = ReverseMode(lowered, flow, (0,), None).derivative(
        lambda value, cotangents: tuple_of([value, *cotangents])
    )
    found = stack_allocations(derivative.code)
    return {statement.target.name: room for statement, room in found.items() if statement.target.name.startswith("v_")}


def test_arrays_on_the_stack():
    assert set(variables_on_the_stack(of_constant_size).values()) == {20}
    assert set(variables_on_the_stack(of_any_size).values()) == {stack_arrays._ROOM}
    assert set(variables_on_the_stack(first_of_a_view).values()) == {24}
    assert set(variables_on_the_stack(product_of_a_row).values()) == {81, 9}


@pytest.mark.parametrize("function", [of_many_elements, returned], ids=lambda function: function.__name__)
def test_arrays_on_the_heap(function):
    assert variables_on_the_stack(function) == {}


def test_an_array_that_the_next_iteration_reads_is_on_the_heap():
    lowered, _ = derivation.lowered_function(carried, (numba.typeof(X),), is_reverse=True)
    phis = [phi for block in lowered.blocks for phi in block.phis if phi.target.roots]
    sources = {view.root.term.name for phi in phis for view in phi.incoming.values()}
    assert sources
    assert not sources & variables_on_the_stack(carried).keys()


FUNCTIONS = [of_constant_size, of_any_size, of_many_elements, carried, returned, first_of_a_view, product_of_a_row]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_gradients_have_the_same_bits(function, monkeypatch):
    def derivatives(function):
        value, pull = fg.vjp(function, X)
        return [np.asarray(value), pull(np.ones(value.shape) if np.ndim(value) else 1.0)]

    on_stack = derivatives(function)
    monkeypatch.setattr(code_emission, "stack_allocations", lambda written: {})
    on_heap = derivatives(numba.njit(recompiled(function)))
    for first, second in zip(on_stack, on_heap, strict=True):
        np.testing.assert_array_equal(np.asarray(first), np.asarray(second))


def recompiled(function):
    """Returns a function of other code, so that nothing that is compiled or on disk has its derivative."""
    python_function = function.py_func
    code = python_function.__code__.replace(co_name=f"{python_function.__name__}_on_the_heap")
    return type(python_function)(code, python_function.__globals__, code.co_name)


@pytest.mark.parametrize("size", [0, 1, stack_arrays._ROOM, stack_arrays._ROOM + 1, 1000])
def test_sizes_about_the_room_of_the_stack(size):
    x = np.linspace(0.5, 1.5, size)
    value, gradient = fg.value_and_grad(of_any_size)(x)
    assert value == pytest.approx(of_any_size.py_func(x), rel=1e-12)
    roots = [np.sqrt(x * x + i) for i in range(3)]
    expected = sum([2.0 * root[::-1] * x / np.where(root == 0.0, 1.0, root) for root in roots], np.zeros(size))
    np.testing.assert_allclose(gradient, expected, rtol=1e-12)


def test_sizes_whose_product_overflows_are_an_error():
    @numba.njit
    def function(x, n):
        table = np.empty((n, n))
        table[0, 0] = x
        return table[0, 0]

    assert fg.grad(function)(1.5, 3) == 1.0
    with pytest.raises((ValueError, MemoryError)):
        fg.grad(function)(1.5, 1 << 32)


def test_a_function_that_calls_itself_has_its_arrays_on_the_heap():
    @numba.njit
    def function(x, depth):
        pair = np.array([x, 1.0])
        if depth == 0:
            return pair[0] * pair[1]
        return function(pair[0], depth - 1) + 1e-4 * pair[1] * x

    assert fg.grad(function)(1.0, 2000) == pytest.approx(1.0 + 2000 * 1e-4)


@numba.njit
def exchanged(x):
    first, second = x * 1.0, np.zeros(x.size)
    for _ in range(3):
        first, second = np.sin(second) + x, first
    chosen = first if first[0] > second[0] else second
    return (chosen * x).sum()


@pytest.mark.parametrize("function", [*FUNCTIONS, exchanged], ids=lambda function: function.__name__)
@pytest.mark.parametrize("size", [3, 50])
def test_no_reference_is_left(function, size):
    x = np.linspace(0.5, 1.5, size)

    def derivatives():
        value, pull = fg.vjp(function, x)
        pull(np.ones(value.shape) if np.ndim(value) else 1.0)
        fg.jvp(function, (x,), (np.ones(size),))

    memsys_enable_stats()
    assert references_left(derivatives) == 0
