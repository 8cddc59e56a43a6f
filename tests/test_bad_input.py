"""Wrong shapes, dtypes, axes, indices, names and arguments of operations: refused by TensorFlow's classes, before anything runs.

The classes are those that TensorFlow 2.21 raises; the messages name the operation, what it got and what it wanted.
"""

import numpy as np
import pytest

import fastgrad as tf

M = tf.reshape(tf.range(6.0), [2, 3])
V = tf.constant([1.0, 2.0, 3.0])
DOUBLE = tf.constant([1.0, 2.0, 3.0], tf.float64)
INTS = tf.constant([1, 2, 3])
TEXT = tf.constant(["a", "b"])
BOOLS = tf.constant([True, False])

INVALID = tf.errors.InvalidArgumentError

SHAPES = [
    (lambda: M + tf.constant([1.0, 2.0]), INVALID, r"add: .*\[2, 3\] vs\. \[2\]"),
    (lambda: tf.multiply(M, tf.ones([4, 3])), INVALID, r"multiply: .*\[2, 3\] vs\. \[4, 3\]"),
    (lambda: tf.matmul(M, M), INVALID, r"matmul: .*\[2, 3\].*\[2, 3\]"),
    (lambda: tf.matmul(V, M), INVALID, r"matmul: .*\[3\] and \[2, 3\]"),
    (lambda: tf.linalg.matvec(M, tf.constant([1.0, 2.0])), INVALID, r"mat.*\[2, 3\].*\[2, 1\]"),
    (lambda: tf.tensordot(M, M, 1), INVALID, r"tensordot: .*\[2, 3\]"),
    (lambda: tf.einsum("ij,jk->ik", M, M), INVALID, r"einsum: .*ij,jk->ik"),
    (lambda: tf.einsum("ij,jk", M), ValueError, "einsum: .*expecting 2"),
    (lambda: tf.reshape(M, [4]), INVALID, r"reshape: .*\[2, 3\].*\[4\]"),
    (lambda: tf.reshape(M, [-1, -1]), INVALID, r"reshape: .*\[-1, -1\]"),
    (lambda: tf.concat([M, V], 0), INVALID, r"concat: .*\[2, 3\].*\[3\]"),
    (lambda: tf.concat([M, tf.ones([2, 2])], 0), INVALID, r"concat: .*\[2, 3\].*\[2, 2\]"),
    (lambda: tf.stack([V, tf.constant([1.0, 2.0])]), INVALID, r"stack: .*\[3\].*\[2\]"),
    (lambda: tf.split(M, 2, axis=1), INVALID, "split: .*size = 3.*2"),
    (lambda: tf.squeeze(M, 0), INVALID, r"squeeze: .*\[2, 3\]"),
    (lambda: tf.broadcast_to(M, [4, 3]), INVALID, r"broadcast_to: .*\[2, 3\].*\[4, 3\]"),
    (lambda: tf.tile(M, [2]), INVALID, r"tile: .*\[2, 3\]"),
    (lambda: tf.pad(M, [[1, 1]]), INVALID, r"pad: .*\[1, 2\].*\[2, 3\]"),
    (lambda: tf.transpose(M, [0]), INVALID, r"transpose: .*\[2, 3\].*\[0\]"),
    (lambda: tf.where(tf.ones([2, 2], tf.bool), M, M), INVALID, r"where: .*\[2, 2\].*\[2, 3\]"),
    (lambda: tf.boolean_mask(M, [True, False, True]), ValueError, "boolean_mask: .*incompatible"),
    (lambda: tf.nn.conv2d(tf.ones([1, 4, 4, 2]), tf.ones([2, 2, 3, 4]), 1, "SAME"), INVALID, "conv2d: .*depth.*2 vs 3"),
    (lambda: tf.nn.conv2d(tf.ones([4, 4]), tf.ones([2, 2, 3, 4]), 1, "SAME"), INVALID, r"conv2d: .*\[4, 4\]"),
    (lambda: tf.nn.bias_add(M, tf.constant([1.0, 2.0])), INVALID, r"bias_add: .*\[2, 3\].*\[2\]"),
    (
        lambda: tf.nn.softmax_cross_entropy_with_logits(M, tf.ones([2, 4])),
        INVALID,
        r"softmax_cross.*\[2, 4\].*\[2, 3\]",
    ),
    (lambda: tf.nn.sigmoid_cross_entropy_with_logits(M, tf.ones([2, 4])), ValueError, r"sigmoid_cross.*\(2, 4\)"),
    (
        lambda: tf.nn.sparse_softmax_cross_entropy_with_logits([0, 1, 2], M),
        ValueError,
        r"sparse_soft.*\(3,\).*\(2, 3\)",
    ),
    (lambda: tf.linalg.cholesky(M), INVALID, r"cholesky: .*\[2, 3\]"),
    (lambda: tf.linalg.solve(tf.eye(2), tf.ones([3, 1])), INVALID, r"solve: .*\[2, 2\] vs\. \[3, 1\]"),
    (lambda: tf.linalg.inv(tf.zeros([2, 2])), INVALID, "inv: .*not invertible"),
    (lambda: tf.linalg.det(V), INVALID, r"det: .*\[3\]"),
    (lambda: tf.math.segment_sum(V, [0, 1]), INVALID, r"segment_sum: .*2 ids.*\[3\]"),
    (lambda: tf.math.segment_sum(V, [1, 0, 0]), INVALID, "segment_sum: .*not increasing"),
    (lambda: tf.ensure_shape(M, [3, 3]), INVALID, r"ensure_shape: .*\[2, 3\].*\(3, 3\)"),
    (lambda: tf.scatter_nd([[0], [1]], [1.0, 2.0, 3.0], [4]), INVALID, r"scatter_nd: .*\[2\].*\[3\]"),
    (lambda: tf.fill([-1], 1.0), INVALID, "fill: .*-1"),
    (lambda: tf.zeros([2, -3]), INVALID, "zeros: .*-3"),
    (lambda: tf.math.top_k(V, 5), INVALID, r"top_k: .*\[3\].*5"),
    (lambda: tf.add_n([M, V]), INVALID, r"add_n: .*\[2, 3\].*\[3\]"),
    (lambda: tf.random.normal([-1]), INVALID, "random.normal: .*-1"),
    (lambda: tf.random.categorical(V, 2), INVALID, r"categorical: .*\[3\]"),
    (lambda: tf.random.stateless_uniform([2], seed=[1]), INVALID, r"stateless_uniform: .*\[2\].*\[1\]"),
]

