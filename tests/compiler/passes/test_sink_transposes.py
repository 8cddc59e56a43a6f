"""Programs with channels first compute what is between windows with the channels last, and give the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastgrad as tf
from fastgrad._src.compiler.graph.graph import validate
from fastgrad._src.compiler.graph.interpret import interpret
from fastgrad._src.compiler.passes.decompose import decompose
from fastgrad._src.compiler.passes.merge_common import merge_common
from fastgrad._src.compiler.passes.sink_transposes import _perm_below_reshape, sink_transposes
from fastgrad._src.compiler.programs.pipeline import simplify_graph
from fastgrad._src.compiler.programs.program import Program
from fastgrad._src.core.operation import TABLE
from fastgrad._src.ops.shaping import permuted_back
from tests.compiler.passes.programs import operations, record

FIRST = (0, 3, 1, 2)
RNG = np.random.default_rng(0)


def random(*shape, dtype=np.float32):
    return RNG.normal(size=shape).astype(dtype)


X = random(2, 3, 7, 5)
W = random(3, 3, 3, 4)
DEEP = random(3, 3, 4, 4)
CHANNELS = random(4)
THREE, GROUPS, SMALL, VOLUME = (random(*s) for s in ((3, 3, 3, 3), (3, 2, 2, 6), (2, 2, 6, 4), (2, 2, 2, 3, 4)))
FLAT = random(7 * 5 * 4, 3)
MASK = RNG.normal(size=(2, 4, 7, 5)) > 0


def convolved(x, w, **options):
    return tf.nn.conv2d(x, w, **{"strides": 1, "padding": "SAME", "data_format": "NCHW", **options})


def activated(x, w=W, b=CHANNELS):
    return tf.nn.relu(tf.nn.bias_add(convolved(x, w), b, "NCHW"))


def two_layers(x):
    return convolved(activated(x), DEEP)


def pooled(x):
    y = tf.nn.max_pool2d(activated(x), 2, 2, "SAME", data_format="NCHW")
    return tf.nn.avg_pool2d(y, 2, 1, "VALID", data_format="NCHW")


def residual(x):
    y = activated(x)
    return y + activated(y, DEEP)


def in_strides_and_groups(x):
    y = convolved(activated(x), GROUPS, strides=2, padding="VALID")
    return convolved(tf.tanh(y), SMALL, dilations=2)


def normalised(x):
    y = convolved(x, W)
    mean, variance = tf.nn.moments(y, [0, 2, 3], keepdims=True)
    return convolved((y - mean) * tf.math.rsqrt(variance + 0.1), DEEP)


def mean_of_images(x):
    return tf.reduce_mean(activated(x), [2, 3])


def joined_and_cut(x):
    y = tf.pad(tf.concat([activated(x), convolved(x, W)], 1), [[0, 0], [0, 0], [1, 2], [0, 1]])
    left, right = tf.split(y, 2, axis=1)
    return convolved((left * right)[:, :, 1:-1, ::2], DEEP)


def enlarged(x):
    y = tf.repeat(tf.repeat(activated(x), 2, axis=2), 3, axis=3)
    return convolved(tf.concat([y, tf.reshape(y, (2, 4, 14, 15)) * 2.0], 1), tf.concat([DEEP, DEEP], 2))


def flattened(x):
    y = tf.transpose(activated(x), (0, 2, 3, 1))
    return tf.matmul(tf.reshape(y, (2, -1)), FLAT)


def with_the_input_itself(x):
    return convolved(x + convolved(x, THREE), W)


def with_constants(x):
    return convolved(tf.where(MASK, activated(x), 0.5), DEEP)


def with_numbers_for_each_image(x):
    y = activated(x)
    return convolved(y * tf.reduce_max(y, [2, 3], keepdims=True) + tf.range(5.0), DEEP)


ALL_GONE = [
    two_layers,
    pooled,
    residual,
    in_strides_and_groups,
    normalised,
    mean_of_images,
    joined_and_cut,
    enlarged,
    flattened,
    with_the_input_itself,
    with_constants,
]


def expanded(step, *arrays):
    return decompose(simplify_graph(record(step, *arrays)))


def with_gradients(function):
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
            loss = tf.reduce_sum(y * y * tf.cast(0.01, y.dtype))
        return y, tape.gradient(loss, x)

    return step


def near(found, wanted):
    for a, b in zip(found, wanted, strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5 * max(1, np.abs(b).max(initial=0)))


def transposes(graph):
    return [node for node in graph.nodes if node.kind.name == "OPERATION" and node.payload.name == "transpose"]


@pytest.mark.parametrize("function", [*ALL_GONE, with_numbers_for_each_image])
def test_values_and_gradients_are_the_same(function):
    graph = expanded(with_gradients(function), X)
    text = str(graph)
    better = sink_transposes(graph)
    validate(better)
    assert str(graph) == text
    near(interpret(better, [X]), interpret(graph, [X]))
    near(Program(record(with_gradients(function), X))([X]), interpret(graph, [X]))


@pytest.mark.parametrize("function", ALL_GONE)
def test_a_network_transposes_at_its_ends(function):
    better = merge_common(sink_transposes(expanded(function, X)))
    arguments = {id(value) for node in better.nodes if node.kind.name == "ARGUMENT" for value in node.outputs}
    left = transposes(better)
    at_the_start = [node for node in left if id(node.inputs[0]) in arguments]
    at_the_end = [node for node in left if node.outputs[0] in better.results]
    assert len(at_the_start) == 1
    assert len(left) == len(at_the_start) + len(at_the_end)
    assert len(at_the_end) == (function not in (mean_of_images, flattened))


@pytest.mark.parametrize("normalised", [False, True])
def test_a_step_has_the_kernels_of_one_with_the_channels_last(normalised):
    def step(data_format):
        norm = tf.keras.layers.BatchNormalization(axis=data_format.index("C"))

        def run(x, w, b, deep):
            with tf.GradientTape() as tape:
                tape.watch([w, b, deep])
                y = tf.nn.conv2d(x, w, 1, "SAME", data_format=data_format)
                y = tf.nn.bias_add(y, b, data_format)
                y = tf.nn.relu(norm(y, training=True) if normalised else y)
                y = tf.nn.max_pool2d(y, 2, 2, "VALID", data_format=data_format)
                y = tf.nn.conv2d(y, deep, 1, "SAME", data_format=data_format)
                loss = tf.reduce_sum(y * y)
            return tape.gradient(loss, [w, b, deep])

        return run

    last, first = random(2, 8, 8, 3), random(2, 3, 8, 8)
    kernels = []
    for data_format, x in (("NHWC", last), ("NCHW", first)):
        program = Program(record(step(data_format), x, W, CHANNELS, DEEP))
        launches = [action.launches for action in program.plan.actions if action.launches is not None]
        kernels.append([one.kernel.__name__ for found in launches for one in found.launches])
    assert [name for name in kernels[1] if not name.startswith("move")] == kernels[0]
    assert len(kernels[1]) == len(kernels[0]) + 1  # the images are moved


def test_gradients_of_flattened_images_are_not_transposed_twice():
    better = merge_common(sink_transposes(expanded(with_gradients(flattened), X)))
    assert [node.outputs[0].shape for node in transposes(better)] == [(2, 7, 5, 3), X.shape]


def test_groups_of_channels_are_computed_as_they_lie_after_a_transpose():
    def step(x):
        groups = tf.reshape(activated(x), (2, 2, 2, 7, 5))
        return groups - tf.reduce_mean(groups, [2, 3, 4], keepdims=True)

    graph = expanded(step, X)
    better = sink_transposes(graph)
    near(interpret(better, [X]), interpret(graph, [X]))
    assert (2, 2, 2, 7, 5) in [node.outputs[0].shape for node in better.nodes if node.payload is TABLE["subtract"]]


@given(st.data())
def test_transposes_behind_reshapes(data):
    shape = tuple(data.draw(st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=1, max_size=4)))
    perm = tuple(data.draw(st.permutations(range(len(shape)))))
    parts, left = [], int(np.prod(shape))
    for _ in range(data.draw(st.integers(0, 4))):
        parts.append(data.draw(st.sampled_from([n for n in range(1, left + 1) if left % n == 0])))
        left //= parts[-1]
    parts.append(left)
    found = _perm_below_reshape(shape, tuple(parts), perm)
    if found is not None:
        base = np.arange(np.prod(shape)).reshape(permuted_back(shape, perm))
        after = base.reshape(permuted_back(tuple(parts), found)).transpose(found)
        np.testing.assert_array_equal(after, base.transpose(perm).reshape(parts))
    elif parts == list(shape):
        raise AssertionError("a reshape that changes nothing")


def test_what_others_need_is_there():
    def step(x):
        y = activated(x)
        return y, convolved(y, DEEP), tf.reshape(y, (2, -1)), y[0], tf.argmax(y, 1)

    graph = expanded(step, X)
    better = sink_transposes(graph)
    near(interpret(better, [X]), interpret(graph, [X]))
    assert (
        len([node for node in transposes(better) if node.outputs[0].shape == (2, 4, 7, 5)]) == 2
    )  # of y, and of the second


def test_what_has_many_readers_is_transposed_once():
    def step(x):
        y = convolved(x, W)
        return [tf.reshape(part, (2, -1)) for part in (y, tf.tanh(y), tf.exp(y), y * 2.0)]

    graph = expanded(step, X)
    assert sink_transposes(graph) is graph


def test_two_layouts_that_meet_stay_apart():
    def step(x, other):
        return activated(x) * other

    other = random(2, 4, 7, 5)
    graph = expanded(step, X, other)
    better = sink_transposes(graph)
    near(interpret(better, [X, other]), interpret(graph, [X, other]))
    assert len(transposes(better)) == 2


def test_dropout_between_layers_turns_its_bits_alone():
    def step(x):
        y = tf.nn.dropout(activated(x), 0.5)
        return tf.reduce_sum(convolved(y, DEEP), [0, 2, 3])

    graph = expanded(step, X)
    better = merge_common(sink_transposes(graph))
    assert [node.outputs[0].dtype.name for node in transposes(better)] == ["float32", "uint32"]


def test_other_transposes_stay_where_they_are():
    def step(x):
        heads = tf.transpose(tf.reshape(x, (2, 3, 7, 5)), (0, 2, 1, 3)) * 0.5
        return heads, tf.nn.max_pool2d(x, 2, 2, "VALID")

    graph = expanded(step, X)
    assert operations(sink_transposes(graph)) == operations(graph)
    alone = expanded(lambda x: tf.transpose(x, FIRST) * 2.0, X)
    assert sink_transposes(alone) is alone


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_dtypes(dtype):
    x = X.astype(dtype)

    def step(x):
        y = tf.nn.relu(convolved(x, W.astype(dtype)))
        return convolved(y * y, DEEP.astype(dtype))

    wanted = interpret(expanded(step, x), [x])
    np.testing.assert_allclose(Program(record(step, x))([x])[0], wanted[0], rtol=1e-2 if dtype is np.float16 else 1e-12)


def test_sequences_and_volumes():
    x, w = random(2, 3, 9), random(3, 3, 4)

    def sequence(x):
        y = tf.nn.relu(tf.nn.conv1d(x, w, 1, "SAME", data_format="NCW"))
        return tf.nn.max_pool1d(y, 2, 2, "SAME", data_format="NCW")

    volume = random(2, 3, 4, 5, 6)

    def of_volume(x):
        y = tf.nn.relu(tf.nn.conv3d(x, VOLUME, (1, 1, 1, 1, 1), "SAME", data_format="NCDHW"))
        return tf.nn.avg_pool3d(y, 2, 2, "SAME", data_format="NCDHW")

    for function, array in ((sequence, x), (of_volume, volume)):
        graph = expanded(function, array)
        better = sink_transposes(graph)
        near(interpret(better, [array]), interpret(graph, [array]))
        assert len(transposes(better)) == 2


def test_no_images():
    x = random(0, 3, 7, 5)
    graph = expanded(residual, x)
    near(interpret(sink_transposes(graph), [x]), interpret(graph, [x]))
    assert Program(record(residual, x))([x])[0].shape == (0, 4, 7, 5)
