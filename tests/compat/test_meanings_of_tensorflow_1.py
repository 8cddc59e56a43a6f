"""`tf.compat.v1`: what its names mean, compared with the values of TensorFlow 2.21.

The table has each name whose arguments, defaults or results TensorFlow 1 declares for itself, as far as its results are numbers.
"""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.compat import v1

SP = tf.sparse.SparseTensor([[0, 0], [0, 2], [1, 1]], [1.0, 2.0, 3.0], [2, 3])


def numbers(*shape):
    return tf.reshape(tf.range(np.prod(shape), dtype=tf.float32), shape)


def _values(x):
    if isinstance(x, (list, tuple)):
        return [_values(y) for y in x]
    if isinstance(x, tf.sparse.SparseTensor):
        return _values(tf.sparse.to_dense(x))
    return x.to_list() if isinstance(x, tf.RaggedTensor) else np.asarray(x).tolist()


def _assert_close(x, wanted):
    if isinstance(wanted, list):
        assert isinstance(x, list)
        assert len(x) == len(wanted)
        for a, b in zip(x, wanted, strict=True):
            _assert_close(a, b)
    else:
        assert type(x) is type(wanted)
        assert x == (pytest.approx(wanted, rel=1e-4, abs=2e-5) if isinstance(wanted, float) else wanted)


