"""What users' functions reach: a changed value is noticed at the next call, eagerly and compiled."""

# ruff: noqa: PLW0108  # functions that only call another one are what is tested

from __future__ import annotations

import math
import random
import time
import types

import numba
import numpy as np
import pytest

import fastgrad as fg
from tests.gradients import gradient_of

SCALE = 2.0
CURVE = math.exp
SETTINGS = types.ModuleType("settings_of_a_user")


class Config:
    shift = 1.0

    def __init__(self, scale):
        self.scale = scale

    @property
    def doubled(self):
        return 2.0 * self.scale

    def shifted(self, x):
        return x + self.shift


CONFIG = Config(2.0)


def plain(x):
    return SCALE * x


helper = numba.njit(lambda x: SCALE * x)
outer_helper = numba.njit(lambda x: helper(x) + 1.0)


@numba.vectorize
def ufunc(x):
    return SCALE * x


inner = fg.elementwise(lambda x: SCALE * x)


@fg.elementwise
def inner_loop(x):
    while x < SCALE:
        x += SCALE
    return x


@fg.kernel("(n)->(n)")
@numba.njit
def scaled_items(x, out):
    for i in range(len(x)):
        out[i] = SCALE * x[i]


@fg.kernel("(n)->(n)")
@numba.njit
def helped_items(x, out):
    for i in range(len(x)):
        out[i] = outer_helper(x[i])


@fg.kernel("(n)->(n)")
def inner_items(x, out):
    for i in range(len(x)):
        out[i] = inner(x[i])


def native(function):
    """Returns an elementwise function that Numba compiles as it is: a loop that goes on by values has no formula."""

    @fg.elementwise
    def looped(x):
        rest = x
        while rest > 1.0:
            rest = rest / 2.0
        return function(x) + 0.0 * rest

    return looped


def called_in_branch(function):
    return lambda x: fg.cond(fg.reduce_sum(x) > 0.0, lambda: function(x), lambda: x)


def called_in_loop(function):
    return lambda x: fg.while_loop(lambda i, y: i < 1, lambda i, y: (i + 1, function(x)), (fg.constant(0), x))[1]


X = np.array([0.5, 1.5, 3.0])
GLOBAL_READERS = {
    "a global": (fg.elementwise(lambda x: SCALE * x), lambda x, scale: scale * x),
    "a plain function": (fg.elementwise(lambda x: plain(x)), lambda x, scale: scale * x),
    "a function of njit": (fg.elementwise(lambda x: outer_helper(x)), lambda x, scale: scale * x + 1),
    "a function of vectorize": (fg.elementwise(lambda x: ufunc(x)), lambda x, scale: scale * x),
    "an elementwise function": (fg.elementwise(lambda x: inner(x) + 1.0), lambda x, scale: scale * x + 1),
    "a plain function, compiled": (native(plain), lambda x, scale: scale * x),
    "a function of njit, compiled": (native(outer_helper), lambda x, scale: scale * x + 1),
    "an elementwise function, compiled": (native(inner), lambda x, scale: scale * x),
    "a loop of an elementwise function": (
        fg.elementwise(lambda x: inner_loop(x)),
        lambda x, scale: np.where(x < scale, x + scale * np.ceil((scale - x) / scale), x),
    ),
    "a kernel of njit": (scaled_items, lambda x, scale: scale * x),
    "helpers of a kernel of njit": (helped_items, lambda x, scale: scale * x + 1),
    "an elementwise function in a kernel": (inner_items, lambda x, scale: scale * x),
}
WAYS = {
    "eager": lambda function: function,
    "function": lambda function: fg.function(lambda x: function(x)),
    "function itself": fg.function,
    "layer": lambda function: fg.function(fg.keras.layers.Activation(function, dtype="float64")),
    "cond": lambda function: fg.function(called_in_branch(function)),
    "while_loop": lambda function: fg.function(called_in_loop(function)),
    "map_fn": lambda function: fg.function(lambda x: fg.map_fn(lambda row: function(row), x[None])[0]),
    "Dataset.map": lambda function: lambda x: next(iter(fg.data.Dataset.from_tensors(x).map(lambda y: function(y)))),
}


@pytest.mark.parametrize(
    ("reader", "way"),
    [
        *[(reader, way) for reader in GLOBAL_READERS for way in ("eager", "function")],
        *[(reader, way) for reader in ("a global", "a plain function, compiled", "a kernel of njit") for way in WAYS],
    ],
)
def test_a_changed_global_is_noticed(monkeypatch, reader, way):
    function, expected = GLOBAL_READERS[reader]
    call = WAYS[way](function)
    for scale in (2.0, 5.0, 2.0):
        monkeypatch.setitem(globals(), "SCALE", scale)
        for _ in range(3 if way != "eager" else 1):
            np.testing.assert_allclose(call(fg.constant(X)).numpy(), expected(X, scale), rtol=1e-12)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("wrap", [lambda function: fg.elementwise(function), native], ids=["formula", "Numba"])
