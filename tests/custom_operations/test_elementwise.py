"""fg.elementwise: a scalar function of the user's as an operation."""

from __future__ import annotations

import copy
import gc
import math
import pickle
import threading
import weakref

import numba
import numpy as np
import pytest

import fastgrad as fg
from fastgrad import dtypes
from fastgrad._src.core.operation import HALF_DTYPES
from tests.gradients import check_gradient, gradient_of


@fg.elementwise
def swish(x, beta=1.0):
    """x times the logistic function of beta x."""
    return x / (1.0 + math.exp(-beta * x))


@fg.elementwise
def leaky(x):
    if x > 0:
        return x
    return 0.1 * x


@fg.elementwise
def huber(error, width):
    size = abs(error)
    if size <= width:
        return 0.5 * error**2
    return width * (size - 0.5 * width)


@fg.elementwise
@numba.njit
def root(a):
    x = a if a > 1 else 1.0
    for _ in range(100):
        step = 0.5 * (x - a / x)
        if abs(step) <= 1e-12 * x:
            break
        x -= step
    return x


@root.gradient
def root_gradient(g, y, a):
    return 0.5 * g / y


def swish_of(x, beta=1.0):
    return x / (1.0 + np.exp(-beta * x))


X = np.linspace(-4.0, 4.0, 24).reshape(2, 3, 4)


# ---- values ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_function_is_applied_to_each_element(dtype):
    y = swish(fg.constant(X, dtype), 2.0)
    assert y.dtype.name == dtype
    np.testing.assert_allclose(y.numpy(), swish_of(X, 2.0), rtol=1e-6 if dtype == "float32" else 1e-14)


@pytest.mark.parametrize(("function", "expected"), [(swish, swish_of(X)), (root, np.sqrt(np.abs(X) + 0.1))])
@pytest.mark.parametrize("dtype", [d.name for d in dtypes.ALL if d.numpy in HALF_DTYPES])
def test_half_width_floats_keep_their_dtype(function, expected, dtype):
    given = X if function is swish else np.abs(X) + 0.1
    y = function(fg.constant(given, dtype))
    assert y.dtype.name == dtype
    np.testing.assert_allclose(fg.cast(y, "float64").numpy(), expected, rtol=0.02, atol=0.02)


def test_inputs_broadcast():
    y = swish(fg.constant(X), fg.constant([[0.5], [1.0], [2.0]], fg.float64))
    np.testing.assert_allclose(y.numpy(), swish_of(X, np.array([[0.5], [1.0], [2.0]])), rtol=1e-14)


def test_inputs_of_a_loop_that_numba_compiles_broadcast():
    @fg.elementwise
    def times(x, y):
        total = 0.0 * x
        while total < x * y - 0.5:
            total += y
        return total

    x, y = np.arange(6.0).reshape(2, 1, 3), np.arange(1.0, 5.0).reshape(4, 1)
    np.testing.assert_allclose(times(fg.constant(x), fg.constant(y)).numpy(), x * y)
    np.testing.assert_allclose(times(fg.constant(x), 2.0).numpy(), x * 2)


@pytest.mark.parametrize("function", [swish, root, leaky])
def test_scalars_and_empty_arrays(function):
    assert function(4.0).shape == ()
    assert function(fg.zeros((0, 3))).shape == (0, 3)
    assert fg.function(function)(fg.zeros((0, 3))).shape == (0, 3)


def test_nan_and_infinity_go_through():
    x = fg.constant([math.nan, math.inf, -math.inf, -0.0])
    np.testing.assert_array_equal(leaky(x).numpy(), np.array([math.nan, math.inf, -math.inf, -0.0], np.float32))
    assert np.isnan(swish(x).numpy()[0])


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint64"])
def test_integers_stay_integers_where_the_arithmetic_does(dtype):
    polynomial = fg.elementwise(lambda x: x * x + 3 * x + 1)
    y = polynomial(fg.constant([0, 1, 5], dtype))
    assert y.dtype.name == dtype
    np.testing.assert_array_equal(y.numpy(), [1, 5, 41])


