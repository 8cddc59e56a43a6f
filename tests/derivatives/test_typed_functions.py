"""A function is typed once for its derivatives, and again when something that it reaches has changed."""

import enum
import gc
import types
import weakref
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest
from numba.extending import overload

import fastgrad as fg
from fastgrad._src.derivatives.codegen.extensions import Extensions
from fastgrad._src.derivatives.codegen.inferred_overloads import called_functions
from fastgrad._src.derivatives.frontend import typed_functions
from fastgrad._src.derivatives.frontend.lowering import lower

WEIGHTS = np.array([2.0, 3.0])
PAIR = (WEIGHTS, 1.0)
FACTOR = 2.0
SCALE = np.float32(2.5)
settings = types.ModuleType("settings_of_a_user")
settings.factor, settings.weights, settings.inner = 2.0, np.array([2.0, 1.0]), types.ModuleType("inner_of_a_user")
settings.inner.factor = 3.0


@numba.njit
def scaled(x):
    return FACTOR * x


def weighted(x):
    return WEIGHTS[0] * x * x


def weighted_by_pair(x):
    return PAIR[0][0] * x * x


def of_scaled(x):
    return scaled(x) * x


def slope(function, x=1.0):
    """Returns a derivative that shares no text with `fg.grad`."""
    return fg.jvp(function, (x,), (1.0,))[1]


@pytest.fixture
def typed_names(monkeypatch):
    """The names of the functions of users that are typed, in order."""
    names = []
    type_function = typed_functions._typed_function

    def noted(function, argument_types):
        names.append(function.__name__)
        return type_function(function, argument_types)

    monkeypatch.setattr(typed_functions, "_typed_function", noted)
    return names


def test_derivatives_of_a_function_share_its_types(typed_names):
    def callee(x):
        return np.sin(x) * x

    compiled = numba.njit(callee)

    def function(x):
        return compiled(x) + compiled(2.0 * x)

    for _ in range(2):  # derivatives on disk are not derived
        lower(function, (numba.float64,))
    assert [name for name in typed_names if name in ("function", "callee")] == ["function", "callee"]


@pytest.mark.parametrize("name", ["WEIGHTS", "PAIR"])
def test_an_equal_array_in_the_place_of_one_that_changes_later(name, monkeypatch):
    first = np.array([2.0, 3.0])
    function = weighted if name == "WEIGHTS" else weighted_by_pair
    monkeypatch.setitem(globals(), name, first if name == "WEIGHTS" else (first, 1.0))
    assert fg.grad(function)(1.0) == 4.0
    second = first.copy()
    first[0] = 50.0
    monkeypatch.setitem(globals(), name, second if name == "WEIGHTS" else (second, 1.0))
    assert slope(function) == 4.0


@pytest.mark.filterwarnings("ignore:Setting the dtype:DeprecationWarning")  # NumPy 2.5
def test_an_array_whose_elements_or_dtype_change(monkeypatch):
    monkeypatch.setitem(globals(), "WEIGHTS", np.array([4.0, 3.0]))
    assert fg.grad(weighted)(1.0) == 8.0
    WEIGHTS[0] = 7.0
    assert slope(weighted) == 14.0
    WEIGHTS.dtype = np.int64
    WEIGHTS[0] = 5
    assert fg.hvp(weighted)(1.0, 1.0) == 10.0


def test_a_number_that_a_callee_reads_changes(monkeypatch):
    assert fg.grad(of_scaled)(1.0) == 4.0
    monkeypatch.setitem(globals(), "FACTOR", 5.0)
    assert slope(of_scaled) == 10.0
    monkeypatch.setitem(globals(), "FACTOR", 2)
    assert fg.hvp(of_scaled)(1.0, 1.0) == 4.0


def test_another_callee_of_equal_code():
    first, second = [numba.njit(lambda x, factor=factor: factor * x * x) for factor in (3.0, 4.0)]
    callee = first

    def function(x):
        return callee(x)

    assert fg.grad(function)(1.0) == 6.0
    callee = second
    assert slope(function) == 8.0


def test_an_extension_of_numba_counts():
    before = Extensions.count()

    def doubled(x):
        return 2.0 * x

    @overload(doubled)
    def _(x):
        return lambda x: 2.0 * x

    assert Extensions.count() > before
    assert fg.grad(lambda x: doubled(x) * x)(1.0) == 4.0


