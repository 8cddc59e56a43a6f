"""The parts of rows that kernels and reports read agree with ``run``."""

from __future__ import annotations

import functools
import math
import operator

import numpy as np
import pytest

from fastgrad import linalg, nn, random  # noqa: F401  # whose rows are in the table once they are imported
from fastgrad._src.core.operation import TABLE, Binary, Form, operation
from fastgrad._src.kernels.runtime.launch import Launches
from fastgrad._src.scalars.formulas import FUNCTION_COST

COMBINATIONS = {"sum": operator.add, "product": operator.mul, "greatest": max, "least": min}
REDUCERS = {name: row.lowering.reducer for name, row in TABLE.items() if row.lowering.reducer is not None}
SLOPES = {
    name: row.lowering.elementwise.derivative
    for name, row in TABLE.items()
    if row.lowering.elementwise.derivative is not None
}


def reduced(name: str, elements: list[float]) -> float:
    """The reduction of numbers by the expressions of a row's reducer, as in a kernel."""
    reducer = REDUCERS[name]
    names = {"math": math, "float64": float, "reduced": len(elements)}
    before = [eval(reducer.element_code.format(f"({x!r})"), names) for x in elements]
    total = functools.reduce(COMBINATIONS[reducer.combine], before)
    return eval(reducer.result_code.format(f"({total!r})", number="float64"), names)


@pytest.mark.parametrize("name", REDUCERS)
@pytest.mark.parametrize("size", [1, 5])
def test_the_reducer_computes_the_reduction(name, size):
    row = TABLE[name]
    takes_booleans = np.dtype(bool) in row.dtypes
    x = np.array([True, False, True, True, False] if takes_booleans else [-1.5, 2.0, 0.5, -3.0, 4.0])[:size]
    options = {} if name == "finite_maximum" else {"keepdims": False}
    result = row.run(x, axes=(0,), **options)
    assert row.form is Form.REDUCE
    np.testing.assert_allclose(reduced(name, x.tolist()), np.ravel(result)[0], rtol=1e-15)
    if size == 1 and REDUCERS[name].is_identity_on_one_element:
        assert np.ravel(result)[0] == x[0]


def test_one_reducer_is_the_sum_itself():
    assert [name for name, reducer in REDUCERS.items() if reducer.is_sum] == ["reduce_sum"]


@pytest.mark.parametrize("name", SLOPES)
def test_the_slope_is_the_derivative(name):
    row, slope, x, step = TABLE[name], SLOPES[name], np.linspace(-3.0, 3.0, 13), 1e-6
    if isinstance(row, Binary):
        np.testing.assert_allclose(row.run(np.full(13, 2.0), x), 2.0 * slope.run(x), rtol=1e-14)
    else:
        difference = (row.run(x + step) - row.run(x - step)) / (2 * step)
        np.testing.assert_allclose(slope.run(x), difference, atol=1e-8)


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row.lowering.index_map.keeps_order])
def test_an_alias_has_the_elements_of_its_input_in_order(name):
    x = np.arange(6.0).reshape(2, 3)
    attributes = {"shape": (3, 2)} if name == "reshape" else {}
    y = TABLE[name].run(x, **attributes)
    assert np.shares_memory(x, y)
    np.testing.assert_array_equal(y.ravel(), x.ravel())


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row.lowering.partial_update == "positions"])
def test_an_update_at_positions_leaves_the_other_elements(name):
    x, positions, updates = np.arange(1.0, 7.0), np.array([[1], [4]]), np.array([7.0, -7.0])
    options = {"what": "scatter", "kind": "positions", "into": "add"}
    y = TABLE[name].run(x, positions, updates, **(options if name == "scatter_into_variable" else {"strict": True}))
    np.testing.assert_array_equal(np.delete(y, positions), np.delete(x, positions))
    assert (y != x).any()


def test_the_gradients_of_a_convolution_cost_as_much_as_the_convolution():
    window = {"strides": (1, 1), "padding": ((0, 0), (0, 0)), "dilations": (1, 1)}
    x, w, y = np.ones((2, 6, 6, 3)), np.ones((3, 3, 3, 4)), np.ones((2, 4, 4, 4))
    flops = [
        TABLE["convolution"].lowering.flops((x, w), (y,), **window),
        TABLE["convolution_backprop_input"].lowering.flops((y, w), (x,), input_shape=(6, 6, 3), **window),
        TABLE["convolution_backprop_filter"].lowering.flops((x, y), (w,), filter_shape=w.shape, **window),
    ]
    assert flops == [2 * (2 * 4 * 4) * (3 * 3 * 3 * 4)] * 3


def test_the_arithmetic_of_recurrent_layers_and_attention_is_that_of_their_products():
    """With FUNCTION_COST for each activation and exponential."""
    steps, batch, units = 5, 4, 8
    gates, recurrent = np.ones((steps, batch, 4 * units)), np.ones((units, 4 * units))
    forward = TABLE["lstm"].lowering.flops((gates, recurrent), ())
    assert forward == steps * batch * 4 * units * (2 * units + FUNCTION_COST)
    backward = TABLE["lstm_gradient"].lowering.flops((gates, gates, recurrent), (gates,), has=(False,))
    assert backward == pytest.approx(steps * batch * 4 * units * 2 * units, rel=0.6)
    q, k = np.ones((2, 6, 3, 16)), np.ones((2, 7, 3, 16))
    scores = 2 * 3 * 6 * 7
    whole = TABLE["attention"].lowering.flops((q, k, k), (), causal=False)
    assert whole == scores * (2 * 2 * 16 + FUNCTION_COST)
    assert TABLE["attention"].lowering.flops((q, k, k), (), causal=True) == whole // 2
    assert TABLE["attention_gradient"].lowering.flops((q, q, q, q, q, k, k), (), causal=False) > 2 * whole


@pytest.mark.parametrize(
    "name", [name for name, row in TABLE.items() if row.lowering.launches_with_epilogue is not None]
)
def test_kernels_with_an_epilogue_are_those_of_products_and_convolutions(name):
    row = TABLE[name]
    assert row.form in {Form.CONTRACT, Form.CONVOLVE}
    if row.form is Form.CONTRACT:
        x, attributes = np.ones((64, 64), np.float32), {"transpose_a": False, "transpose_b": False}
    else:
        x, attributes = np.ones((1, 8, 8, 8), np.float32), {"strides": (1, 1), "padding": ((0, 0), (0, 0))}
        attributes["dilations"] = (1, 1)
    b = x if row.form is Form.CONTRACT else np.ones((1, 1, 8, 8), np.float32)
    launches = row.lowering.launches_with_epilogue((x, b), (x,), following=None, **attributes)
    assert launches is None if name == "wide_product" else isinstance(launches, Launches)


def test_a_row_refuses_unknown_parts():
    with pytest.raises(TypeError, match="has no part 'reduser'"):
        operation("a name that no row has", Form.REDUCE, run=np.sum, reduser=None)
    assert "a name that no row has" not in TABLE