def test_integers_become_float64_where_the_result_is_no_integer():
    half = fg.elementwise(lambda x: x / 2)
    assert half(fg.constant([1, 2])).dtype == fg.float64
    np.testing.assert_array_equal(half(fg.constant([1, 2])).numpy(), [0.5, 1])
    assert swish(fg.constant([1, 2]), 1.0).dtype == fg.float32  # as a number beside integers is


def test_different_dtypes_are_promoted_to_the_widest_float():
    x, y = fg.constant([1, 2], fg.int32), fg.constant([0.5, 1.0], fg.float32)
    assert swish(x, y).dtype == fg.float32
    assert swish(fg.cast(y, "float64"), y).dtype == fg.float64
    assert swish(fg.cast(y, "float16"), fg.cast(y, "bfloat16")).dtype == fg.float32
    np.testing.assert_allclose(swish(x, y).numpy(), swish_of(np.array([1.0, 2.0]), np.array([0.5, 1.0])), rtol=1e-6)


def test_bools_choose_and_count():
    masked = fg.elementwise(lambda x, keep: x if keep else -1.0)
    inside = fg.elementwise(lambda x: (x > -1) & (x < 1))
    gate = fg.elementwise(lambda x: (x > 0) * x)
    keep = fg.constant([True, False, True])
    np.testing.assert_array_equal(masked(fg.constant([1.0, 2.0, 3.0]), keep).numpy(), [1, -1, 3])
    assert inside(fg.constant([0.0, 2.0])).numpy().tolist() == [True, False]
    assert gate(fg.constant([2.0, -2.0])).dtype == fg.float32
    np.testing.assert_array_equal(gate(fg.constant([2.0, -2.0])).numpy(), [2, 0])


def test_variables_arrays_and_keywords_are_taken():
    variable = fg.Variable([1.0, 2.0])
    expected = swish_of(np.array([1.0, 2.0]), 3.0)
    np.testing.assert_allclose(swish(variable, beta=3.0, name="y").numpy(), expected, rtol=1e-6)
    np.testing.assert_allclose(swish(beta=3.0, x=np.array([1.0, 2.0])).numpy(), expected)


def test_ragged_tensors_are_mapped():
    x = fg.RaggedTensor.from_row_splits([1.0, 2.0, 3.0], [0, 2, 3])
    assert swish(x).to_list() == [swish([1.0, 2.0]).numpy().tolist(), swish([3.0]).numpy().tolist()]


def test_objects_of_numba_vectorize_are_taken():
    @numba.vectorize
    def cube(x):
        return x * x * x

    operation = fg.elementwise(cube)
    np.testing.assert_array_equal(operation(fg.constant([2.0, 3.0])).numpy(), [8, 27])
    check_gradient(operation, X, order=2)


def test_one_elementwise_function_calls_another():
    both = fg.elementwise(lambda x: 2.0 * swish(x, 2.0) + root(x * x + 1.0))

    def plain(x):
        return swish(x, 2.0)

    @fg.elementwise
    def loop(x):
        total = 0.0
        while total < plain(x):
            total += 1.0
        return total

    np.testing.assert_allclose(both(fg.constant(X)).numpy(), 2 * swish_of(X, 2.0) + np.sqrt(X * X + 1), rtol=1e-12)
    np.testing.assert_array_equal(loop(fg.constant(X)).numpy(), np.maximum(np.ceil(swish_of(X, 2.0)), 0))
    check_gradient(both, X, order=2)


# ---- gradients ---------------------------------------------------------------------------------------------


def test_derived_gradients_to_the_second_order():
    check_gradient(swish, X, np.array([[0.5], [1.0], [2.0]]), order=2)


def test_derived_gradients_go_branch_by_branch():
    check_gradient(leaky, X, order=2)
    check_gradient(huber, X + 0.01, np.array(1.5), order=2)


def test_a_branch_that_is_not_taken_does_not_make_nan():
    safe_root = fg.elementwise(lambda x: math.sqrt(x) if x > 0 else 0.0)
    x = fg.constant([0.0, -1.0, 4.0])
    np.testing.assert_array_equal(gradient_of(safe_root, x).numpy(), [0, 0, 0.25])