def test_a_numpy_number_of_another_dtype(monkeypatch):
    def function(x):
        return SCALE * x * x

    assert fg.grad(function)(1.0) == 5.0
    monkeypatch.setitem(globals(), "SCALE", np.float64(2.1))
    assert slope(function) == 4.2
    monkeypatch.setitem(globals(), "SCALE", np.int64(3))
    assert fg.hvp(function)(1.0, 1.0) == 6.0


def test_attributes_of_a_module_change(monkeypatch):
    def function(x):
        return settings.factor * x * x + settings.weights[0] * x + settings.inner.factor * x

    assert fg.grad(function)(1.0) == 9.0
    monkeypatch.setattr(settings, "factor", 5.0)
    monkeypatch.setattr(settings.inner, "factor", 1.0)
    assert slope(function) == 13.0
    first = settings.weights
    monkeypatch.setattr(settings, "weights", first.copy())
    first[0] = 77.0
    assert fg.value_and_grad(function)(1.0) == (8.0, 13.0)


def test_a_function_of_the_same_name_and_types_of_its_variables():
    @numba.njit
    def callee(x):
        return 2.5 * x

    def function(x):
        return callee(x) * x

    assert fg.grad(function)(1.0) == 5.0

    @numba.njit
    def callee(x):  # noqa: F811 - the next definition of the same cell
        y = 7.5 * x
        return y  # noqa: RET504 - its type is given below

    assert slope(function) == 15.0
    callee = numba.njit(callee.py_func, locals={"y": numba.int64})
    assert fg.value_and_grad(function)(1.0)[0] == 7.0


def test_an_equal_array_in_the_cell_of_one_that_changes_later():
    factor, array = 2.0, np.array([3.0])
    first = array

    def function(x):
        return factor * x * x + array[0] * x

    assert fg.grad(function)(1.0) == 7.0
    factor, array = 4.0, first.copy()
    first[0] = 50.0
    assert slope(function) == 11.0


def test_a_view_whose_base_changes():
    base = np.array([1.0, 2.0, 3.0])
    view = base[1:]

    def function(x):
        return view[0] * x * x

    assert fg.grad(function)(1.0) == 4.0
    base[1] = 10.0
    assert slope(function) == 20.0


def test_an_enumeration_of_the_same_name():
    class Kind(enum.IntEnum):
        SMALL = 2
        LARGE = 3

    chosen = Kind.SMALL

    def function(x):
        return x * x * (2.0 if chosen == Kind.SMALL else 5.0)

    assert fg.grad(function)(1.0) == 4.0

    class Kind(enum.IntEnum):
        SMALL = 3
        LARGE = 2

    assert slope(function) == 10.0


def test_an_argument_of_a_class_that_is_defined_again():
    def defined(field):
        @numba.experimental.jitclass({"weight": field})
        class Model:
            def __init__(self, weight):
                self.weight = weight

        return Model

    def function(x, model):
        return model.weight * x * x / 2

    assert fg.grad(function)(1.0, defined(numba.int64)(3)) == 3.0
    assert fg.value_and_grad(function)(1.0, defined(numba.float64)(3.5)) == (1.75, 3.5)


def test_an_implementation_that_is_registered_later():
    def scaled_by_user(x):
        return x

    def function(x):
        return scaled_by_user(x) * x

    with pytest.raises(numba.TypingError):
        fg.grad(function)(1.0)

    @overload(scaled_by_user)
    def _(x):
        return lambda x: 4.0 * x

    assert slope(function) == 8.0


def test_threads_that_differentiate_one_function():
    factor = 3.0

    def function(x):
        return factor * x * x + np.sin(x)

    derivatives = [fg.grad(function), lambda x: slope(function, x), lambda x: fg.value_and_grad(function)(x)[1]]
    with ThreadPoolExecutor(6) as threads:
        slopes = list(threads.map(lambda derivative: derivative(0.0), 2 * derivatives))
    assert slopes == [1.0] * 6


def test_what_a_function_calls_is_not_kept_alive():
    def defined():
        large = np.ones(3)

        @numba.njit
        def callee(x):
            return x * large[0]

        def function(x):
            return callee(x)

        return function, callee

    function, callee = defined()
    assert set(called_functions(function)) == {callee}
    references = [weakref.ref(function), weakref.ref(callee)]
    del function, callee
    gc.collect()
    assert [reference() for reference in references] == [None, None]
