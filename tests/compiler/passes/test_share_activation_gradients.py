"""Gradients of gelu read a slope that is computed with gelu, with the bits of computing it again."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.passes import rematerialize
from fastgrad._src.compiler.passes.share_activation_gradients import share_activation_gradients
from fastgrad._src.compiler.programs.program import Program
from tests.compiler.passes.programs import bits, history, operations, record

X = np.array([[-np.inf, -60.0, -3.0, -1e-3], [-0.0, 0.5, 2.0, np.nan]])


def gradients(approximate=False, of=lambda x: x):
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.nn.gelu(of(x), approximate=approximate)
            loss = tf.reduce_sum(y * y)
        return loss, tape.gradient(loss, x)

    return step


@pytest.mark.parametrize("approximate", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_slopes_stand_beside_what_they_are_slopes_of(approximate, dtype):
    graph = record(gradients(approximate), X.astype(dtype))
    found = share_activation_gradients(graph)
    names = operations(found)
    place = names.index("gelu_tanh" if approximate else "gelu")
    assert names[place + 1] == names[place] + "_slope"
    assert not [name for name in names if name.endswith(("gelu_gradient", "tanh_gradient"))]
    assert history(found, [[X.astype(dtype)]]) == history(graph, [[X.astype(dtype)]])


@pytest.mark.parametrize("approximate", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_programs_give_the_same_bits(approximate, dtype, monkeypatch):
    x = np.random.default_rng(0).normal(scale=3, size=(40, 33)).astype(dtype)
    step = gradients(approximate, lambda x: x * x - x)
    kept = Program(record(step, x))
    assert "gelu" in str(kept.graph)
    monkeypatch.setattr(rematerialize, "LEAST_PEAK_BYTES", 0)
    monkeypatch.setattr(rematerialize, "_decisions", {})
    again = Program(record(step, x))
    assert bits(kept([x])) == bits(again([x]))


def test_nothing_is_kept_for_nobody_and_of_narrow_floats():
    for step, x in (
        (tf.nn.gelu, X.astype(np.float32)),
        (gradients(), X.astype(np.float16)),
    ):
        graph = record(step, x)
        assert share_activation_gradients(graph) is graph


def test_other_arguments_have_slopes_of_their_own():
    def step(x, y):
        with tf.GradientTape() as tape:
            tape.watch([x, y])
            loss = tf.reduce_sum(tf.nn.gelu(x) * tf.nn.gelu(y) * tf.nn.gelu(x, approximate=True))
        return tape.gradient(loss, [x, y])

    x, y = np.float32([0.5, -1.0, 2.0]), np.float32([1.5, 3.0, -2.0])
    graph = record(step, x, y)
    found = share_activation_gradients(graph)
    slopes = [name for name in operations(found) if "slope" in name]
    assert sorted(slopes) == ["gelu_slope", "gelu_slope", "gelu_tanh_slope"]
    assert history(found, [[x, y]]) == history(graph, [[x, y]])
