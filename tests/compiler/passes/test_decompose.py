"""Dropout is drawn once for both ways, and done behind the products around."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.fusion.epilogues import ProductWithEpilogue
from fastgrad._src.compiler.graph.graph import Kind
from fastgrad._src.compiler.passes.decompose import decompose
from fastgrad._src.compiler.passes.rewriting import op_name
from fastgrad._src.compiler.programs.program import Program
from tests.compiler.recorded import record

RNG = np.random.default_rng(0)


def two_layers(rate, dtype):
    arrays = [RNG.normal(size=shape).astype(dtype) for shape in ((32, 20), (20, 24), (24, 7))]

    def step(x, w, v):
        with tf.GradientTape() as tape:
            tape.watch([w, v])
            h = tf.nn.experimental.stateless_dropout(tf.nn.relu(x @ w), rate, seed=[3, 5])
            loss = tf.reduce_sum(tf.square(h @ v))
        return [h, *tape.gradient(loss, [w, v])]

    return step, arrays


def test_both_ways_draw_once_and_follow_their_products():
    step, arrays = two_layers(0.3, np.float32)
    program = Program(record(step, *arrays)[0])
    names = [node.payload.name for node in program.graph.nodes if node.kind in {Kind.OPERATION, Kind.FUSED}]
    assert sum("dropout" in name for name in names) == 1
    products = [
        n.payload for n in program.graph.nodes if n.kind is Kind.FUSED and isinstance(n.payload, ProductWithEpilogue)
    ]
    assert sum("where" in product.name for product in products) == 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64, tf.float16.as_numpy_dtype, tf.bfloat16.as_numpy_dtype])
@pytest.mark.parametrize("rate", [0.25, 1e-12, 0.999, 1 - 1e-12])
def test_bits_are_those_of_the_eager_operation(rate, dtype):
    x = RNG.normal(size=(37, 11)).astype(dtype)
    x[:2, :3] = [[np.nan, np.inf, -0.0], [-np.inf, 0.0, np.nan]]

    def both(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.nn.experimental.stateless_dropout(x, rate, seed=[1, 2])
        return [y, tape.gradient(y, x)]

    found = Program(record(both, x)[0])([x])
    for one, wanted in zip(found, both(tf.constant(x)), strict=True):
        assert one.tobytes() == wanted.numpy().tobytes()


def test_different_draws_stay_different():
    def twice(x):
        return [tf.nn.experimental.stateless_dropout(x, 0.5, seed=[1, seed]) for seed in (1, 2, 1)]

    x = np.ones((50, 8), np.float32)
    graph = decompose(record(twice, x)[0])
    one, other, again = Program(graph)([x])
    assert (one == again).all()
    assert (one != other).any()
    assert 2 <= sum(op_name(node) == "random_bits_of_dropout" for node in graph.nodes) <= 3