@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        (lambda: v1.where([True, False], [[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]), [[1.0, 2.0], [7.0, 8.0]]),
        (
            lambda: v1.where([True, False], numbers(2, 3, 2), -numbers(2, 3, 2)),
            [[[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], [[-6.0, -7.0], [-8.0, -9.0], [-10.0, -11.0]]],
        ),
        (lambda: v1.where(True, [1.0, 2.0], [3.0, 4.0]), [1.0, 2.0]),
        (lambda: v1.where([[True, False]], [[1.0, 2.0]], [[3.0, 4.0]]), [[1.0, 4.0]]),
        (lambda: v1.where([True, False, True]), [[0], [2]]),
        (lambda: v1.where_v2([True, False], [[1.0, 2.0], [3.0, 4.0]], 0.0), [[1.0, 0.0], [3.0, 0.0]]),
        (lambda: v1.strings.split(["a b", "c"]), [[b"a", b"b"], [b"c", b""]]),
        (lambda: v1.strings.split("a b"), [[b"a", b"b"]]),
        (lambda: v1.strings.split(source=["a,b"], sep=",", result_type="RaggedTensor"), [[b"a", b"b"]]),
        (lambda: v1.string_split(["a  b", "c"], skip_empty=False), [[b"a", b"", b"b"], [b"c", b"", b""]]),
        (lambda: v1.cond(tf.constant(True), lambda: [tf.constant(1)], lambda: [tf.constant(2)]), 1),
        (
            lambda: v1.cond(
                tf.constant(False), fn1=lambda: [tf.constant(1)], fn2=lambda: [tf.constant(2)], strict=True
            ),
            [2],
        ),
        (
            tf.function(lambda: v1.cond(tf.constant(True), lambda: [tf.constant(1)], lambda: [tf.constant(2)])),
            [1],
        ),
        (lambda: v1.case([(tf.constant(True), lambda: [tf.constant(1)])], lambda: [tf.constant(2)]), 1),
        (lambda: v1.while_loop(lambda i: i < 3, lambda i: [i + 1], [tf.constant(0)]), [3]),
        (lambda: v1.while_loop(lambda i: i < 3, lambda i: [i + 1], [tf.constant(0)], return_same_structure=True), [3]),
        (lambda: v1.while_loop(lambda i, j: i < 3, lambda i, j: [i + 1, j], [tf.constant(0), tf.constant(5)]), [3, 5]),
        (lambda: v1.constant_initializer(3)([2]), [3.0, 3.0]),
        (lambda: v1.constant_initializer(3, tf.int32)([2]), [3, 3]),
        (lambda: v1.ones_initializer(tf.int32)([2]), [1, 1]),
        (lambda: v1.zeros_initializer()([2], tf.int32), [0, 0]),
        (lambda: v1.sparse.concat(1, [SP, SP]), [[1.0, 0.0, 2.0, 1.0, 0.0, 2.0], [0.0, 3.0, 0.0, 0.0, 3.0, 0.0]]),
        (
            lambda: v1.sparse_concat(sp_inputs=[SP, SP], axis=None, concat_dim=0),
            [[1.0, 0.0, 2.0], [0.0, 3.0, 0.0], [1.0, 0.0, 2.0], [0.0, 3.0, 0.0]],
        ),
        (
            lambda: v1.sparse_concat(0, [SP, v1.sparse_reshape(SP, [3, 2])], None, True),
            [[1.0, 0.0, 2.0], [0.0, 3.0, 0.0], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [3.0, 0.0, 0.0]],
        ),
        (lambda: v1.sparse_split(sp_input=SP, num_split=2, axis=1), [[[1.0, 0.0], [0.0, 3.0]], [[2.0], [0.0]]]),
        (lambda: v1.sparse_add(SP, SP, thresh=5.0), [[0.0, 0.0, 0.0], [0.0, 6.0, 0.0]]),
        (lambda: v1.sparse_reduce_sum(SP, 1, True), [[3.0], [3.0]]),
        (lambda: v1.sparse_reduce_max(SP, reduction_axes=0), [1.0, 3.0, 2.0]),
        (lambda: v1.sparse_tensor_to_dense(SP, 9.0), [[1.0, 9.0, 2.0], [9.0, 3.0, 9.0]]),
        (lambda: v1.sparse_segment_sum(numbers(3, 2), [0, 1], [0, 0]), [[2.0, 4.0]]),
        (lambda: v1.argmax(numbers(2, 3)), [1, 1, 1]),
        (lambda: v1.arg_max(numbers(2, 3), 1), [2, 2]),
        (lambda: v1.batch_to_space(numbers(4, 1, 1, 1), [[0, 0], [0, 0]], 2), [[[[0.0], [1.0]], [[2.0], [3.0]]]]),
        (lambda: v1.bincount([1, 1, 3]), [0, 2, 0, 1]),
        (lambda: v1.boolean_mask(numbers(2, 3), [True, False, True], axis=1), [[0.0, 2.0], [3.0, 5.0]]),
        (lambda: v1.clip_by_average_norm(numbers(3), 0.1), [0.0, 0.13416, 0.26833]),
        (lambda: v1.confusion_matrix([0, 1, 1], [0, 1, 0], weights=[1, 2, 3]), [[1, 0], [3, 2]]),
        (lambda: v1.constant([1, 2, 3, 4], shape=[2, 2]), [[1, 2], [3, 4]]),
        (lambda: v1.convert_to_tensor([1], None, "n", tf.float32), [1.0]),
        (lambda: v1.count_nonzero(numbers(2, 2), 0, True), [[1, 2]]),
        (lambda: v1.depth_to_space(numbers(1, 1, 1, 4), 2), [[[[0.0], [1.0]], [[2.0], [3.0]]]]),
        (lambda: v1.diag([1.0, 2.0]), [[1.0, 0.0], [0.0, 2.0]]),
        (lambda: v1.div([7, -7], 2), [3, -4]),
        (lambda: v1.expand_dims(numbers(2), dim=0), [[0.0, 1.0]]),
        (
            lambda: v1.extract_image_patches(numbers(1, 2, 3, 1), [1, 2, 2, 1], [1, 1, 1, 1], [1, 1, 1, 1], "VALID"),
            [[[[0.0, 1.0, 3.0, 4.0], [1.0, 2.0, 4.0, 5.0]]]],
        ),
        (lambda: v1.foldr(lambda a, b: a - b, numbers(3)), 1.0),
        (lambda: v1.gather(numbers(2, 3), [0], axis=1), [[0.0], [3.0]]),
        (lambda: v1.gather(numbers(2, 3), [[0], [1]], batch_dims=1), [[0.0], [4.0]]),
        (lambda: v1.gather_nd(numbers(2, 3), [[0], [1]], None, 1), [0.0, 4.0]),
        (
            lambda: v1.image.crop_and_resize(numbers(1, 3, 3, 1), [[0.0, 0.0, 1.0, 1.0]], [0], [2, 2]),
            [[[[0.0], [2.0]], [[6.0], [8.0]]]],
        ),
        (lambda: v1.losses.absolute_difference(numbers(2), 3 * numbers(2)), 1.0),
        (lambda: v1.losses.cosine_distance(numbers(2, 2), numbers(2, 2), 1), -6.0),
        (lambda: v1.losses.hinge_loss([0.0, 1.0], [0.3, 0.4]), 0.949999988079071),
        (lambda: v1.losses.huber_loss(numbers(3), 3 * numbers(3)), 1.6666666269302368),
        (lambda: v1.losses.log_loss([0.0, 1.0], [0.3, 0.4]), 0.6364826560020447),
        (lambda: v1.losses.mean_squared_error(numbers(2, 2), 2 * numbers(2, 2), [[1.0], [0.0]]), 0.5),
        (lambda: v1.losses.sigmoid_cross_entropy([[0, 1]], [[0.3, 0.4]], label_smoothing=0.1), 0.6861852407455444),
        (lambda: v1.losses.softmax_cross_entropy([[0, 1]], [[0.3, 0.4]], label_smoothing=0.1), 0.6493966579437256),
        (lambda: v1.losses.sparse_softmax_cross_entropy([1], [[0.3, 0.4]]), 0.6443966627120972),
        (lambda: v1.math.in_top_k(numbers(2, 3), [2, 0], 1), [True, False]),
        (lambda: v1.matrix_determinant(numbers(2, 2)), -2.0),
        (lambda: v1.nn.avg_pool(numbers(1, 1, 3, 3), 2, 1, "VALID", "NCHW"), [[[[2.0, 3.0], [5.0, 6.0]]]]),
        (
            lambda: v1.nn.batch_normalization(numbers(2, 2), 1.0, 2.0, 3.0, 4.0, 0.1),
            [[0.23974, 3.0], [5.76026, 8.52052]],
        ),
        (lambda: v1.nn.conv1d(numbers(1, 4, 1), numbers(2, 1, 1), 2, "SAME"), [[[1.0], [3.0]]]),
        (
            lambda: v1.nn.conv2d(numbers(1, 3, 3, 1), numbers(2, 2, 1, 1), [1, 1, 1, 1], "VALID"),
            [[[[19.0], [25.0]], [[37.0], [43.0]]]],
        ),
        (
            lambda: v1.nn.conv2d_backprop_input(
                [1, 3, 3, 1], numbers(2, 2, 1, 1), numbers(1, 2, 2, 1), [1, 1, 1, 1], "VALID"
            ),
            [[[[0.0], [0.0], [1.0]], [[0.0], [4.0], [6.0]], [[4.0], [12.0], [9.0]]]],
        ),
        (
            lambda: v1.nn.conv2d_transpose(numbers(1, 2, 2, 1), numbers(2, 2, 1, 1), [1, 4, 4, 1], [1, 2, 2, 1]),
            [
                [
                    [[0.0], [0.0], [0.0], [1.0]],
                    [[0.0], [0.0], [2.0], [3.0]],
                    [[0.0], [2.0], [0.0], [3.0]],
                    [[4.0], [6.0], [6.0], [9.0]],
                ]
            ],
        ),
        (
            lambda: v1.nn.convolution(numbers(1, 6, 1), numbers(2, 1, 1), "VALID", None, [2]),
            [[[2.0], [3.0], [4.0], [5.0]]],
        ),
        (
            lambda: v1.nn.depthwise_conv2d(numbers(1, 4, 4, 1), numbers(2, 2, 1, 1), [1, 1, 1, 1], "VALID", [2, 2]),
            [[[[48.0], [54.0]], [[72.0], [78.0]]]],
        ),
        (lambda: v1.nn.dropout(numbers(3), 1.0), [0.0, 1.0, 2.0]),
        (
            lambda: v1.nn.embedding_lookup([numbers(2, 2), 10 + numbers(2, 2)], [1, 2], "div"),
            [[2.0, 3.0], [10.0, 11.0]],
        ),
        (lambda: v1.nn.l2_normalize(numbers(2, 2), dim=0), [[0.0, 0.31623], [1.0, 0.94868]]),
        (
            lambda: v1.nn.max_pool_with_argmax(numbers(2, 2, 2, 1), [1, 2, 2, 1], [1, 1, 1, 1], "VALID"),
            [[[[[3.0]]], [[[7.0]]]], [[[[3]]], [[[3]]]]],
        ),
        (lambda: v1.nn.moments(numbers(2, 3), [0], keep_dims=True), [[[1.5, 2.5, 3.5]], [[2.25, 2.25, 2.25]]]),
        (lambda: v1.nn.pool(numbers(1, 4, 1), [2], "AVG", "VALID", None, [2]), [[[0.5], [2.5]]]),
        (
            lambda: v1.nn.separable_conv2d(
                numbers(1, 3, 3, 1), numbers(2, 2, 1, 1), numbers(1, 1, 1, 2), [1, 1, 1, 1], "VALID"
            ),
            [[[[0.0, 19.0], [0.0, 25.0]], [[0.0, 37.0], [0.0, 43.0]]]],
        ),
        (lambda: v1.nn.softmax(numbers(2, 2), dim=0), [[0.1192, 0.1192], [0.8808, 0.8808]]),
        (
            lambda: v1.nn.softmax_cross_entropy_with_logits(labels=numbers(2, 2), logits=numbers(2, 2), dim=0),
            [0.25386, 2.50771],
        ),
        (lambda: v1.nn.weighted_cross_entropy_with_logits(numbers(2), numbers(2), 2.0), [0.69315, 0.62652]),
        (lambda: v1.norm(numbers(2, 2), ord=1, axis=0), [2.0, 4.0]),
        (lambda: v1.pad(numbers(2), [[1, 1]], "CONSTANT", None, 7.0), [7.0, 0.0, 1.0, 7.0]),
        (lambda: v1.reduce_join([["a", "b"], ["c", "d"]], [1, 0], separator="-"), b"a-b-c-d"),
        (lambda: v1.reduce_sum(numbers(2, 3), reduction_indices=[0], keep_dims=True), [[3.0, 5.0, 7.0]]),
        (lambda: v1.reverse_sequence(numbers(2, 3), [2, 3], seq_dim=1), [[1.0, 0.0, 2.0], [5.0, 4.0, 3.0]]),
        (lambda: v1.sets.set_difference([[1, 2, 3]], [[2, 5]], False), [[5]]),
        (lambda: v1.squeeze(numbers(1, 2, 1), squeeze_dims=[2]), [[0.0, 1.0]]),
        (lambda: v1.strings.length(["abc", "é"], None, "UTF8_CHAR"), [3, 1]),
        (v1.train.cosine_decay(0.1, 5, 10, 0.1), 0.05499999597668648),
        (v1.train.cosine_decay_restarts(0.1, 25, 10), 0.014644661918282509),
        (v1.train.exponential_decay(0.1, 15, 10, 0.5, True), 0.05000000074505806),
        (v1.train.inverse_time_decay(0.1, 15, 10, 0.5, True), 0.06666667014360428),
        (v1.train.natural_exp_decay(0.1, 5, 10, 0.5), 0.07788007706403732),
        (v1.train.piecewise_constant(5, [5, 10], [1.0, 2.0, 3.0]), 1.0),
        (v1.train.polynomial_decay(0.1, 15, 10, cycle=True), 0.025074999779462814),
        (lambda: v1.transpose(numbers(2, 2), [1, 0], "t", True), [[0.0, 2.0], [1.0, 3.0]]),
        (lambda: v1.zeros_like([1, 2], tf.float32), [0.0, 0.0]),
    ],
)
def test_a_name_means_what_it_means_in_tensorflow_1(call, wanted):
    _assert_close(_values(call()), wanted)


