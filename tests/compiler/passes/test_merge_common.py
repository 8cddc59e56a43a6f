"""What is computed twice from the same values is computed once."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.graph.graph import Kind
from fastgrad._src.compiler.passes.merge_common import merge_common, plain_key
from fastgrad._src.core.operation import TABLE
from tests.compiler.passes.programs import assert_does_the_same, names, operations, record

X = np.array([1.0, -2.0], np.float32)


def merged(function, *arrays, **others):
    return assert_does_the_same(merge_common, record(function, *arrays), [arrays] * 3, **others)


def test_the_same_operation_on_the_same_values_runs_once():
    graph = merged(lambda x: tf.exp(x) * tf.sin(tf.exp(x)) + tf.sin(tf.exp(x)), X)
    assert operations(graph) == ["exp", "sin", "multiply", "add"]


def test_other_attributes_inputs_or_order_are_others():
    def program(x):
        return tf.reduce_sum(x, axis=0), tf.reduce_sum(x, axis=0, keepdims=True), x - 1.0, 1.0 - x, x - 2.0

    assert operations(merged(program, X)).count("reduce_sum") == 2
    assert operations(merged(program, X)).count("subtract") == 3


def test_constants_are_the_same_bit_by_bit():
    nan = np.array([0x7FC00001], np.uint32).view(np.float32)
    values = [0.0, 0.0, -0.0, np.nan, np.nan, nan[0], 1.0, 1.0]
    graph = merged(lambda x: [x + tf.constant(np.full(2, value, np.float32)) for value in values], X)
    assert names(graph).count("CONSTANT") == 5
    graph = merged(lambda x: [tf.constant([b"a", b"b"]), tf.constant([b"a", b"b"]), tf.constant([b"a", b"c"])], X)
    assert names(graph).count("CONSTANT") == 2
    graph = merged(lambda x: [tf.zeros((2, 3)), tf.zeros((3, 2)), tf.zeros((2, 3), tf.int32), tf.zeros((0, 3))], X)
    assert len({id(value) for value in graph.results}) == 4
    large = np.arange(1000.0)
    graph = merged(
        lambda x: [x + tf.constant(large[:2]), tf.constant(large), tf.constant(large), tf.constant(large + 1)],
        large[:2],
    )
    assert names(graph).count("CONSTANT") == 3


def test_attributes_are_the_same_by_type_and_bits():
    values = [
        1,
        1.0,
        True,
        0,
        0.0,
        -0.0,
        False,
        None,
        "1",
        b"1",
        (1,),
        (1.0,),
        [1],
        {"a": 1},
        {"a": 1.0},
        1j,
        complex(-0.0, 1),
    ]
    values += [np.float32(1), np.float64(1), np.dtype("f4"), np.nan, ()]
    keys = [plain_key(value) for value in values]
    assert None not in keys
    assert len(set(keys)) == len(keys)
    assert plain_key(float("nan")) == plain_key(np.nan)
    assert plain_key({"a": 1, "b": (2.0, None)}) == plain_key({"b": (2.0, None), "a": 1})
    assert plain_key(object()) is plain_key((1, object())) is plain_key({"a": [object()]}) is None


def test_draws_of_a_generator_are_never_merged():
    generator = tf.random.Generator.from_seed(1)

    def program(x):
        a = tf.random.stateless_normal([2], [1, 2]) + tf.random.stateless_normal([2], [1, 2])
        return a + generator.normal([2]) + generator.normal([2]) + x

    graph = merged(program, X, generators=[generator])
    assert operations(graph).count("advance_generator") == 2
    assert operations(graph).count("random_normal") == 3  # the same seed gives the same numbers


def test_reads_are_merged_up_to_the_next_write():
    v, w = tf.Variable([1.0, 2.0]), tf.Variable([3.0, 4.0])

    def program(x):
        first = v.value() + v.value() * w
        w.assign(x)
        second = v.value() * 2.0
        v.assign_sub(x * x)
        return first, second, v.value() * 2.0, w.value() + 1.0

    graph = merged(program, X, variables=[v, w])
    reads = [node.payload for node in graph.nodes if node.kind is Kind.READ]
    assert [id(r) for r in reads] == [id(v), id(w)]  # behind an assignment, its value is what is read
    assert operations(graph).count("multiply") == 4


def test_an_optimizers_step_is_made_of_values():
    v = tf.Variable([1.0, 2.0])
    optimizer = tf.keras.optimizers.Adam(0.1)
    optimizer.apply_gradients([(tf.constant([1.0, 1.0]), v)])
    variables = [v, *optimizer.variables]

    def program(x):
        before = [tf.convert_to_tensor(w) for w in variables]
        optimizer.apply_gradients([(x, v)])
        return before, [tf.convert_to_tensor(w) for w in variables]

    graph = merged(program, X, variables=variables)
    assert operations(graph).count("apply_update") == 1
    reads = [node.payload.name for node in graph.nodes if node.kind is Kind.READ]
    assert len(reads) == len(set(reads))  # behind the step, its values are what is read
    assert {"beta_1:0", "beta_2:0", "epsilon:0"} < set(reads)


def test_a_draw_is_a_write_to_the_generators_state():
    generator = tf.random.Generator.from_seed(1)

    def program(x):
        return generator.state.value(), generator.normal([2]) + x, generator.state.value()

    graph = merged(program, X, generators=[generator])
    assert names(graph).count("READ") == 1


def test_one_guard_of_a_value_is_enough():
    def program(x):
        good = tf.reduce_all(x < 5.0)
        if good:
            x = x * 2.0
        if good:
            x = x + 1.0
        return x

    graph = merged(program, X)
    assert names(graph).count("GUARD") == 1


@pytest.mark.parametrize("name", ["recomputed_input"])
def test_what_is_computed_again_on_purpose_stays(name):
    graph = merged(lambda x: tf.exp(TABLE[name](x)) + tf.exp(TABLE[name](x)) + tf.exp(x), X)
    assert operations(graph).count("exp") == 3


def test_guards_see_different_kinds_and_values():
    graph = merged(lambda n, x: x * float(bool(n)) * float(int(n)), np.array(1), X)
    assert names(graph).count("GUARD") == 2