def test_given_gradients_are_used():
    @fg.elementwise
    def straight_through(x):
        return round(x)

    returned = straight_through.gradient(lambda g, y, x: g)
    assert returned(5.0, 1.0, 2.0) == 5.0
    x = fg.constant([0.4, 1.7])
    with fg.GradientTape() as tape:
        tape.watch(x)
        y = straight_through(x) * fg.constant([2.0, 3.0])
    np.testing.assert_array_equal(y.numpy(), [0, 6])
    np.testing.assert_array_equal(tape.gradient(y, x).numpy(), [2, 3])


def test_a_given_gradient_has_a_gradient_of_its_own():
    check_gradient(root, np.abs(X) + 0.3, order=2)


@pytest.mark.parametrize("joint", [True, False])
def test_gradients_of_several_inputs(joint):
    product = fg.elementwise(lambda x, y: x * y)
    if joint:

        @product.gradient
        def _(g, z, x, y):
            return g * y * 10.0, None

    else:
        product.gradient(lambda g, z, x, y: g * y * 10.0, None)
    x, y = fg.constant([1.0, 2.0]), fg.constant(3.0)
    dx, dy = gradient_of(product, x, y)
    np.testing.assert_array_equal(dx.numpy(), [30, 30])
    assert dy is None


def test_a_gradient_with_a_loop_is_compiled_by_numba():
    @fg.elementwise
    def function(x, y):
        return x * y

    @function.gradient
    def slopes(g, z, x, y):
        total = 0.0
        while total + 1.0 <= y:
            total += 1.0
        return g * total, g * x

    check_gradient(lambda x: function(x, fg.constant(3.0, fg.float64)), X)
    x, y = fg.constant([1.0, 2.0]), fg.constant(3.0)
    dx, dy = gradient_of(function, x, y)
    np.testing.assert_array_equal(dx.numpy(), [3, 3])
    assert dy.numpy() == 3


def test_no_gradient_flows_where_none_is_given():
    stopped = fg.elementwise(lambda x: x * 2.0)
    stopped.gradient(None)
    x = fg.Variable([1.0])
    assert gradient_of(stopped, x) is None


def test_jacobians_and_vectorized_maps():
    x = fg.constant([0.5, -1.0, 2.0])
    with fg.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y, z = swish(x, 2.0), root(x * x + 1.0)
    slopes = (swish_of(x.numpy() + 1e-3, 2.0) - swish_of(x.numpy() - 1e-3, 2.0)) / 2e-3
    np.testing.assert_allclose(tape.jacobian(y, x).numpy(), np.diag(slopes), rtol=1e-3)
    expected = np.diag(x.numpy() / np.sqrt(x.numpy() ** 2 + 1))
    np.testing.assert_allclose(tape.jacobian(z, x).numpy(), expected, rtol=1e-5)
    rows = fg.vectorized_map(
        lambda row: swish(row, fg.constant([1.0, 2.0])) + root(row * row), fg.constant(X[0, :, :2])
    )
    expected = swish_of(X[0, :, :2], np.array([1.0, 2.0])) + np.abs(X[0, :, :2])
    np.testing.assert_allclose(rows.numpy(), expected, rtol=1e-6)


def test_forward_mode():
    x = fg.constant(X)
    with fg.autodiff.ForwardAccumulator(x, fg.ones_like(x)) as forward:
        y = swish(x)
    with fg.GradientTape() as tape:
        tape.watch(x)
        total = fg.reduce_sum(swish(x))
    np.testing.assert_allclose(forward.jvp(y).numpy(), tape.gradient(total, x).numpy(), rtol=1e-14)


# ---- compiled steps ----------------------------------------------------------------------------------------


def test_compiled_steps_give_what_eager_code_gives():
    def step(x, beta):
        with fg.GradientTape() as tape:
            tape.watch([x, beta])
            y = fg.reduce_sum(leaky(swish(x, beta)) * root(x * x + 1.0))
        return [y, *tape.gradient(y, [x, beta])]

    compiled = fg.function(step)
    arguments = fg.constant(X), fg.constant([[0.5], [1.0], [2.0]], fg.float64)
    for _ in range(3):
        for a, b in zip(step(*arguments), compiled(*arguments), strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)


def test_it_fuses_with_its_neighbours():
    step = fg.function(lambda x: fg.reduce_sum(fg.square(swish(x + 1.0)) * 2.0))
    x = fg.constant(X)
    for _ in range(3):
        step(x)
    assert "kernels: 1\n" in str(step.report())