@pytest.mark.parametrize(
    ("condition", "x", "y"),
    [
        ([True, False, True], numbers(2, 3), -numbers(2, 3)),
        ([True, False], 1.0, [3.0, 4.0]),
        ([[True], [False]], numbers(2, 3), -numbers(2, 3)),
    ],
)
def test_where_does_not_broadcast(condition, x, y):
    for where in (v1.where, tf.raw_ops.Select):
        with pytest.raises(tf.errors.InvalidArgumentError, match="where: x and y need one shape"):
            where(condition=condition, x=tf.constant(x), y=tf.constant(y))


def test_a_vector_condition_chooses_rows_in_functions_and_gradients():
    x = tf.Variable([[1.0, 2.0], [3.0, 4.0]])

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            y = v1.where([True, False], x, 2.0 * x)
        return y, tape.gradient(y, x)

    y, gradient = step()
    assert y.numpy().tolist() == [[1, 2], [6, 8]]
    assert gradient.numpy().tolist() == [[1, 1], [2, 2]]


def test_initializers_have_the_defaults_of_tensorflow_1():
    assert v1.random_normal_initializer()([4000]).numpy().std() == pytest.approx(1.0, abs=0.1)
    assert v1.truncated_normal_initializer()([4000]).numpy().std() == pytest.approx(0.88, abs=0.1)
    draws = v1.random_uniform_initializer()([4000]).numpy()
    assert 0 <= draws.min() < 0.1 < 0.9 < draws.max() < 1
    assert v1.initializers.random_uniform(-3, 4, dtype=tf.int32)([400]).numpy().min() == -3


@pytest.mark.parametrize(
    "name",
    ["glorot_normal", "glorot_uniform", "orthogonal", "random_normal", "truncated_normal", "variance_scaling", "ones"],
)
def test_an_initializer_has_a_dtype(name):
    make = getattr(v1, f"{name}_initializer")
    assert make(dtype=tf.float64)([2, 2]).dtype == tf.float64
    assert make(dtype=tf.float64)([2, 2], tf.float32).dtype == tf.float32
    assert make()([2, 2]).dtype == tf.float32


def test_a_layer_and_a_variable_take_initializers():
    layer = tf.keras.layers.Dense(
        2, kernel_initializer=v1.ones_initializer(), bias_initializer=v1.constant_initializer(2)
    )
    assert layer(numbers(1, 2)).numpy().tolist() == [[3, 3]]
    for initializer in (v1.ones_initializer, v1.ones_initializer()):
        with v1.variable_scope("meanings", reuse=v1.AUTO_REUSE):
            assert v1.get_variable("w", [2], initializer=initializer).numpy().tolist() == [1, 1]


def test_a_scope_has_a_default_name():
    with v1.name_scope(None, "layer", [1]) as name:
        assert name == "layer/"
    with v1.name_scope("block", "layer") as name:
        assert name == "block/"
