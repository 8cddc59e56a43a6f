"""Cheap values are computed again for late readers, where memory is scarce; the bits stay the same."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastgrad as tf
from fastgrad._src.compiler.fusion.fuse import fuse
from fastgrad._src.compiler.graph.graph import validate
from fastgrad._src.compiler.passes import rematerialize
from fastgrad._src.compiler.passes.decompose import decompose
from fastgrad._src.compiler.programs.pipeline import simplify_graph
from fastgrad._src.compiler.programs.program import Program
from fastgrad._src.ops.normalization import layer_normalization
from tests.compiler.passes.programs import bits, history, operations, record
from tests.compiler.programs import drawn_programs

WIDTH, ROWS, LAYERS = 16, 64, 6


@pytest.fixture
def scarce(monkeypatch):
    """Memory is scarce for small programs, too."""
    monkeypatch.setattr(rematerialize, "LEAST_PEAK_BYTES", 1)
    monkeypatch.setattr(rematerialize, "_decisions", {})


def before_and_after(graph):
    """A graph as the pass gets it, and what it makes of that."""
    before = decompose(simplify_graph(graph))
    text = str(before)
    after = rematerialize.rematerialize(before, fuse(before))
    assert str(before) == text
    validate(after)
    validate(fuse(after))
    return before, after


def twice(graph):
    """The names of the operations that are done twice."""
    before, after = before_and_after(graph)
    found = operations(after)
    for name in operations(before):
        found.remove(name)
    return set(found)


def gradients_of_network(layer, seed=0):
    """The gradients of a deep network, as a function of its input; ``layer(x, *variables)`` follows each product."""
    rng = np.random.default_rng(seed)
    kernels = [tf.Variable(rng.normal(size=(WIDTH, WIDTH)).astype(np.float32) / 4) for _ in range(LAYERS)]
    scales = [tf.Variable(rng.normal(size=WIDTH).astype(np.float32)) for _ in range(2 * LAYERS)]

    def gradients(x):
        with tf.GradientTape() as tape:
            for i, kernel in enumerate(kernels):
                x = layer(tf.matmul(x, kernel), *scales[2 * i : 2 * i + 2])
            loss = tf.reduce_sum(x * x)
        found = tape.gradient(loss, [*kernels, *scales])
        return [loss, *[gradient for gradient in found if gradient is not None]]

    return gradients


def batches(count=3, rows=ROWS):
    rng = np.random.default_rng(1)
    return [(rng.normal(size=(rows, WIDTH)).astype(np.float32),) for _ in range(count)]


LAYERS_BY_NAME = {
    "gelu of a layer normalization": lambda x, a, b: tf.nn.gelu(layer_normalization(x, a, b)),
    "gelu": lambda x, a, b: tf.nn.gelu(x + a),
    "gelu's tanh form": lambda x, a, b: tf.nn.gelu(x + a, approximate=True),
    "silu of a product": lambda x, a, b: tf.nn.silu(x * a) + b,
    "relu": lambda x, a, b: tf.nn.relu(x + a),
    "softmax": lambda x, a, b: tf.nn.softmax(x * a) + b,
    "batch normalization by hand": lambda x, a, b: tf.tanh(
        (x - tf.reduce_mean(x, 0)) * tf.math.rsqrt(tf.math.reduce_variance(x, 0) + 1e-3) * a + b
    ),
    "three dimensions": lambda x, a, b: tf.reshape(
        tf.nn.gelu(layer_normalization(tf.reshape(x, [8, -1, WIDTH]), a, b)), [-1, WIDTH]
    ),
    "half width": lambda x, a, b: tf.cast(tf.nn.gelu(tf.cast(x, tf.bfloat16) * tf.cast(a, tf.bfloat16)), tf.float32),
    "residual": lambda x, a, b: x + tf.nn.gelu(layer_normalization(x, a, b)),
    "residual of maps": lambda x, a, b: tf.nn.relu(x) * a + tf.abs(x) + b,
    "dropout": lambda x, a, b: tf.nn.dropout(tf.nn.gelu(x * a), 0.5),
}


@pytest.mark.usefixtures("scarce")
@pytest.mark.parametrize("name", LAYERS_BY_NAME)
def test_the_bits_stay_the_same(name):
    step = gradients_of_network(LAYERS_BY_NAME[name])
    tf.random.set_seed(3)
    graph = record(step, *batches()[0])
    before, after = before_and_after(graph)
    assert history(after, batches(), list(graph.variables())) == history(before, batches(), list(graph.variables()))


@pytest.mark.parametrize("name", LAYERS_BY_NAME)
def test_programs_give_the_same_bits_in_no_more_memory(name, monkeypatch):
    step = gradients_of_network(LAYERS_BY_NAME[name])
    found, memory = [], []
    for least in (1 << 60, 1):
        monkeypatch.setattr(rematerialize, "LEAST_PEAK_BYTES", least)
        monkeypatch.setattr(rematerialize, "_decisions", {})
        tf.random.set_seed(3)
        program = Program(record(step, *batches()[0]))
        tf.random.set_seed(4)
        found.append([bits(program(batch)) for batch in batches()])
        memory.append(program.arena_bytes)
    assert found[0] == found[1]
    assert memory[1] <= memory[0]


@pytest.mark.usefixtures("scarce")
@pytest.mark.parametrize("name", LAYERS_BY_NAME)
def test_what_was_decided_holds_for_other_sizes(name):
    step = gradients_of_network(LAYERS_BY_NAME[name])
    first, after = before_and_after(record(step, *batches()[0]))
    for rows in (48, 104):
        replays = batches(rows=rows)
        tf.random.set_seed(3)
        graph = record(step, *replays[0])
        before = decompose(simplify_graph(graph))
        again = rematerialize.rematerialized_by_known_decision(before)
        if after is first:
            assert again is None
            continue
        validate(again)
        assert operations(again) == operations(after)
        state = list(graph.variables())
        assert history(again, replays, state) == history(before, replays, state)


@pytest.mark.usefixtures("scarce")
@pytest.mark.parametrize("name", ["gelu of a layer normalization", "silu of a product", "half width", "dropout"])
def test_programs_of_other_sizes_have_the_bits_of_programs_decided_anew(name, monkeypatch):
    step = gradients_of_network(LAYERS_BY_NAME[name])
    monkeypatch.setattr(rematerialize, "MOST_REUSE_SIZE_RATIO", 1 << 30)
    Program(record(step, *batches()[0]))
    for rows in (63, 1, 0, 200):
        found = []
        for known in (rematerialize._decisions, {}):
            with monkeypatch.context() as patch:
                patch.setattr(rematerialize, "_decisions", known)
                tf.random.set_seed(3)
                program = Program(record(step, *batches(rows=rows)[0]))
                tf.random.set_seed(4)
                found.append([bits(program(batch)) for batch in batches(rows=rows)])
        assert found[0] == found[1]


@pytest.mark.usefixtures("scarce")
def test_it_is_decided_anew_for_much_larger_sizes_and_for_other_programs():
    step = gradients_of_network(LAYERS_BY_NAME["gelu"])
    before_and_after(record(step, *batches()[0]))
    for other, rows in ((step, 8 * ROWS), (gradients_of_network(LAYERS_BY_NAME["silu of a product"]), ROWS)):
        graph = decompose(simplify_graph(record(other, *batches(rows=rows)[0])))
        assert rematerialize.rematerialized_by_known_decision(graph) is None


@pytest.mark.usefixtures("scarce")
def test_of_a_layer_with_normalization_and_gelu_one_array_is_kept():
    step = gradients_of_network(LAYERS_BY_NAME["gelu of a layer normalization"])
    program = Program(record(step, *batches()[0]))
    array = ROWS * WIDTH * 4
    kept = LAYERS * array  # what is normalized; and five arrays to work with
    weights = LAYERS * (WIDTH + 2) * WIDTH * 4
    assert program.arena_bytes <= kept + 5 * array + weights + 2 * LAYERS * ROWS * 4


@pytest.mark.usefixtures("scarce")
def test_only_maps_are_computed_twice():
    found = set()
    for layer in LAYERS_BY_NAME.values():
        found |= twice(record(gradients_of_network(layer), *batches()[0]))
    assert {"gelu", "add", "multiply", "subtract", "cast"} <= found
    assert not found & {"matmul", "reduce_sum", "reduce_mean", "layer_normalization", "random_uniform", "softmax"}


def test_nothing_is_computed_twice_where_the_values_fit_in_the_caches():
    graph = simplify_graph(record(gradients_of_network(LAYERS_BY_NAME["gelu"]), *batches()[0]))
    assert rematerialize.rematerialize(graph, fuse(graph)) is graph


@pytest.mark.usefixtures("scarce")
def test_a_value_that_is_read_soon_is_kept():
    def program(x, w):
        y = tf.nn.gelu(x)
        return tf.matmul(y, w), tf.matmul(w, y, transpose_b=True)

    x, w = np.zeros((WIDTH, WIDTH), np.float32), np.ones((WIDTH, WIDTH), np.float32)
    assert not twice(record(program, x, w))


@pytest.mark.usefixtures("scarce")
def test_functions_upon_functions_are_kept():
    def chain(x, a, b):
        for _ in range(4):
            x = tf.tanh(tf.exp(x * a))
        return x

    def last(x, a, b):
        return tf.stop_gradient(chain(x, a, b)) * x

    assert "exp" not in twice(record(gradients_of_network(last), *batches()[0]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drawn_programs.CHOICES, st.integers(0, 10))
def test_programs_by_chance(choices, seed):
    program = drawn_programs.Program(choices, seed)
    rng = np.random.default_rng(seed)
    shapes = ((2, 3), (3, 3), (3,), (2, 3, 4))
    replays = [[rng.choice(drawn_programs.SPECIAL, shape) for shape in shapes] for _ in range(2)]
    graph = record(drawn_programs.gradients_of(program), *replays[0])
    with pytest.MonkeyPatch.context() as patch:
        for name in ("LEAST_PEAK_BYTES", "LEAST_REUSE_DISTANCE_IN_VALUE_SIZES", "SCARCE_MEMORY_SHARE_OF_PEAK"):
            patch.setattr(rematerialize, name, 0)
        before, after = before_and_after(graph)
    state = program.variables, [program.generator]
    assert history(after, replays, *state) == history(before, replays, *state)


def test_the_time_is_linear_in_the_number_of_nodes(monkeypatch):
    def costs(layers):
        monkeypatch.setitem(globals(), "LAYERS", layers)
        graph = simplify_graph(
            record(gradients_of_network(LAYERS_BY_NAME["gelu of a layer normalization"]), *batches()[0])
        )
        fused = fuse(graph)
        return drawn_programs.calls_per_node(lambda graph: rematerialize.rematerialize(graph, fused), graph)

    monkeypatch.setattr(rematerialize, "LEAST_PEAK_BYTES", 1)
    assert costs(120) <= 1.1 * costs(12)
