"""In a deferral operations do not run before their results are used, and a program sees the values of an ordinary run."""

import copy
import pickle
import threading

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.control_flow.graph_operation import GraphOperation
from fastgrad._src.core import deferral
from fastgrad._src.core.deferral import DeferredArray
from fastgrad._src.core.dispatch import dispatchers
from fastgrad._src.core.recording import hide_from_tapes
from fastgrad._src.core.tensor import Tensor, constant_tensor
from fastgrad.keras import Input, Model, layers
from tests.compiler.recorded import record


def is_deferred(x):
    return type(x._array) is DeferredArray and x._array._call.results is None


def zeros(*shape, dtype=np.float32):
    return constant_tensor(deferral.zeros(shape, np.dtype(dtype)))


class Custom(layers.Layer):
    """A layer of a user's function, which gets the layer and the input."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x):
        return self.function(self, x)


def spec(function, shape=(4,), dtype="float32"):
    y = Custom(function)(Input(shape, dtype=dtype))
    return y.shape, y.dtype


# ---- what runs and when ------------------------------------------------------------------------------------


def test_results_have_shapes_and_dtypes_and_no_elements():
    with deferral.defer_operations():
        y = tf.nn.relu(tf.matmul(zeros(2, 3), tf.ones((3, 5))) + 1.0)
        assert (y.shape, y.dtype) == ((2, 5), tf.float32)
        assert is_deferred(y)
    np.testing.assert_array_equal(y.numpy(), np.ones((2, 5), np.float32))


def test_operations_without_deferred_inputs_run_at_once():
    with deferral.defer_operations():
        assert type((tf.ones(3) + 1.0)._array) is np.ndarray


def test_operations_run_at_once_outside():
    assert type(zeros(2)._array) is np.ndarray
    assert dispatchers == []


def test_a_long_chain_is_computed_without_recursion():
    with deferral.defer_operations():
        x = zeros(2)
        for _ in range(5000):
            x = x + 1.0
    np.testing.assert_array_equal(x.numpy(), [5000.0, 5000.0])


def test_a_call_reads_the_variable_as_it_was():
    v = tf.Variable([1.0, 2.0])
    with deferral.defer_operations():
        y = zeros(2) + v
        v.assign([7.0, 7.0])
    np.testing.assert_array_equal(y.numpy(), [1.0, 2.0])


def test_a_deferral_belongs_to_one_thread():
    kinds = []
    with deferral.defer_operations():
        thread = threading.Thread(target=lambda: kinds.append(type(zeros(2)._array)))
        thread.start()
        thread.join()
        with hide_from_tapes():
            assert is_deferred(zeros(2) + 1.0)
    assert kinds == [np.ndarray]


def test_an_error_ends_the_deferral():
    with pytest.raises(RuntimeError), deferral.defer_operations():
        raise RuntimeError
    assert dispatchers == []
    assert not deferral.is_deferring()


def test_a_tensor_that_outlives_the_deferral_is_a_tensor():
    with deferral.defer_operations():
        y, z = tf.exp(zeros(2)), tf.exp(zeros(2))
        elements = z.numpy()
        elements[0] = 7.0
    assert (tf.reshape(y, (2, 1)) * 3.0).numpy().tolist() == [[3.0], [3.0]]
    assert type(y) is Tensor
    assert type(y._array) is np.ndarray
    assert z.numpy().tolist() == [1.0, 1.0]
    assert tf.function(lambda: z + 1.0)().numpy().tolist() == [2.0, 2.0]


def test_positions_are_checked_at_once():
    with deferral.defer_operations():
        x = zeros(2, 3)
        assert is_deferred(tf.gather(x, [0, 2], axis=1))
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"indices\[1\] = 3 is not in \[0, 3\)"):
            tf.gather(x, [0, 3], axis=1)


@tf.custom_gradient
def doubled(x):
    return x * 2.0, lambda g: g * 5.0


def gradient(x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = doubled(tf.recompute_grad(lambda a: tf.tanh(a) * x)(x))
    return tape.gradient(y, x)


def hessian(x):
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = tf.reduce_sum(tf.sin(x) * x)
        g = inner.gradient(y, x)
    return outer.jacobian(g, x)


def assigned(x):
    v = tf.Variable(tf.zeros((2, 3)))
    v.assign_add(x)
    v[0].assign(x[1])
    return v * tf.exp(x), v.scatter_add(tf.IndexedSlices(x[:1], [1])).read_value()


PROGRAMS = [
    lambda x: tf.vectorized_map(lambda row: row + x[0], x),
    lambda x: tf.map_fn(lambda row: row * x[1], x),
    lambda x: tf.scan(lambda a, row: a + row * x[0], x),
    lambda x: tf.while_loop(lambda i, y: tf.reduce_sum(y) < 100.0, lambda i, y: (i + 1, y * 2.0 + x), (0, x + 1.0)),
    lambda x: tf.cond(tf.reduce_sum(x) > 2.0, lambda: x + 1.0, lambda: x[:1]),
    lambda x: tf.switch_case(tf.cast(x[0, 1], tf.int32), [lambda: x, lambda: x * 2.0]),
    lambda x: tf.function(lambda y: y + x)(tf.exp(x)),
    lambda x: tf.function(lambda: tf.reduce_sum(x) + tf.reduce_max(tf.exp(x)))(),
    lambda x: tf.py_function(lambda a: a * 2.0 + x, [x], tf.float32),
    lambda x: tf.numpy_function(lambda a: a * 2.0, [x + 1.0], tf.float32),
    lambda x: tf.RaggedTensor.from_row_lengths(tf.reshape(x, [-1]), [2, 4]).to_tensor(),
    lambda x: tf.ragged.boolean_mask(x, x > 1.0).to_tensor(),
    lambda x: tf.boolean_mask(x, x > 1.0),
    lambda x: tf.unique(tf.reshape(tf.floor(x / 2.0), [-1])),
    lambda x: x[tf.cast(x[0, 1], tf.int32)],
    lambda x: tf.einsum("ij,kj->ik", x, x),
    lambda x: tf.linalg.svd(x, compute_uv=False),
    lambda x: [row + 1.0 for row in x],
    lambda x: tf.sort(x, direction="DESCENDING"),
    lambda x: tf.math.top_k(x, 2),
    lambda x: tf.gather(x, tf.argmax(x, 1), axis=1),
    lambda x: tf.one_hot(tf.cast(x, tf.int32), 4),
    lambda x: tf.random.stateless_uniform(tf.shape(x), seed=[1, 2]) + x,
    lambda x: tf.nn.moments(x, 0),
    lambda x: tf.nn.dropout(x, 0.5, seed=3),
    lambda x: tf.clip_by_global_norm([x, x + 1.0], 1.0),
    lambda x: np.asarray(x) + x,
    lambda x: x.numpy() * np.sum(x),
    lambda x: float(x[0, 0]) + int(x[1, 1]) + len(x),
    lambda x: (repr(x), str(x), f"{x[0, 0]:.2f}"),
    lambda x: copy.deepcopy(x) + pickle.loads(pickle.dumps(x)),
    lambda x: tf.debugging.assert_less(x, 9.0) or x,
    lambda x: tf.debugging.check_numerics(tf.math.log(x + 1.0), "log"),
    gradient,
    hessian,
    assigned,
]


def bits(result):
    leaves = [np.asarray(leaf) for leaf in tf.nest.flatten(result)]
    return [(leaf.dtype, leaf.shape, leaf.tolist()) for leaf in leaves]


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_a_program_gives_the_same_bits(number):
    program, array = PROGRAMS[number], np.arange(6, dtype=np.float32).reshape(2, 3)
    tf.random.set_seed(1)
    expected = bits(program(tf.constant(array)))
    tf.random.set_seed(1)
    with deferral.defer_operations():
        result = program(constant_tensor(deferral.deferred_array(array.copy, array.shape, array.dtype)))
    assert bits(result) == expected


# ---- shapes of layers ----------------------------------------------------------------------------------------


def test_shapes_are_inferred_without_memory():
    """The arrays would have 16 TiB."""
    x = Input((1 << 21, 1 << 20))
    y = Custom(lambda layer, x: tf.reduce_sum(tf.nn.relu(x) * 2.0, 2))(x)
    assert (y.shape, y.dtype) == ((None, 1 << 21), "float32")


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda layer, x: tf.nn.softmax(x), ((None, 4), "float32")),
        (lambda layer, x: tf.argmax(x, -1), ((None,), "int64")),
        (lambda layer, x: tf.cast(x > 0, tf.float16), ((None, 4), "float16")),
        (lambda layer, x: tf.where(x > -1.0)[:, 0], ((None,), "int64")),
        (lambda layer, x: tf.reshape(x, [tf.shape(x)[0] * 2, 2]), ((None, 2), "float32")),
        (lambda layer, x: tf.concat([x, x[:, :1]], 1), ((None, 5), "float32")),
        (lambda layer, x: tf.map_fn(lambda row: row * 2.0, x), ((None, 4), "float32")),
        (
            lambda layer, x: tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * 2.0), (0, x))[1],
            ((None, 4), "float32"),
        ),
        (lambda layer, x: tf.numpy_function(lambda a: a[:, :2], [x], tf.float32), ((None, 2), "float32")),
        (lambda layer, x: tf.function(lambda y: tf.nn.relu(y) + x)(x), ((None, 4), "float32")),
        (lambda layer, x: tf.linalg.inv(tf.eye(4) + x[0]), ((4, 4), "float32")),
        (lambda layer, x: tf.random.normal(tf.shape(x)) + x, ((None, 4), "float32")),
    ],
)
def test_shapes_of_functions(function, expected):
    assert spec(function) == expected


def test_a_layer_sees_the_values_of_zeros():
    seen = []

    def call(layer, x):
        tf.debugging.assert_positive(tf.exp(x))
        y = tf.exp(x)
        seen.append(
            (float(tf.reduce_sum(y)), bool(tf.reduce_all(y > 0.5)), f"{y[0, 0]}", repr(y[0, :1]), np.asarray(y)[0, 0])
        )
        return y if tf.reduce_sum(y) > 1.0 else y[:, :1]

    assert spec(call) == ((None, 4), "float32")
    text = "<tf.Tensor: shape=(1,), dtype=float32, numpy=array([1.], dtype=float32)>"
    assert seen == [(8.0, True, "1.0", text, 1.0), (12.0, True, "1.0", text, 1.0)]


def test_a_variable_made_of_inputs_keeps_its_value():
    def call(layer, x):
        if not hasattr(layer, "v"):
            layer.v = tf.Variable(tf.reduce_mean(tf.exp(x), 0) + 1.0)
        return x + layer.v

    layer = Custom(call)
    layer(Input((3,)))
    np.testing.assert_array_equal(layer.v.numpy(), [2.0, 2.0, 2.0])


def test_a_layer_may_keep_a_tensor():
    def call(layer, x):
        if not hasattr(layer, "kept"):
            layer.kept = tf.exp(x)[0]
        return x + layer.kept

    layer = Custom(call)
    layer(Input((3,)))
    np.testing.assert_array_equal(layer(np.zeros((1, 3), np.float32)).numpy(), np.ones((1, 3)))


def test_a_tape_inside_of_a_layer():
    def call(layer, x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(tf.exp(x) * x)
        return tape.gradient(y, x)

    assert spec(call) == ((None, 4), "float32")


def test_variables_and_random_state_are_as_after_a_run():
    def call(layer, x):
        if not hasattr(layer, "count"):
            layer.count = tf.Variable(0)
        layer.count.assign_add(1)
        return tf.nn.dropout(x, 0.5) + tf.random.uniform([4])

    tf.random.set_seed(3)
    layer = Custom(call)
    layer(Input((4,)))
    after = tf.random.uniform([2]).numpy()
    tf.random.set_seed(3)
    for rows in (2, 3):
        tf.nn.dropout(tf.zeros((rows, 4)), 0.5)
        tf.random.uniform([4])
    np.testing.assert_array_equal(after, tf.random.uniform([2]).numpy())


@pytest.mark.parametrize(
    "function",
    [
        lambda x: tf.matmul(x, tf.ones((5, 2))),
        lambda x: x + tf.ones((7,)),
        lambda x: tf.concat([x, tf.ones((1, 2, 3))], 0),
        lambda x: tf.reshape(x, [3, 3, 3]),
        lambda x: tf.nn.conv2d(x[:, :, None, None], tf.ones((9, 1, 1, 1)), 1, "VALID"),
        lambda x: tf.gather(x, [9], axis=1),
        lambda x: tf.reduce_sum(x, 5),
    ],
)
def test_errors_are_those_of_a_run(function):
    with pytest.raises(Exception) as expected:  # noqa: PT011
        function(tf.zeros((2, 4)))
    with pytest.raises(type(expected.value)) as raised:
        spec(lambda layer, x: function(x))
    assert str(expected.value) in str(raised.value)


def test_a_model_computes_what_it_did():
    x = Input((6, 6, 3))
    y = Custom(lambda layer, x: tf.nn.relu(x) + 1.0)(layers.Conv2D(4, 3)(x))
    model = Model(x, layers.Dense(2)(layers.Flatten()(y)))
    assert model.output_shape == (None, 2)
    assert model(np.ones((5, 6, 6, 3), np.float32)).shape == (5, 2)


def test_a_deferral_does_not_run_graphs(monkeypatch):
    operation = GraphOperation(record(lambda x: (tf.reduce_sum(x, 0), tf.sin(x)), tf.ones((2, 3), tf.float64))[0])
    runs = []
    run = GraphOperation.run
    monkeypatch.setattr(GraphOperation, "run", lambda self, *arrays: runs.append(self) or run(self, *arrays))
    with deferral.defer_operations():
        results = operation(Tensor(deferral.zeros((2, 3), np.dtype(np.float64))))
        assert [(y.shape.as_list(), y.dtype) for y in results] == [([3], tf.float64), ([2, 3], tf.float64)]
        assert all(type(y._array) is DeferredArray for y in results)
        assert runs == []
    np.testing.assert_array_equal(results[1], np.zeros((2, 3)))
    assert runs == [operation]
