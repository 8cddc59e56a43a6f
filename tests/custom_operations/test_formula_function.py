"""Functions that kernels call, from the formulas of users' scalar functions."""

import linecache
import math

import numpy as np

from fastgrad._src.custom_operations.formula_function import formula_function, formulas_of


def smooth(x, slope):
    y = math.tanh(x) * (1 - slope)
    return (0.5 * y if y > 0 else slope * y), x


def halved(x):
    while x > 1.0:
        x = x / 2.0
    return x


def test_numbers_have_the_dtype_of_the_arguments_and_functions_are_those_of_kernels():
    found = formula_function("smooth", formulas_of(smooth))
    for name, function in found.functions_by_dtype.items():
        code = function.__code__
        source = "".join(linecache.getlines(code.co_filename))
        assert source.startswith("def smooth(x0, x1):")
        assert f"{name}(0.5)" in source
        assert f"{name}(1.0)" in source
        assert {"float32", "float64"} & set(code.co_names) == {name}
        assert "tanh" in code.co_names
        assert "math" not in code.co_names


def test_each_result_is_what_the_function_returns():
    first, second = formulas_of(smooth)["float64"]
    for x, slope in ((0.5, 0.25), (-2.0, 0.75)):
        arguments = np.array([x]), np.array([slope])
        np.testing.assert_allclose([first.run(*arguments)[0], second.run(*arguments)[0]], smooth(x, slope), rtol=1e-15)


def test_loops_that_go_on_by_values_have_no_formula():
    assert formulas_of(halved) is None
