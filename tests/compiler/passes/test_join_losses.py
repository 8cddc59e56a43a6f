"""A loss and its gradient are one node where the cotangent is known before the loss."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.graph.graph import validate
from fastgrad._src.compiler.passes.join_losses import join_losses
from fastgrad._src.compiler.programs.pipeline import simplify_graph
from fastgrad._src.compiler.programs.program import Program
from fastgrad.errors import InvalidArgumentError
from tests.compiler.passes.programs import bits, history, operations, record

LOGITS = np.linspace(-2.0, 3.0, 60, dtype=np.float32).reshape(12, 5)
LABELS = np.arange(12) * 7 % 5
SCALE = np.float32(0.25)


def losses_of(logits, labels=LABELS):
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def gradient_of(function):
    """The loss and its gradient with respect to the first argument."""

    def program(x, *others):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = function(x, *others)
        return loss, tape.gradient(loss, x)

    return program


def mean(x, scale):
    return tf.reduce_mean(losses_of(x))


def weighted(x, scale):
    return tf.reduce_sum(losses_of(x) * np.linspace(0, 1, 12, dtype=np.float32) * scale)


def two(x, scale):
    return tf.reduce_mean(losses_of(x)) + tf.reduce_mean(losses_of(x * scale, LABELS[::-1].copy()))


def squares(x, scale):
    return tf.reduce_sum(tf.square(losses_of(x)))


def one_by_the_other(x, scale):
    return tf.reduce_sum(losses_of(x) * losses_of(x * scale))


def joined(function):
    """The graphs before and after the pass."""
    before = simplify_graph(record(gradient_of(function), LOGITS, SCALE))
    after = join_losses(before)
    validate(after)
    arrays = [(LOGITS, SCALE), (LOGITS[::-1].copy(), np.float32(-1.5))]
    assert history(after, arrays) == history(before, arrays)
    return before, after


@pytest.mark.parametrize(("function", "count"), [(mean, 1), (weighted, 1), (two, 2)])
def test_of_means_and_weighted_sums(function, count):
    _, after = joined(function)
    found = operations(after)
    assert found.count("sparse_softmax_cross_entropy_and_gradient") == count
    assert "sparse_softmax_cross_entropy" not in found
    assert "sparse_softmax_cross_entropy_gradient" not in found


def test_a_cotangent_that_depends_on_its_losses_comes_after_them():
    before, after = joined(squares)
    assert operations(after) == operations(before)


def test_of_losses_that_are_the_cotangents_of_each_other_the_first_comes_alone():
    found = operations(joined(one_by_the_other)[1])
    assert found.count("sparse_softmax_cross_entropy") == 1
    assert found.count("sparse_softmax_cross_entropy_and_gradient") == 1


def test_probabilities_that_others_read_are_kept():
    def program(x):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            losses = losses_of(x)
        first = tape.gradient(losses, x, output_gradients=tf.ones(12))
        return first, tape.gradient(losses, x, output_gradients=tf.fill([12], 2.0))

    before = simplify_graph(record(program, LOGITS))
    assert operations(join_losses(before)) == operations(before)


def test_second_order():
    def penalty(x, scale):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_mean(losses_of(x))
        return loss + tf.reduce_sum(tape.gradient(loss, x) ** 2)

    joined(penalty)


def test_labels_out_of_range_are_refused_in_programs():
    def program(x, labels):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_mean(losses_of(x, labels))
        return loss, tape.gradient(loss, x)

    graph = record(program, LOGITS, LABELS)
    compiled = Program(graph)
    names = [action.node.payload.name for action in compiled.plan.actions]
    assert "sparse_softmax_cross_entropy_and_gradient" in names
    kept = bits(compiled([LOGITS, LABELS]))
    bad = LABELS.copy()
    bad[3] = 5
    with pytest.raises(InvalidArgumentError, match="label value of 5 at row 3"):
        compiled([LOGITS, bad])
    assert bits(compiled([LOGITS, LABELS])) == kept
