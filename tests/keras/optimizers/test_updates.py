"""Five steps of every optimizer against its formula."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.keras.optimizers import grouped_update
from fastgrad._src.kernels.optimizers import optimizers as kernels
from fastgrad._src.kernels.runtime import eager_launch
from fastgrad._src.kernels.runtime.eager_launch import run_on_thread_pool
from fastgrad._src.kernels.runtime.thread_pool import compute_pool

from .reference import ALL, CASES, IDS, run

RATE = 0.125
SHAPES = [(4, 3), (3,), (), (2, 3, 5), (1, 1), (0,)]
every_optimizer = pytest.mark.parametrize(("name", "options"), ALL, ids=IDS)


def draw(seed=0, steps=5, shapes=SHAPES):
    random = np.random.default_rng(seed)
    return [random.normal(size=s) for s in shapes], [[random.normal(size=s) for s in shapes] for _ in range(steps)]


@every_optimizer
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 2e-5)])
def test_five_steps(name, options, dtype, tolerance):
    weights, gradients = draw()
    variables = [tf.Variable(w, dtype=dtype) for w in weights]
    optimizer = getattr(tf.optimizers, name)(RATE, **options)
    for step in gradients:
        result = optimizer.apply_gradients([(tf.constant(g, dtype), v) for g, v in zip(step, variables, strict=True)])
        assert result is optimizer.iterations
    assert int(optimizer.iterations) == 5
    for position, variable in enumerate(variables):
        wanted = run(name, options, weights[position], [step[position] for step in gradients], RATE)
        np.testing.assert_allclose(variable.numpy(), wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_half_precision_is_computed_in_float32(name, dtype):
    weights, gradients = draw(steps=1, shapes=[(4, 3), (3,)])
    variables = [tf.Variable(tf.constant(w, dtype)) for w in weights]
    rounded = [tf.constant(g, dtype) for g in gradients[0]]
    before = [v.numpy().astype(np.float64) for v in variables]
    optimizer = getattr(tf.optimizers, name)(RATE, weight_decay=0.25)
    optimizer.apply_gradients(zip(rounded, variables, strict=True))
    for w, g, v in zip(before, rounded, variables, strict=True):
        assert v.dtype is dtype
        wanted = run(name, {"weight_decay": 0.25}, w, [g.numpy().astype(np.float64)], RATE)
        np.testing.assert_allclose(v.numpy().astype(np.float64), wanted, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("name", CASES)
def test_variables_of_several_dtypes_together(name):
    weights, gradients = draw(shapes=[(3,), (2, 2), (3,)])
    kinds = ["float32", "float64", "float32"]
    variables = [tf.Variable(w, dtype=kind) for w, kind in zip(weights, kinds, strict=True)]
    optimizer = getattr(tf.optimizers, name)(RATE)
    for step in gradients:
        optimizer.apply([tf.constant(g, kind) for g, kind in zip(step, kinds, strict=True)], variables)
    for position, (variable, kind) in enumerate(zip(variables, kinds, strict=True)):
        wanted = run(name, {}, weights[position], [step[position] for step in gradients], RATE)
        np.testing.assert_allclose(variable.numpy(), wanted, rtol=1e-12 if kind == "float64" else 2e-5, atol=2e-6)


@pytest.mark.parametrize("name", CASES)
def test_state_follows_the_variable_not_its_place(name):
    weights, gradients = draw(shapes=[(3,), (3,)])
    variables = [tf.Variable(w) for w in weights]
    optimizer = getattr(tf.optimizers, name)(RATE)
    optimizer.build(variables)
    for number, step in enumerate(gradients):
        pairs = list(zip(map(tf.constant, step), variables, strict=True))
        optimizer.apply_gradients(pairs[::-1] if number % 2 else pairs)
    for position, variable in enumerate(variables):
        wanted = run(name, {}, weights[position], [step[position] for step in gradients], RATE)
        np.testing.assert_allclose(variable.numpy(), wanted, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("SGD", "sgd"),
        ("Adam", "adam"),
        ("AdamW", "adam"),
        ("RMSprop", "rmsprop"),
        ("Adagrad", "adagrad"),
        ("Adadelta", "adadelta"),
        ("Adamax", "adamax"),
        ("Nadam", "nadam"),
        ("Ftrl", "ftrl"),
        ("Lion", "lion"),
    ],
)
def test_one_kernel_call_updates_all_variables(name, rule, monkeypatch):
    variables = [tf.Variable(np.ones(shape, np.float32)) for shape in [(4, 3), (3,)] * 4]
    gradients = [tf.ones(variable.shape) for variable in variables]
    kernel, dtype, calls = getattr(kernels, rule).variables_kernel, np.dtype(np.float32), []
    run = kernel[dtype]
    monkeypatch.setitem(kernel, dtype, lambda *arguments: calls.append(len(arguments[0])) or run(*arguments))
    optimizer = getattr(tf.optimizers, name)(RATE)
    for _ in range(3):
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
    assert calls == [8, 8, 8]


def test_a_variable_without_a_gradient_stays_and_is_named_in_a_warning():
    first, second = tf.Variable([1.0], name="first"), tf.Variable([1.0], name="second")
    optimizer = tf.optimizers.SGD(0.5)
    with pytest.warns(UserWarning, match=r"Gradients do not exist for variables \['first:0'\]"):
        optimizer.apply_gradients([(None, first), (tf.constant([1.0]), second)])
    assert first.numpy() == [1.0]
    assert second.numpy() == [0.5]
    with pytest.raises(ValueError, match="No gradients provided for any variable"):
        optimizer.apply_gradients([(None, first), (None, second)])
    assert int(optimizer.iterations) == 1


def test_gradients_are_cast_to_the_variable():
    variable = tf.Variable([1.0, 2.0])
    optimizer = tf.optimizers.SGD(0.5)
    for gradient in (tf.constant([1.0, 1.0], tf.float64), np.array([1.0, 1.0]), [1.0, 1.0], tf.constant([1, 1])):
        optimizer.apply_gradients([(gradient, variable)])
    np.testing.assert_array_equal(variable, [-1.0, 0.0])


def test_a_variable_may_stand_for_its_own_gradient_and_another_ones():
    a, b = tf.Variable([1.0]), tf.Variable([2.0])
    tf.optimizers.SGD(0.5).apply_gradients([(b, a), (a, b)])
    assert (float(a[0]), float(b[0])) == (0.0, 1.5)
    c = tf.Variable([4.0])
    optimizer = tf.optimizers.SGD(0.5)
    for _ in range(2):
        optimizer.apply_gradients([(c.value(), c)])
    assert float(c[0]) == 1.0


def test_values_read_before_an_update_stay():
    variable, gradient = tf.Variable([1.0]), tf.constant([1.0])
    optimizer = tf.optimizers.Adam(0.5)
    optimizer.apply_gradients([(gradient, variable)])
    read, numbers = [], []
    for _ in range(3):
        momentum = optimizer.variables[2]
        read.append(
            [
                variable.value(),
                variable[0],
                momentum.read_value(),
                momentum[0],
                tf.convert_to_tensor(optimizer.iterations),
            ]
        )
        numbers.append([np.array(tensor) for tensor in read[-1]])
        optimizer.apply_gradients([(gradient, variable)])
    for tensors, values in zip(read, numbers, strict=True):
        for tensor, value in zip(tensors, values, strict=True):
            np.testing.assert_array_equal(tensor, value)


def test_the_same_variable_twice_is_updated_twice():
    variable = tf.Variable([1.0])
    tf.optimizers.SGD(0.5).apply_gradients([(tf.constant([1.0]), variable)] * 2)
    assert variable.numpy() == [0.0]


def test_infinite_gradients_and_nan_do_what_the_formula_says():
    variable = tf.Variable([1.0, 1.0, 1.0])
    optimizer = tf.optimizers.SGD(0.5)
    optimizer.apply_gradients([(tf.constant([np.inf, np.nan, 1.0]), variable)])
    np.testing.assert_array_equal(variable, [-np.inf, np.nan, 0.5])


def test_constraints_are_applied_after_the_update():
    variable = tf.Variable([1.0, 1.0], constraint=lambda v: tf.maximum(v, 0.0))
    optimizer = tf.optimizers.SGD(1.0)
    for _ in range(2):
        optimizer.apply_gradients([(tf.constant([2.0, 0.25]), variable)])
    np.testing.assert_array_equal(variable, [0.0, 0.5])


def test_an_update_is_not_recorded_and_leaves_gradients_alone():
    variable = tf.Variable(3.0)
    optimizer = tf.optimizers.SGD(1.0)
    with tf.GradientTape() as tape:
        y = variable * variable
        optimizer.apply_gradients([(tf.constant(1.0), variable)])
    assert float(tape.gradient(y, variable)) == 6.0
    assert float(variable) == 2.0


@pytest.fixture
def launched(monkeypatch):
    """The launches of updates that the thread pool does, of any size; the pool has its number of threads again afterwards."""
    before, found = compute_pool.threads, []
    monkeypatch.setattr(eager_launch, "LEAST_POOL_NANOSECONDS", 0.0)
    monkeypatch.setattr(
        grouped_update, "run_on_thread_pool", lambda *given: found.append(given[0]) or run_on_thread_pool(*given)
    )
    yield found
    compute_pool.resize(before)


@pytest.mark.parametrize("options", [{}, {"global_clipnorm": 0.5}], ids=["plain", "clipped"])
@pytest.mark.parametrize("name", CASES)
def test_any_number_of_threads_gives_the_same_weights(name, options, launched):
    weights, gradients = draw(steps=3, shapes=[(150, 70), (70,), (), (0,), (9, 1000)])
    results = []
    for threads in (1, 2, 3):
        compute_pool.resize(threads)
        launched.clear()
        variables = [tf.Variable(w, dtype="float32") for w in weights]
        optimizer = getattr(tf.optimizers, name)(RATE, **options)
        for step in gradients:
            tensors = [tf.transpose(tf.constant(np.transpose(g), "float32")) for g in step]  # not contiguous
            optimizer.apply(tensors, variables)
        results.append([variable.numpy().tobytes() for variable in variables])
        assert len(launched) == (0 if threads == 1 or name == "Adafactor" else 3)
    assert results[0] == results[1] == results[2]


def test_the_thread_pool_does_large_updates():
    for size, is_launched in ((1_000, False), (1_000_000, True)):
        group = grouped_update.GroupedUpdate([tf.Variable(tf.zeros(size))], [], None, [True]).groups[0]
        found = group._launches_of(kernels.adam, kernels.adam.variables_kernel[group.dtype], 2)
        assert (found is not None) == is_launched