def test_a_loop_that_numba_compiles_needs_no_python_in_a_step():
    step = fg.function(lambda x: fg.reduce_sum(root(x) * 2.0))
    x = fg.constant(np.abs(X) + 1)
    for _ in range(3):
        y = step(x)
    assert "no Python between them" in str(step.report())
    np.testing.assert_allclose(y.numpy(), 2 * np.sqrt(np.abs(X) + 1).sum())


def test_large_arrays_are_shared_among_the_threads():
    x = np.random.default_rng(1).uniform(0.5, 2.0, 200_000)
    np.testing.assert_allclose(root(fg.constant(x)).numpy(), np.sqrt(x), rtol=1e-12)
    np.testing.assert_allclose(fg.function(root)(fg.constant(x)).numpy(), np.sqrt(x), rtol=1e-12)


def test_layers_take_it_as_an_activation():
    fg.keras.utils.set_random_seed(3)
    model = fg.keras.Sequential([fg.keras.layers.Dense(8, activation=swish), fg.keras.layers.Dense(1)])
    model.compile(fg.keras.optimizers.Adam(0.02), "mse")
    rng = np.random.default_rng(2)
    x = rng.normal(size=(64, 3)).astype(np.float32)
    y = x[:, :1] * x[:, 1:2]
    losses = model.fit(x, y, epochs=30, batch_size=16, verbose=0).history["loss"]
    assert losses[-1] < 0.7 * losses[0]


def test_models_with_it_are_saved_and_read(tmp_path):
    x = np.ones((2, 3), np.float32)
    model = fg.keras.Sequential([fg.keras.Input((3,)), fg.keras.layers.Dense(4, activation=swish)])
    model.save(tmp_path / "model.keras")
    again = fg.keras.models.load_model(tmp_path / "model.keras", custom_objects={"swish": swish})
    assert again.layers[-1].activation is swish
    np.testing.assert_array_equal(model(x).numpy(), again(x).numpy())


def test_loops_and_branches_on_tensors():
    @fg.function
    def step(x, n):
        with fg.GradientTape() as tape:
            tape.watch(x)
            _, y = fg.while_loop(
                lambda i, y: i < n, lambda i, y: (i + 1, swish(root(y + 1.0), 0.5)), (fg.constant(0), x)
            )
            y = swish(y) if fg.reduce_sum(y) > 1000 else leaky(-y)
        return y, tape.gradient(y, x)

    def plain(x, n):
        with fg.GradientTape() as tape:
            tape.watch(x)
            y = x
            for _ in range(n):
                y = swish(root(y + 1.0), 0.5)
            y = leaky(-y)
        return y, tape.gradient(y, x)

    x = fg.constant(np.abs(X))
    for n in (1, 3, 1, 3):
        for a, b in zip(step(x, fg.constant(n)), plain(x, n), strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)


def test_several_threads_may_call_it():
    errors = []

    def work(size):
        try:
            for count in range(1, 12):
                x = np.full((count, size), 4.0)
                np.testing.assert_allclose(root(x).numpy(), 2.0)
                np.testing.assert_allclose(swish(x).numpy(), swish_of(x))
        except AssertionError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(size,)) for size in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def test_an_operation_goes_with_its_function():
    def made():
        twice = fg.elementwise(lambda x: 2.0 * x)
        twice(1.0)
        return weakref.ref(twice.operation)

    operation = made()
    gc.collect()
    assert operation() is None


# ---- values from outside -----------------------------------------------------------------------------------

SCALE = 2.0


def test_values_from_outside_are_taken_again_when_they_change(monkeypatch):
    offset = 1.0

    affine = fg.elementwise(lambda x: SCALE * x + offset)

    @fg.elementwise
    def loop(x):
        total = 0.0
        while total < SCALE * x:
            total += offset
        return total

    assert affine(3.0).numpy() == 7
    assert loop(3.0).numpy() == 6
    monkeypatch.setitem(globals(), "SCALE", 5.0)
    assert affine(3.0).numpy() == 16
    assert loop(3.0).numpy() == 15
    offset = 4.0
    assert affine(3.0).numpy() == 19
    assert loop(3.0).numpy() == 16
    with fg.GradientTape() as tape:
        x = fg.Variable(1.0)
        y = affine(x)
    assert tape.gradient(y, x).numpy() == 5