def test_a_global_that_names_another_function_is_noticed(monkeypatch, wrap, compiled):
    function = wrap(lambda x: CURVE(x))
    call = fg.function(function) if compiled else function
    for curve in (math.exp, math.tanh, np.sin, plain, helper, inner, np.exp):
        monkeypatch.setitem(globals(), "CURVE", curve)
        for _ in range(3):
            np.testing.assert_allclose(call(fg.constant(X)).numpy(), [float(curve(x)) for x in X], rtol=1e-6)


@pytest.mark.parametrize("compiled", [False, True])
def test_attributes_of_objects_and_modules_are_noticed(compiled, monkeypatch):
    config = Config(2.0)
    SETTINGS.scale = 3.0

    @fg.elementwise
    def function(x):
        return config.shifted(x) * SETTINGS.scale + config.doubled * config.scale

    call = fg.function(function) if compiled else function

    def check():
        expected = (X + config.shift) * SETTINGS.scale + config.doubled * config.scale
        for _ in range(3):
            np.testing.assert_allclose(call(fg.constant(X)).numpy(), expected)

    check()
    config.scale = 5.0
    check()
    SETTINGS.scale = 7.0
    check()
    config.shift = -1.0
    check()
    monkeypatch.setattr(Config, "doubled", 1.5)
    check()


def test_a_global_that_hides_a_builtin_function_is_noticed(monkeypatch):
    function = fg.elementwise(lambda x: abs(x))
    assert function(-2.0).numpy() == 2
    monkeypatch.setitem(globals(), "abs", lambda x: x + 1.0)
    assert function(-2.0).numpy() == -1


@pytest.mark.parametrize("reader", [reader for reader in GLOBAL_READERS if "loop" not in reader])
def test_values_that_stay_equal_make_no_new_operation(monkeypatch, reader):
    function, _ = GLOBAL_READERS[reader]
    function(fg.constant(X))
    operation = function.operation
    monkeypatch.setitem(globals(), "SCALE", float("2.0"))
    function(fg.constant(X))
    assert function.operation is operation


def test_training_takes_a_changed_global(monkeypatch):
    def trained(scales, fit):
        activation = fg.elementwise(lambda x: SCALE * x)
        layer = fg.keras.layers.Dense(1, activation=activation, use_bias=False, kernel_initializer="ones")
        model = fg.keras.Sequential([fg.keras.Input([1]), layer])
        model.compile(fg.keras.optimizers.SGD(0.1), "mse")
        x, y = np.ones([4, 1], np.float32), np.zeros([4, 1], np.float32)
        for scale in scales:
            monkeypatch.setitem(globals(), "SCALE", scale)
            if fit:
                model.fit(x, y, batch_size=4, verbose=0)
                predicted = model.predict(x, verbose=0)
                np.testing.assert_allclose(predicted, scale * layer.kernel.numpy()[0, 0] * x, rtol=1e-6)
            else:
                w = layer.kernel.numpy()
                layer.kernel.assign(w - 0.1 * 2 * scale * scale * w)
        return layer.kernel.numpy()

    scales = (0.9, -2.0, 0.5, 0.5)
    np.testing.assert_allclose(trained(scales, fit=True), trained(scales, fit=False), rtol=1e-5)


@pytest.mark.parametrize(("kernel", "given"), [(False, False), (False, True), (True, True)])
def test_a_tape_keeps_what_it_ran(monkeypatch, kernel, given):
    if kernel:

        @fg.kernel("(n)->(n)")
        @numba.njit
        def function(x, out):
            out[:] = SCALE * x

        @function.gradient
        @numba.njit
        def _(g, y, x, dx):
            dx[:] = SCALE * g

    else:
        function = fg.elementwise(lambda x: SCALE * x)
        if given:
            function.gradient(lambda g, y, x: helper(g))
    x = fg.constant(X)
    with fg.GradientTape(persistent=True) as tape:
        tape.watch(x)
        first = function(x)
        monkeypatch.setitem(globals(), "SCALE", 5.0)
        second = function(x)
    monkeypatch.setitem(globals(), "SCALE", 7.0)
    np.testing.assert_array_equal(tape.gradient(first, x).numpy(), np.full(3, 2.0))
    np.testing.assert_array_equal(tape.gradient(second, x).numpy(), np.full(3, 5.0))