DTYPES = [
    (lambda: V + DOUBLE, INVALID, "add .*float32.*float64"),
    (lambda: V + INTS, INVALID, "add .*float32.*int32"),
    (lambda: INTS * 1.5, TypeError, r"multiply: .*1\.5.*int32"),
    (lambda: V < DOUBLE, INVALID, "less .*float32.*float64"),
    (lambda: tf.matmul(M, tf.ones([3, 2], tf.float64)), INVALID, "matmul .*float32.*float64"),
    (lambda: tf.exp(INTS), INVALID, "exp: .*int32.*float32"),
    (lambda: tf.logical_and(V, V), INVALID, "logical_and: .*float32.*bool"),
    (lambda: tf.reduce_all(V), INVALID, "reduce_all: .*float32.*bool"),
    (lambda: tf.reduce_sum(BOOLS), INVALID, "reduce_sum: .*bool"),
    (lambda: tf.reduce_sum(TEXT), INVALID, "reduce_sum: .*string"),
    (lambda: -tf.constant([1], tf.uint8), INVALID, "negative: .*uint8"),
    (lambda: tf.concat([V, DOUBLE], 0), INVALID, "concat .*float32.*float64"),
    (lambda: tf.where(BOOLS, 1.5, tf.constant([1, 2])), TypeError, r"1\.5.*int32"),
    (lambda: tf.gather(V, [0.5]), INVALID, "gather .*float32.*int32"),
    (lambda: tf.nn.softmax(INTS), INVALID, "softmax: .*int32"),
    (lambda: tf.nn.relu(BOOLS), INVALID, "relu: .*bool"),
    (lambda: tf.nn.dropout(INTS, 0.5), ValueError, "dropout: .*int32"),
    (lambda: tf.nn.l2_normalize(INTS), TypeError, "l2_normalize: .*int32"),
    (lambda: tf.cast(V, "nope"), TypeError, "'nope'"),
    (lambda: tf.cast(TEXT, tf.float32), tf.errors.UnimplementedError, "cast: .*string.*float32"),
    (lambda: tf.constant(1.5, tf.int32), TypeError, r"1\.5.*int32"),
    (lambda: tf.constant("a", tf.float32), TypeError, "'a'.*float32"),
    (lambda: tf.constant([[1, 2], [3]]), ValueError, r"\[\[1, 2\], \[3\]\]"),
    (lambda: tf.constant([1, None]), ValueError, r"\[1, None\]"),
    (lambda: tf.constant(object()), ValueError, "object"),
    (lambda: tf.convert_to_tensor(V, tf.float64), ValueError, "float64.*float32"),
    (lambda: tf.bitwise.bitwise_and(V, V), INVALID, "bitwise_and: .*float32"),
    (lambda: tf.one_hot([0.5], 2), INVALID, "one_hot .*float32"),
    (lambda: tf.pow(INTS, tf.constant([-1, -1, -1])), INVALID, "pow: .*-1"),
    (lambda: tf.random.uniform([2], dtype=tf.int32), ValueError, "uniform: .*maxval.*int32"),
    (lambda: tf.TensorSpec([2], "nope"), TypeError, "'nope'"),
]

