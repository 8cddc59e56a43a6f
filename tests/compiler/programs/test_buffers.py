"""A leading slice of an argument or variable lies at the place of the whole: errors and Python's nodes see the slice alone."""

import numpy as np
import pytest

import fastgrad as tf

A = tf.ones([3, 4])
V = tf.Variable(A)
GOOD, BAD = tf.constant([0, 1]), tf.constant([0, 9])
ROWS = tf.constant([[0], [1]])
BAD_ROWS = tf.constant([[0], [2]])


def _added(a, k):
    variable = tf.Variable(A) if not hasattr(_added, "variable") else _added.variable
    _added.variable = variable
    variable.scatter_nd_add(k, a[:2])
    return variable[0]


REFUSED = {
    "gather": (lambda a, k: tf.gather(a[:2], k), GOOD, BAD),
    "gather along columns": (lambda a, k: tf.gather(a[:2], k, axis=1), GOOD, BAD),
    "gather of a variable": (lambda a, k: tf.gather(V[:2], k), GOOD, BAD),
    "embedding_lookup": (lambda a, k: tf.nn.embedding_lookup(a[:2], k), GOOD, BAD),
    "gather_nd": (lambda a, k: tf.gather_nd(a[:2], k), ROWS, BAD_ROWS),
    "scatter_nd": (lambda a, k: tf.scatter_nd(k, a[:2], [2, 4]), ROWS, BAD_ROWS),
    "tensor_scatter_nd_update": (lambda a, k: tf.tensor_scatter_nd_update(a[:2], k, a[:2]), ROWS, BAD_ROWS),
    "tensor_scatter_nd_add": (lambda a, k: tf.tensor_scatter_nd_add(a[:2], k, a[:2]), ROWS, BAD_ROWS),
    "scatter_nd_add": (_added, ROWS, BAD_ROWS + 5),
    "sparse cross-entropy": (
        lambda a, k: tf.nn.sparse_softmax_cross_entropy_with_logits(k, a[:2]),
        GOOD,
        BAD,
    ),
    "unsorted_segment_sum": (lambda a, k: tf.math.unsorted_segment_sum(a[:2], k, 2), GOOD, BAD),
    "reverse_sequence": (lambda a, k: tf.reverse_sequence(a[:2], k, seq_axis=1), GOOD, BAD),
    "floordiv": (lambda a, k: tf.cast(a, tf.int32)[:2] // k[:1], GOOD + 1, GOOD),
    "check_numerics": (
        lambda a, k: tf.debugging.check_numerics(k[:2], "here"),
        tf.ones(3),
        tf.constant([np.nan, 0, 0]),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_index_into_a_leading_slice_raises_the_operations_own_error(name):
    function, good, bad = REFUSED[name]
    program = tf.function(function)
    expected = [program(A, good).numpy() for _ in range(3)][-1]
    with pytest.raises(tf.errors.InvalidArgumentError):
        program(A, bad)
    if name != "scatter_nd_add":
        assert program(A, good).numpy().tolist() == expected.tolist()


def test_python_called_with_a_leading_slice_gets_the_slice():
    program = tf.function(lambda a: tf.linalg.svd(a[:2], compute_uv=False))
    got = [program(A * scale).numpy()[0] for scale in (1.0, 2.0, 3.0)]
    np.testing.assert_allclose(got, np.sqrt(8) * np.array([1, 2, 3]), rtol=1e-6)
