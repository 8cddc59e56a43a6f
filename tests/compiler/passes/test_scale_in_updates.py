"""Gradients that clipping scales are scaled by the update that reads them, with the bits of a pass of its own."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad.compiler.passes.decompose import decompose
from fastgrad.compiler.passes.scale_in_updates import scale_in_updates
from fastgrad.compiler.programs.pipeline import for_host, simplified
from tests.compiler.passes.programs import assert_does_the_same, operations, record

SHAPES = [(3, 4), (), (5,), (300,)]


class Step:
    """A step of an optimizer that clips, and its variables."""

    def __init__(self, name, dtypes=("float32",), **options):
        self.optimizer = getattr(tf.keras.optimizers, name)(0.1, **options)
        self.variables = [tf.Variable(np.full(shape, 0.5), dtype=dtype) for dtype in dtypes for shape in SHAPES]
        self.optimizer.build(self.variables)

    def __call__(self, *gradients):
        self.optimizer.apply_gradients(zip(gradients, self.variables, strict=True))

    def gradients(self, size):
        r = np.random.default_rng(0)
        return [(size * r.normal(size=v.shape)).astype(v.dtype.as_numpy_dtype) for v in self.variables]

    def state(self):
        return [*self.variables, *self.optimizer.variables]


def updates(graph):
    return [node.attributes.get("scaled", False) for node in graph.nodes if "apply_update" in str(node)]


@pytest.mark.parametrize("size", [1e-3, 1.0, np.inf, np.nan])
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Lion", "Ftrl"])
@pytest.mark.parametrize("dtypes", [("float32",), ("float64", "float32")])
def test_updates_scale_with_the_bits_of_gradients_scaled_before(name, dtypes, size):
    step = Step(name, dtypes, global_clipnorm=1.0)
    with np.errstate(all="ignore"):
        gradients = step.gradients(size)
        graph = simplified(decompose(record(step, *gradients)))
        assert not any(updates(graph))
        found = assert_does_the_same(scale_in_updates, graph, [gradients] * 2, step.state())
    assert updates(found) == [True] * len(dtypes)
    assert operations(found).count("multiply") == operations(graph).count("multiply") - len(step.variables)


def test_gradients_that_nobody_else_reads_are_scaled_where_they_are_made():
    x, w = np.ones((64, 128), np.float32), tf.Variable(np.ones((128, 256), np.float32))
    optimizer = tf.keras.optimizers.SGD(0.1)
    optimizer.build([w])

    def step(x, factor):
        g = tf.matmul(x, tf.matmul(x, w), transpose_a=True)
        optimizer.apply_gradients([(g * tf.cast(factor, tf.float32), w)])

    graph = record(step, x, np.array(0.5))
    assert updates(scale_in_updates(simplified(graph))) == [False]


def test_gradients_of_several_factors_are_left():
    step = Step("SGD", clipnorm=1.0)
    assert updates(scale_in_updates(simplified(record(step, *step.gradients(1.0))))) == [False]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_are_rounded_before_the_update(dtype):
    step = Step("SGD", (dtype,), global_clipnorm=1.0)
    assert updates(scale_in_updates(simplified(record(step, *step.gradients(1.0))))) == [False]


@pytest.mark.parametrize("limit", [0.01, 1e9])
def test_programs_give_the_bits_of_eager_steps(limit):
    eager, compiled = (Step("Adam", ("float32", "float64"), global_clipnorm=limit) for _ in range(2))
    function = tf.function(compiled)
    for size in (1.0, 2.0, 0.5):
        eager(*map(tf.constant, eager.gradients(size)))
        function(*map(tf.constant, eager.gradients(size)))
    for one, other in zip(eager.state(), compiled.state(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_no_pass_over_small_gradients_is_left():
    step = Step("Adam", global_clipnorm=1.0)
    graph = for_host(record(step, *step.gradients(1.0)))
    size = sum(v.shape.num_elements() for v in step.variables)
    written = [value for node in graph.nodes for value in node.outputs if node.kind.name in ("FUSED", "OPERATION")]
    assert sum(int(np.prod(v.shape)) for v in written) <= 3 * size + 30  # weights and moments, and numbers
