"""Tapes of one structure: after some runs a program takes the place of their gradient rules, with the same bits."""

import gc
import threading
import weakref

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.programs.program import Program
from fastgrad._src.core import repeated_backward
from fastgrad._src.core.indexed_slices import IndexedSlices
from fastgrad._src.core.repeated_backward import RUNS_BEFORE_PROGRAM, programs
from fastgrad._src.core.tensor import convert_like

RNG = np.random.default_rng(5)
X = RNG.normal(size=(6, 4)).astype(np.float32)
IDS = np.array([3, 0, 3, 2])
NORMALIZE = tf.keras.layers.LayerNormalization()


@pytest.fixture(autouse=True)
def _no_structures():
    programs.clear()
    yield
    programs.clear()


def numbers(gradients):
    """The gradients as a flat list of arrays."""
    flat = []
    for g in gradients:
        parts = (g.values, g.indices, g.dense_shape) if isinstance(g, IndexedSlices) else (g,)
        flat += [None if part is None else part.numpy() for part in parts]
    return flat


def gradients(function, values):
    """The gradients of a function of variables with these values."""
    variables = [tf.Variable(value) for value in values]
    with tf.GradientTape() as tape:
        target = function(*variables)
    return numbers(tape.gradient(target, variables))


def made_programs():
    return [structure.program for structure in programs if structure.program is not None]


def normal(*shape, dtype=np.float32):
    return RNG.normal(size=shape).astype(dtype)


def dense(w, b):
    return tf.reduce_sum(tf.square(tf.tanh(tf.matmul(X, w) + b)))


def softmax(w):
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=np.arange(6) % 3, logits=tf.matmul(X, w))


def rows(table, w):
    return tf.reduce_sum(tf.gather(table, IDS) * w)


FUNCTIONS = {
    "a dense layer": (dense, lambda: (normal(4, 5), normal(5))),
    "a loss": (softmax, lambda: (normal(4, 3),)),
    "rows of a table": (rows, lambda: (normal(5, 2), normal(4, 2))),
    "powers, whose kernels round otherwise": (lambda x: tf.pow(tf.exp(x), 1.7), lambda: (normal(50),)),
    "sums of large arrays": (lambda x, b: (x + b) ** 2, lambda: (normal(300, 400), normal(400))),
    "chains of large arrays": (
        lambda x, b: tf.maximum(tf.where(x > 0.0, x * 3.0, b) - 0.5, x) / (1.0 + x * x),
        lambda: (normal(300, 400), normal(400)),
    ),
    "products": (
        lambda a, b: tf.matmul(tf.nn.relu(tf.matmul(a, b)), b, transpose_b=True),
        lambda: (normal(90, 70), normal(70, 110)),
    ),
    "products of rows, and of batches": (
        lambda a, b: tf.matmul(tf.matmul(a, b[0]), b, transpose_b=True),
        lambda: (normal(1, 70), normal(3, 70, 110)),
    ),
    "layer normalization and softmax": (
        lambda x, g: tf.nn.log_softmax(NORMALIZE(x) * g),
        lambda: (normal(40, 30), normal(30)),
    ),
    "complex numbers": (lambda x: tf.abs(tf.complex(x, 2.0 * x) ** 2), lambda: (normal(7),)),
    "half-width floats": (lambda x: tf.exp(tf.tanh(x)), lambda: (normal(7, dtype=np.float16),)),
    "float64": (lambda x: tf.math.lgamma(tf.exp(x)), lambda: (normal(7, dtype=np.float64),)),
    "a convolution": (
        lambda k: tf.nn.conv2d(normal_image(), k, 1, "SAME"),
        lambda: (normal(3, 3, 2, 4),),
    ),
    "views": (lambda x: tf.transpose(x)[1:] * 2.0, lambda: (normal(3, 4),)),
    "a variable without influence": (lambda x, y: tf.sin(x), lambda: (normal(3), normal(2))),
    "one operation whose gradient is its input": (lambda x, y: x * y, lambda: (normal(3), normal(3))),
}


def normal_image():
    return np.linspace(-1, 1, 2 * 5 * 5 * 2, dtype=np.float32).reshape(2, 5, 5, 2)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_program_has_the_bits_of_the_gradient_rules(name, monkeypatch):
    function, draw = FUNCTIONS[name]
    for _ in range(RUNS_BEFORE_PROGRAM + 1):
        gradients(function, draw())
    assert len(made_programs()) == 1
    for _ in range(3):
        values = draw()
        by_program = gradients(function, values)
        assert len(made_programs()) == 1
        with monkeypatch.context() as patch:
            patch.setattr(repeated_backward, "MOST_ENTRIES", -1)
            by_rules = gradients(function, values)
        for ours, wanted in zip(by_program, by_rules, strict=True):
            assert (ours is None) == (wanted is None)
            if ours is not None:
                assert ours.dtype == wanted.dtype
                np.testing.assert_array_equal(ours, wanted)