AXES = [
    (lambda: tf.reduce_sum(M, 2), INVALID, "reduce_sum: .*2 for input with 2 dim"),
    (lambda: tf.reduce_sum(M, [0, 0]), INVALID, r"reduce_sum: .*\[0, 0\]"),
    (lambda: tf.reduce_max(M, "a"), INVALID, "reduce_max: .*'a'"),
    (lambda: tf.reduce_mean(M, 1.5), TypeError, r"reduce_mean: .*1\.5"),
    (lambda: tf.argmax(M, 2), INVALID, "argmax: .*2 not in range"),
    (lambda: tf.cumsum(M, 2), INVALID, "cumsum: .*2 not in range"),
    (lambda: tf.concat([M, M], 2), INVALID, "concat: .*2 not in range"),
    (lambda: tf.stack([M, M], 4), ValueError, "stack: .*4 not in range"),
    (lambda: tf.unstack(M, axis=2), ValueError, "unstack: .*2 not in range"),
    (lambda: tf.expand_dims(M, 4), INVALID, "expand_dims: .*4"),
    (lambda: tf.squeeze(M, 5), INVALID, "squeeze: .*5"),
    (lambda: tf.reverse(M, [2]), INVALID, "reverse: .*2"),
    (lambda: tf.roll(M, 1, 2), INVALID, "roll: .*2"),
    (lambda: tf.nn.softmax(M, axis=2), INVALID, r"softmax: .*\[2, 3\].*2"),
    (lambda: tf.sort(M, axis=2), INVALID, "sort: .*2 not in range"),
    (lambda: tf.gather(M, [0], axis=2), INVALID, "gather: .*2 not in range"),
    (lambda: tf.repeat(M, 2, axis=2), ValueError, "repeat: .*2"),
    (lambda: tf.transpose(M, [0, 0]), INVALID, r"transpose: .*\[0, 0\]"),
    (lambda: tf.tensordot(M, M, [[5], [0]]), IndexError, "tensordot: .*5"),
]

