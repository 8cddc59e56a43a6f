"""What reads much for the last time comes early in large programs, and gives the same."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.fusion import product_updates
from fastgrad._src.compiler.graph.graph import Kind, validate
from fastgrad._src.compiler.passes import rematerialize
from fastgrad._src.compiler.programs import pipeline, program
from fastgrad._src.compiler.programs.buffers import InPermanent
from fastgrad._src.compiler.programs.node_order import move_freeing_nodes_up
from fastgrad._src.compiler.programs.pipeline import optimize_for_host
from fastgrad._src.compiler.programs.program import Program
from tests.compiler.passes.programs import bits
from tests.compiler.recorded import record

ROWS, WIDTH, LAYERS = 256, 32, 6


@pytest.fixture
def scarce(monkeypatch):
    """Memory is scarce for small programs, and variables are large."""
    monkeypatch.setattr(rematerialize, "LEAST_PEAK_BYTES", 1)
    monkeypatch.setattr(product_updates, "LEAST_UPDATED_ELEMENTS", 1)


def training_step():
    tf.random.set_seed(1)
    layers = [layer for _ in range(LAYERS) for layer in hidden()]
    model = tf.keras.Sequential([*layers, tf.keras.layers.Dense(3)])
    model.build((None, WIDTH))
    loss_of = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = tf.keras.optimizers.Adam(1e-3)

    def step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    return step, [*model.trainable_variables, *optimizer.variables]


def hidden():
    return tf.keras.layers.Dense(WIDTH), tf.keras.layers.LayerNormalization(), tf.keras.layers.Activation("gelu")


def batch(seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(ROWS, WIDTH)).astype(np.float32), rng.integers(0, 3, ROWS)


def trained(early, monkeypatch):
    """The program of a step, and what training with it gives."""
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "HOST_PASSES", (*pipeline.HOST_PASSES[:-1], early))
        step, variables = training_step()
        step(*map(tf.constant, batch(0)))
        graph, _ = record(step, *batch(1))
        compiled = Program(graph)
    losses = [compiled(batch(seed))[0] for seed in range(2, 5)]
    return compiled, bits([*losses, *[variable.numpy() for variable in variables]])


@pytest.mark.usefixtures("scarce")
def test_products_with_updates_let_go_of_what_they_read(monkeypatch):
    late, wanted = trained(lambda graph: graph, monkeypatch)
    early, found = trained(move_freeing_nodes_up, monkeypatch)
    assert found == wanted
    array = ROWS * WIDTH * 4
    assert early.arena_bytes <= late.arena_bytes - 3 * array
    sums = array // 4  # of blocks of eight rows, for gamma and beta; no other value gets their memory
    assert early.arena_bytes <= (LAYERS + 5) * array + LAYERS * sums


@pytest.mark.usefixtures("scarce")
def test_updates_stay_in_the_memory_of_their_variables(monkeypatch):
    compiled, _ = trained(move_freeing_nodes_up, monkeypatch)
    updates = [a for a in compiled.plan.actions if "apply_update" in getattr(a.node.payload, "name", "")]
    assert len(updates) > LAYERS
    assert all(isinstance(place, InPermanent) for action in updates for place in action.outputs)
    assert not any(action.node.kind is Kind.ASSIGN for action in compiled.plan.actions)


@pytest.mark.usefixtures("scarce")
def test_nothing_goes_before_what_may_stop_or_what_reads_the_old_value():
    v = tf.Variable(np.ones((ROWS, WIDTH), np.float32))

    def step(x, labels):
        y = tf.nn.relu(x @ tf.ones([WIDTH, WIDTH]))
        new = v + y
        old = tf.sort(v, axis=-1)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, old)
        v.assign(new)
        return losses

    graph = optimize_for_host(program.tree_of([record(step, *batch(0))[0]]).graph)
    validate(graph)
    names = [getattr(node.payload, "name", "") for node in graph.nodes if node.kind in (Kind.FUSED, Kind.OPERATION)]
    assert names.index("sort") < names.index("sparse_softmax_cross_entropy")
    assert v.numpy().max() > 1.0
    before = v.numpy()
    compiled = Program(record(step, *batch(0))[0])
    v.assign(before)
    x, labels = batch(3)
    with pytest.raises(tf.errors.InvalidArgumentError):
        compiled([x, labels + WIDTH])
    np.testing.assert_array_equal(v, before)


def test_small_programs_are_left_as_they_are():
    graph, _ = record(lambda x: tf.sort(tf.nn.relu(x)), np.ones((3, 4), np.float32))
    assert move_freeing_nodes_up(graph) is graph