@pytest.mark.parametrize("first", [2, 0.5])
def test_a_number_of_the_program_is_not_a_constant_of_a_rule(first):
    """The number and a constant of a rule are equal when the program is made, and one tensor in the cache of scalars."""

    def of_number(k):
        return gradients(lambda x: tf.reduce_mean(tf.square(x)) * k, (np.array([1.0, 3.0]),))[0]

    for _ in range(RUNS_BEFORE_PROGRAM + 1):
        np.testing.assert_array_equal(of_number(first), [first, 3 * first])
    assert len(made_programs()) == 1
    np.testing.assert_array_equal(of_number(first + 1), [first + 1, 3 * (first + 1)])
    np.testing.assert_array_equal(of_number(first), [first, 3 * first])
    assert len(made_programs()) == 1


def test_a_number_in_the_cache_of_scalars_is_a_source():
    number = convert_like(2.0, np.dtype(np.float32))
    assert number is convert_like(2.0, np.dtype(np.float32))
    for _ in range(RUNS_BEFORE_PROGRAM + 2):
        with tf.GradientTape() as tape:
            tape.watch(number)
            target = number * number * 3.0
        assert float(tape.gradient(target, number)) == 12.0
    assert len(made_programs()) == 1


def test_a_structure_has_all_that_gradients_depend_on():
    """Functions that differ in one place only do not share a program."""
    x = normal(4, 4)
    for function in (
        lambda v: tf.reduce_sum(v * v, axis=0),
        lambda v: tf.reduce_sum(v * v, axis=1),
        lambda v: tf.reduce_sum(v * (v + 1.0), axis=0),
        lambda v: tf.nn.leaky_relu(v, 0.0),
        lambda v: tf.nn.leaky_relu(v, -0.0),
        lambda v: tf.nn.leaky_relu(v, 0.3),
        lambda v: v - v * 2.0,
        lambda v: v * 2.0 - v,
    ):
        gradients(function, (x,))
    assert programs.count == 8
    gradients(lambda v: tf.reduce_sum(v * v, axis=0), (normal(4, 5),))
    gradients(lambda v: tf.reduce_sum(v * v, axis=0), (normal(4, 4, dtype=np.float64),))
    assert programs.count == 10


def test_constants_and_weights_are_read_at_each_run():
    for factor in range(RUNS_BEFORE_PROGRAM + 5):
        x = tf.Variable([1.0, 2.0])
        with tf.GradientTape() as tape:
            y = tf.sin(x) * float(factor) * tf.constant([1.0, factor])
        g = tape.gradient(y, x).numpy()
        np.testing.assert_allclose(g, np.cos([1.0, 2.0]) * factor * np.array([1.0, factor]), rtol=1e-6)
    assert made_programs()


def test_sources_and_targets_are_parts_of_the_structure():
    def gradient(target_number, source_number):
        x = [tf.Variable(2.0), tf.Variable(3.0)]
        with tf.GradientTape() as tape:
            y = [x[0] * x[0] * x[1], x[1] * x[1]]
        return tape.gradient(y[target_number], x[source_number])

    for _ in range(RUNS_BEFORE_PROGRAM + 3):
        assert gradient(0, 0).numpy() == 12.0
        assert gradient(0, 1).numpy() == 4.0
        assert gradient(1, 0) is None
        assert gradient(1, 1).numpy() == 6.0


def test_gradients_of_users_run_each_time():
    calls = []

    @tf.custom_gradient
    def twice(x):
        def backward(g):
            calls.append(1)
            return 2.0 * g

        return 2.0 * x, backward

    for _ in range(RUNS_BEFORE_PROGRAM + 4):
        gradients(lambda x: twice(x) * x, (np.float32(3.0),))
    assert len(calls) == RUNS_BEFORE_PROGRAM + 4


def test_a_tape_inside_a_tape_records_the_gradient_rules():
    for _ in range(RUNS_BEFORE_PROGRAM + 3):
        x = tf.Variable(2.0)
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                y = x**3.0
            dy = inner.gradient(y, x)
        assert outer.gradient(dy, x).numpy() == pytest.approx(12.0)


def test_a_program_that_fails_leaves_the_error_to_the_gradient_rules(monkeypatch):
    def failing(tensors):
        raise MemoryError

    for _ in range(RUNS_BEFORE_PROGRAM + 1):
        gradients(dense, (normal(4, 5), normal(5)))
    (structure,) = programs
    monkeypatch.setattr(structure, "program", failing)
    values = normal(4, 5), normal(5)
    assert [g.shape for g in gradients(dense, values)] == [(4, 5), (5,)]


def test_structures_and_memory_are_bounded(monkeypatch):
    monkeypatch.setattr(repeated_backward, "MOST_STRUCTURES", 5)
    for size in range(1, 20):
        gradients(lambda x: x * x, (normal(size),))
        assert programs.count <= 5
    for size in range(1, 20):  # users' gradients change: they have no structure
        gradients(tf.custom_gradient(lambda x: (x, lambda g: g)), (normal(size),))
        assert sum(map(len, programs.structures.values())) == programs.count <= 5
    assert len(programs.structures) <= 5
    monkeypatch.setattr(repeated_backward, "MOST_ARENA_BYTES", 2 << 20)
    for size in (100_000, 110_000, 120_000):
        for _ in range(RUNS_BEFORE_PROGRAM + 1):
            gradients(lambda x: tf.sin(tf.cos(x) * x), (normal(size),))
        assert 0 <= programs.arena_bytes <= 2 << 20