INDICES = [
    (lambda: V[3], INVALID, "slice index 3 of dimension 0"),
    (lambda: V[-4], INVALID, "slice index -4 of dimension 0"),
    (lambda: M[0, 0, 0], INVALID, "only has 2 dims|has only 2 dims"),
    (lambda: V["a"], TypeError, "'a'"),
    (lambda: V[1.5], TypeError, r"1\.5"),
    (lambda: V[::0], INVALID, r"strides\[0\]"),
    (lambda: tf.gather(V, [3]), INVALID, r"gather: indices\[0\] = 3 is not in \[0, 3\)"),
    (lambda: tf.gather(V, [-1]), INVALID, r"gather: indices\[0\] = -1 is not in \[0, 3\)"),
    (lambda: tf.gather(V, tf.constant([2**62], tf.int64)), INVALID, r"gather: indices\[0\] = 4611686018427387904"),
    (lambda: tf.gather(V, tf.constant([-(2**63)], tf.int64)), INVALID, r"gather: indices\[0\] = -9223372036854775808"),
    (lambda: tf.nn.embedding_lookup(M, [0, 2]), INVALID, r"indices\[1\] = 2 is not in \[0, 2\)"),
    (lambda: tf.gather_nd(M, [[2, 0]]), INVALID, r"gather_nd: indices\[0\] = \[2, 0\].*\[2, 3\]"),
    (lambda: tf.gather_nd(M, [[0, 0, 0]]), INVALID, "gather_nd: .*3 vs. 2"),
    (lambda: tf.scatter_nd([[4]], [1.0], [4]), INVALID, r"scatter_nd: indices\[0\] = \[4\].*\[4\]"),
    (lambda: tf.tensor_scatter_nd_add(V, [[3]], [1.0]), INVALID, r"scatter_nd_add: indices\[0\] = \[3\]"),
    (lambda: tf.math.unsorted_segment_sum(V, [0, 1, 5], 3), INVALID, r"segment_ids\[2\] = 5"),
    (lambda: tf.slice(V, [2], [5]), INVALID, "slice: .*5"),
    (lambda: tf.nn.sparse_softmax_cross_entropy_with_logits([0, 3], M), INVALID, r"label value of 3.*\[0, 3\)"),
    (lambda: tf.nn.sparse_softmax_cross_entropy_with_logits([0, -1], M), INVALID, r"label value of -1.*\[0, 3\)"),
    (lambda: tf.math.bincount([-1]), INVALID, "bincount: .*-1"),
    (lambda: tf.math.confusion_matrix([3], [0], 2), INVALID, "confusion_matrix: .*3"),
]