def test_another_gradient_is_noticed_by_compiled_steps_and_callers():
    @fg.elementwise
    def function(x):
        return 1.0 * x

    caller = fg.elementwise(lambda x: 2.0 * function(x))

    slope = fg.function(lambda x: gradient_of(caller, x))

    for factor in (1.0, 3.0, 5.0):
        function.gradient(_gradient(factor))
        for _ in range(3):
            assert slope(fg.constant(1.0)).numpy() == 2.0 * factor


def _gradient(factor):
    return lambda g, y, x: g * factor


def test_a_branch_that_is_recorded_later_is_checked_too(monkeypatch):
    other = fg.elementwise(lambda x: SCALE * x)

    @fg.function
    def step(x):
        return other(x) if fg.reduce_sum(x) > 0.0 else x

    for x in (-1.0, -1.0, -1.0, 1.0, 1.0, 1.0, -1.0):
        step(fg.constant(x))
    monkeypatch.setitem(globals(), "SCALE", 5.0)
    assert step(fg.constant(1.0)).numpy() == 5
    assert step(fg.constant(-1.0)).numpy() == -1


# ---- random numbers, clocks --------------------------------------------------------------------------------

GENERATOR = np.random.default_rng(0)


@pytest.mark.parametrize("draw", [lambda: random.random(), lambda: np.random.random(), lambda: np.random.normal()])
@pytest.mark.parametrize("compiled", [False, True])
def test_random_numbers_are_drawn_for_each_element(draw, compiled):
    noisy = fg.elementwise(lambda x: x + draw())
    call = fg.function(noisy) if compiled else noisy
    draws = np.concatenate([call(fg.zeros(64)).numpy() for _ in range(4)])
    assert len(np.unique(draws)) == 256


def test_random_kernels_are_neither_merged_nor_folded():
    @fg.kernel("(n)->(n)")
    @numba.njit
    def noise(x, out):
        for i in range(len(x)):
            out[i] = x[i] + np.random.random()

    noisy = fg.elementwise(lambda x: x + random.random())
    twice = fg.elementwise(lambda x: noisy(x) - noisy(x))
    for random_function in (noise, noisy):
        difference = fg.function(lambda x, f=random_function: f(x) - f(x))
        constant = fg.function(lambda f=random_function: f(fg.zeros(4)))
        first = constant().numpy()
        for _ in range(3):
            assert np.all(difference(fg.zeros(4)).numpy() != 0)
            assert np.all(constant().numpy() != first)
    assert np.all(twice(fg.zeros(4)).numpy() != 0)


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (lambda: time.time(), "time.time"),
        (lambda: GENERATOR.random(), "GENERATOR"),
        (lambda: time.perf_counter(), "time.perf"),
    ],
)
def test_clocks_and_generators_are_refused(read, name):
    for function in (fg.elementwise(lambda x: x + read()), fg.kernel("(n)->(n)")(lambda x: x + read())):
        with pytest.raises(
            TypeError, match=rf"it calls {name}.*another value at each call(?s:.*)Pass the value as an input"
        ):
            function(fg.zeros(2))


@pytest.mark.parametrize("value", [fg.Variable(2.0), fg.constant(2.0)])
def test_tensors_from_outside_are_refused_with_the_remedy(value):
    for function in (fg.elementwise(lambda x: value * x), fg.kernel("(n)->(n)")(lambda x: value * x)):
        with pytest.raises(TypeError, match="reads the tensor value from outside. Pass value as an input"):
            function(fg.zeros(2))


# ---- exceptions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compiled", [False, True])
def test_functions_that_handle_exceptions_are_compiled_as_they_are(compiled):
    def gamma(x):
        try:
            return math.gamma(x)
        except Exception:  # noqa: BLE001 - Numba takes no other
            return 0.0

    def looped(x):
        try:
            while x > 1.0:
                x = x / 2.0
        except Exception:  # noqa: BLE001
            return 0.0
        return x

    for function, expected in ((gamma, 24.0), (lambda x: gamma(x) + 1.0, 25.0), (looped, 0.625)):
        call = fg.elementwise(function)
        call = fg.function(call) if compiled else call
        for _ in range(3):
            assert call(fg.constant(5.0, fg.float64)).numpy() == expected


class OwnError(Exception):
    pass


@pytest.mark.parametrize("error", [ValueError, RuntimeError, OwnError, IndexError, ZeroDivisionError])
def test_a_raise_that_no_element_reaches_does_not_raise(error):
    @fg.elementwise
    def positive(x):
        if x < 0:
            raise error("negative number")
        return x

    step = fg.function(positive)
    for _ in range(3):
        for function in (positive, step):
            np.testing.assert_array_equal(function(fg.constant([1.0, 2.0])).numpy(), [1, 2])
            with pytest.raises(error, match="negative number"):
                function(fg.constant([1.0, -2.0]))