def test_compiled_steps_are_recorded_again_when_a_value_from_outside_changes(monkeypatch):
    affine = fg.elementwise(lambda x: SCALE * x)

    step = fg.function(lambda x: affine(x) + 1.0)

    for scale in (2.0, 5.0, 2.0):
        monkeypatch.setitem(globals(), "SCALE", scale)
        for _ in range(3):
            assert step(fg.constant(3.0)).numpy() == 3 * scale + 1


def test_compiled_steps_are_recorded_again_when_a_gradient_uses_another_value(monkeypatch):
    scaled = fg.elementwise(lambda x: x * 1.0)

    @scaled.gradient
    def _(g, y, x):
        return g * SCALE

    step = fg.function(lambda x: gradient_of(scaled, x))

    for scale in (2.0, 5.0, 2.0):
        monkeypatch.setitem(globals(), "SCALE", scale)
        for _ in range(3):
            assert step(fg.constant(3.0)).numpy() == scale


# ---- errors ------------------------------------------------------------------------------------------------


def test_what_is_no_scalar_function_is_refused_at_once():
    with pytest.raises(TypeError, match="by position"):
        fg.elementwise(lambda *x: x)
    with pytest.raises(TypeError, match="no parameters"):
        fg.elementwise(lambda: 1.0)
    with pytest.raises(TypeError, match="Python function"):
        fg.elementwise(3.0)


def test_wrong_arguments_are_refused():
    with pytest.raises(TypeError, match="missing"):
        swish()
    with pytest.raises(TypeError, match="unknown"):
        swish(1.0, gamma=2.0)
    with pytest.raises(fg.errors.InvalidArgumentError, match=r"Incompatible shapes: \[2\] vs\. \[3\]"):
        swish(fg.zeros(2), fg.zeros(3))
    for x in (fg.constant("text"), fg.constant(1j)):
        with pytest.raises(fg.errors.InvalidArgumentError, match="swish: got dtype"):
            swish(x)


def test_a_gradient_of_another_number_of_arguments_is_refused():
    with pytest.raises(TypeError, match="cotangent, result, x, beta"):
        swish.gradient(lambda g, x: g)
    with pytest.raises(TypeError, match="one for each of 2"):
        swish.gradient(None, None, None)


@pytest.mark.parametrize("has_loop", [False, True])
def test_another_number_of_cotangents_is_refused(has_loop):
    product = fg.elementwise(lambda x, y: x * y)

    @product.gradient
    def _(g, z, x, y):
        while has_loop and g > 100.0:
            g = g / 2.0
        return g * y, g * x, g

    x = fg.Variable(1.0)
    with fg.GradientTape() as tape:
        z = product(x, x)
    with pytest.raises(fg.errors.InvalidArgumentError, match="returned 3 cotangents, and should return 2"):
        tape.gradient(z, x)


def test_a_gradient_that_cannot_be_derived_says_where_and_what_to_do():
    @fg.elementwise
    def function(x):
        return abs(complex(x, 4.0)) + np.sign(1j * x).real

    np.testing.assert_allclose(function(fg.constant([3.0, 0.0])).numpy(), [5, 4], rtol=1e-6)
    x = fg.Variable([3.0])
    with fg.GradientTape() as tape:
        y = function(x)
    line = function.__wrapped__.__code__.co_firstlineno + 2
    with pytest.raises(
        fg.errors.DifferentiationError, match=rf"test_elementwise.py:{line}.*complex.*@function.gradient"
    ):
        tape.gradient(y, x)


@fg.elementwise
def scaled_root(a, factor):
    x = a if a > 1 else 1.0
    while abs(x * x - a) > 1e-14 * a:
        x = 0.5 * (x + a / x)
    return factor * x