ARGUMENTS = [
    (lambda: tf.matmul(M, M, transpose_a=True, adjoint_a=True), ValueError, "matmul: .*transpose_a"),
    (lambda: tf.einsum("i->ij", V), ValueError, "einsum: .*j"),
    (lambda: tf.nn.conv2d(tf.ones([1, 4, 4, 1]), tf.ones([2, 2, 1, 1]), 1, "same!"), INVALID, "conv2d: .*'same!'"),
    (lambda: tf.nn.conv2d(tf.ones([1, 4, 4, 1]), tf.ones([2, 2, 1, 1]), -1, "SAME"), INVALID, "conv2d: .*-1"),
    (lambda: tf.nn.max_pool2d(tf.ones([1, 4, 4, 1]), 0, 1, "SAME"), INVALID, "max_pool2d: .*0"),
    (lambda: tf.nn.dropout(V, 1.5), ValueError, r"dropout: .*1\.5"),
    (lambda: tf.reduce_sum(M, dimension=1), TypeError, "dimension"),
    (lambda: tf.range(0, 5, 0), INVALID, "range: .*0"),
    (lambda: tf.one_hot([1], -1), INVALID, "one_hot: .*-1"),
    (lambda: tf.sort(V, direction="UP"), ValueError, "sort: .*UP"),
    (lambda: tf.pad(V, [[1, 1]], mode="NOPE"), ValueError, "pad: .*NOPE"),
    (lambda: tf.pad(V, [[3, 3]], mode="REFLECT"), INVALID, "pad: .*3"),
    (lambda: tf.concat([], 0), INVALID, "concat: .*empty"),
    (lambda: tf.searchsorted(V, V, side="up"), ValueError, "searchsorted: .*'up'"),
    (lambda: tf.meshgrid(V, V, indexing="x"), ValueError, "meshgrid: .*'x'"),
    (lambda: tf.norm(M, ord="x"), ValueError, "norm: .*x"),
    (lambda: tf.clip_by_global_norm(V, 1.0), TypeError, "clip_by_global_norm: .*sequence"),
    (lambda: tf.random.uniform([2], 5, 2, dtype=tf.int32), INVALID, "uniform: .*5 >= 2"),
    (lambda: tf.constant([1, 2, 3], shape=[2]), TypeError, "constant: .*3 elements.*2 elements"),
    (lambda: tf.constant([1]) // tf.constant([0]), INVALID, "floordiv: .*by zero"),
    (lambda: tf.constant([1]) % tf.constant([0]), INVALID, "floormod: .*by zero"),
    (lambda: tf.debugging.assert_equal(V, V + 1.0), INVALID, "assert_equal: .*did not hold"),
    (lambda: tf.debugging.check_numerics(tf.constant([1.0, float("nan")]), "here"), INVALID, "here .*NaN"),
    (tf.Variable, ValueError, "initial_value"),
    (lambda: tf.Variable([1.0, 2.0], shape=[3]), ValueError, r"\(2,\).*\[3\]"),
    (lambda: V.T, AttributeError, "tf.transpose"),
    (lambda: hash(V), TypeError, r"\.ref\(\)"),
    (lambda: bool(V), ValueError, "tf.reduce_any"),
    (lambda: float(V), TypeError, r"\(3,\)"),
    (lambda: len(tf.constant(1)), TypeError, "Scalar"),
    (lambda: tf.data.Dataset.from_tensor_slices((M, V)), ValueError, "from_tensor_slices: .*2 and 3"),
    (lambda: tf.data.Dataset.range(3).batch(0), INVALID, "batch: .*0"),
    (lambda: tf.data.Dataset.range(3).shuffle(0), INVALID, "shuffle: .*0"),
    (lambda: tf.data.Dataset.range(3).map(3), ValueError, "map: .*callable.*3"),
]


@pytest.mark.parametrize(("call", "error", "message"), [*SHAPES, *DTYPES, *AXES, *INDICES, *ARGUMENTS])
def test_it_is_refused_by_tensorflows_class_with_the_facts(call, error, message):
    with pytest.raises(error, match=message) as refusal:
        call()
    assert type(refusal.value) is error


@pytest.mark.parametrize(("call", "error", "message"), [*SHAPES, *DTYPES, *AXES, *INDICES])
def test_an_operand_is_unchanged_after_a_refusal(call, error, message):
    with pytest.raises(error):
        call()
    np.testing.assert_array_equal(M, np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(V, [1, 2, 3])


def test_a_refused_operation_is_not_on_the_tape():
    v = tf.Variable([1.0, 2.0, 3.0])
    with tf.GradientTape() as tape:
        with pytest.raises(INVALID):
            tf.matmul(v[None], v[None])
        with pytest.raises(INVALID):
            tf.gather(v, [5])
        y = tf.reduce_sum(v * v)
    np.testing.assert_array_equal(tape.gradient(y, v), [2, 4, 6])


@pytest.mark.parametrize(
    "draw",
    [
        lambda: tf.random.normal([-1]),
        lambda: tf.random.uniform([2], 5, 2, dtype=tf.int32),
        lambda: tf.random.uniform([2], dtype=tf.int32),
        lambda: tf.random.categorical(V, 2),
        lambda: tf.nn.dropout(V, 1.5),
        lambda: tf.nn.dropout(INTS, 0.5),
        lambda: tf.nn.dropout(V, 0.5, noise_shape=[2]),
        lambda: tf.random.truncated_normal([2], dtype=tf.int32),
    ],
)
def test_a_refused_draw_leaves_the_random_state(draw):
    tf.random.set_seed(3)
    expected = tf.random.uniform([4])
    tf.random.set_seed(3)
    with pytest.raises((ValueError, TypeError, INVALID)):
        draw()
    np.testing.assert_array_equal(tf.random.uniform([4]), expected)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda v: v.assign([1.0]), ValueError, r"'v:0'.*\(2,\).*\(1,\)"),
        (lambda v: v.assign(tf.constant([1, 2])), ValueError, "float32.*int32"),
        (lambda v: v.assign_add([1.0]), INVALID, r"assign_add: .*'v:0'.*\[2\].*\[1\]"),
        (lambda v: v[5].assign(1.0), INVALID, "5"),
        (lambda v: v[:1].assign([1.0, 2.0]), (ValueError, INVALID), r"\[2\]|\(2,\)"),
        (lambda v: v.scatter_update(tf.IndexedSlices(tf.constant([1.0, 2.0]), tf.constant([0, 5]))), INVALID, "5"),
        (lambda v: v.scatter_add(tf.IndexedSlices(tf.constant([1.0, 2.0]), tf.constant([0, -1]))), INVALID, "-1"),
    ],
)
def test_a_variable_is_unchanged_after_a_refusal(call, error, message):
    v = tf.Variable([1.0, 2.0], name="v")
    with pytest.raises(error, match=message):
        call(v)
    np.testing.assert_array_equal(v, [1.0, 2.0])