def test_threads_share_programs():
    values = normal(4, 5), normal(5)
    wanted = gradients(dense, values)
    different = []

    def work():
        for _ in range(40):
            got = gradients(dense, values)
            different.extend(1 for a, b in zip(got, wanted, strict=True) if not np.array_equal(a, b))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert different == []
    assert made_programs()


def test_weights_leave_the_pass_to_the_gradient_rules():
    for weight in range(RUNS_BEFORE_PROGRAM + 3):
        x = tf.Variable([1.0, 2.0])
        with tf.GradientTape() as tape:
            y = x * x
        np.testing.assert_array_equal(
            tape.gradient(y, x, output_gradients=tf.fill([2], float(weight))).numpy(), [2.0 * weight, 4.0 * weight]
        )
    assert programs.count == 0


def test_it_can_be_switched_off():
    tf.config.run_functions_eagerly(True)
    try:
        for _ in range(RUNS_BEFORE_PROGRAM + 3):
            gradients(dense, (normal(4, 5), normal(5)))
        assert programs.count == 0
    finally:
        tf.config.run_functions_eagerly(False)
    gradients(dense, (normal(4, 5), normal(5)))
    assert programs.count == 1


def test_sizes_that_depend_on_values_are_parts_of_the_structure():
    def selected(x):
        return tf.reduce_sum(tf.boolean_mask(x * x, x > 0.0) * 3.0)

    for count in [2] * (RUNS_BEFORE_PROGRAM + 2) + [3, 4, 2, 3]:
        x = np.where(np.arange(6) < count, 1.0, -1.0).astype(np.float32)
        (g,) = gradients(selected, (x,))
        np.testing.assert_array_equal(g, np.where(x > 0, 6.0, 0.0))
    assert made_programs()


@pytest.mark.parametrize(
    "function",
    [
        lambda x, b: tf.reduce_sum(tf.square(tf.transpose(x) + b)),
        lambda x, b: tf.reduce_sum(tf.transpose(x) * b, axis=0) ** 2,
        lambda x, b: tf.square(tf.transpose(tf.matmul(x, b[:, None], transpose_a=True))),
    ],
)
@pytest.mark.parametrize("shape", [(300, 400), (4, 2), (3, 7), (9, 1)])
def test_results_of_transposed_arrays_have_the_bits_of_the_gradient_rules(function, shape):
    values = normal(*shape), normal(shape[0])
    runs = [gradients(function, values) for _ in range(RUNS_BEFORE_PROGRAM + 3)]
    for ours, wanted in zip(runs[-1], runs[0], strict=True):
        np.testing.assert_array_equal(ours, wanted)


@pytest.mark.parametrize("kind", ["custom_gradient", "recompute_grad", "py_function"])
def test_gradients_of_one_call_are_not_kept(kind):
    """They hold the arrays of their call."""
    x = tf.Variable(np.ones(8, np.float32))
    held = []

    def kept(y):
        held.append(weakref.ref(y))
        return y

    @tf.custom_gradient
    def doubled(x):
        y = kept(tf.constant(x.numpy() * 2))
        return tf.identity(y), lambda g: g * y

    functions = {
        "custom_gradient": doubled,
        "recompute_grad": lambda x: tf.recompute_grad(tf.exp)(kept(tf.tanh(x))),
        "py_function": lambda x: tf.py_function(lambda y: kept(tf.exp(y)), [x], tf.float32),
    }
    for _ in range(5):
        with tf.GradientTape() as tape:
            y = tf.reduce_sum(functions[kind](x))
        tape.gradient(y, x)
    del tape, y
    gc.collect()
    assert programs.count <= 1  # py_function records its inner function on another tape, which may be counted
    assert [reference for reference in held if reference() is not None] == []


def test_only_strided_arguments_of_a_program_are_copied(monkeypatch):
    """A half of a split tensor is strided; the weights beside it are not."""
    w, copies = tf.Variable(X), []
    contiguous_arguments = Program._contiguous_arguments

    def watched(self, arguments):
        arrays = contiguous_arguments(self, arguments)
        copies.extend(array.shape for array, given in zip(arrays, arguments, strict=True) if array is not given)
        return arrays

    monkeypatch.setattr(Program, "_contiguous_arguments", watched)
    results = []
    for _ in range(RUNS_BEFORE_PROGRAM + 2):
        with tf.GradientTape() as tape:
            first, second = tf.split(tf.tanh(w), 2, axis=1)
            y = tf.reduce_sum(tf.exp(first) * second * second)
        results.append(tape.gradient(y, w).numpy())
    assert (X.shape[0], X.shape[1] // 2) in copies
    assert X.shape not in copies
    for result in results:
        np.testing.assert_array_equal(result, results[0])