@pytest.mark.parametrize("compiled", [False, True])
def test_gradients_of_loops_by_values_are_derived_to_any_order(compiled):
    def slopes(a, factor):
        with fg.GradientTape(persistent=True) as outer:
            outer.watch([a, factor])
            of_a, of_factor = gradient_of(lambda a, factor: fg.reduce_sum(scaled_root(a, factor)), a, factor)
        return of_a, of_factor, outer.gradient(of_a, a), outer.gradient(of_a, factor)

    a, factor = fg.constant([4.0, 9.0], "float64"), fg.constant(3.0, "float64")
    step = fg.function(slopes) if compiled else slopes
    for _ in range(3):
        found = step(a, factor)
    expected = [3 * 0.5 / np.sqrt(a), 5.0, -0.75 * np.asarray(a) ** -1.5, 0.25 + 1 / 6]
    for slope, value in zip(found, expected, strict=True):
        np.testing.assert_allclose(slope.numpy(), value, rtol=1e-9)
    if compiled:
        assert "no Python between them" in str(step.report())


def test_forward_mode_goes_through_loops_by_values():
    a = fg.constant([4.0, 9.0])
    with fg.autodiff.ForwardAccumulator(a, fg.ones(2)) as accumulator:
        y = scaled_root(a, 1.0)
    np.testing.assert_allclose(accumulator.jvp(y).numpy(), [0.25, 1 / 6], rtol=1e-6)


def test_a_given_gradient_is_not_lost_in_a_function_that_no_trace_follows():
    @fg.elementwise
    def rounded(x):
        return float(round(x))

    @rounded.gradient
    def _(g, y, x):
        return g

    @fg.elementwise
    def repeated(x):
        y = x
        while y < 10.0:
            y = rounded(y) + 1.5
        return y

    x = fg.Variable([1.0])
    with fg.GradientTape() as tape:
        y = repeated(x)
    with pytest.raises(fg.errors.DifferentiationError, match="it calls rounded, whose gradient was given"):
        tape.gradient(y, x)


def test_a_function_that_numba_cannot_type_says_why_and_where():
    @fg.elementwise
    def function(x):
        return math.gamma(x) + undefined_name  # noqa: F821

    with pytest.raises(TypeError, match="(?s)test_elementwise.py.*undefined_name"):
        function(1.0)


def test_functions_that_print_do_so_without_hanging_the_threads(capfd):
    @fg.elementwise
    @numba.njit
    def loud(x):
        if x < 0:
            print("seen")
        return x

    x = np.ones(300_000)
    x[[5, 100_000, 299_999]] = -1
    step = fg.function(loud)
    for _ in range(3):
        np.testing.assert_array_equal(step(x).numpy(), x)
        np.testing.assert_array_equal(loud(x).numpy(), x)
    assert capfd.readouterr().out.count("seen") == 18


def test_what_a_function_raises_comes_from_eager_and_compiled_code():
    @fg.elementwise
    def positive(x):
        if x < 0:
            raise ValueError("negative number")
        return x

    step = fg.function(positive)
    for _ in range(3):
        np.testing.assert_array_equal(step(fg.constant([1.0, 2.0])).numpy(), [1, 2])
        with pytest.raises(ValueError, match="negative number"):
            step(fg.constant([1.0, -2.0]))
        with pytest.raises(ValueError, match="negative number"):
            positive(fg.constant([1.0, -2.0]))


def test_copies_and_pickles_are_the_function_itself():
    assert copy.deepcopy(swish) is swish
    assert pickle.loads(pickle.dumps(swish)) is swish
    assert swish.__name__ == "swish"
    assert swish.__doc__ == "x times the logistic function of beta x."


# ---- GPUs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compiled", [False, True])
def test_a_gpu_gives_what_the_host_gives(simulated_gpu, compiled):

    def step(x):
        with fg.GradientTape() as tape:
            tape.watch(x)
            y = leaky(swish(x, 2.0)) + root(x * x + 1.0)
        return y, tape.gradient(y, x)

    expected = step(fg.constant(X, fg.float32))
    with fg.device("GPU:0"):
        run = fg.function(step) if compiled else step
        for _ in range(3):
            found = run(fg.constant(X, fg.float32))
    assert all("GPU:0" in y.device for y in found)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_arrays_of_complex_numbers_within_the_function(dtype):
    modulus = fg.elementwise(lambda x: np.array([1j * x])[0].imag * np.abs(np.array([x, 2j])).sum())
    x = fg.Variable([1.0, 2.0], dtype=dtype)
    with fg.GradientTape() as tape:
        y = modulus(x)
    np.testing.assert_allclose(y.numpy(), [3.0, 8.0], rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(y, x).numpy(), [4.0, 6.0], rtol=1e-6)
