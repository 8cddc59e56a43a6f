"""Branches inside a recorded program are operations: replayed on other values they go another way."""

import numpy as np
import pytest

import fastgrad as tf
from fastgrad._src.compiler.control_flow.graph_operation import StatefulCall
from fastgrad._src.compiler.programs.program import Program
from fastgrad._src.compiler.recording.record import TraceError
from tests.compiler.control_flow.replays import (
    DOWN,
    UP,
    A,
    W,
    X,
    check_replays,
    kinds,
    recorded,
    two_ways,
    with_gradients,
)
from tests.gradients import check_gradient


def test_a_branch_goes_both_ways():
    check_replays(two_ways, (UP, A, W), (DOWN, 2 * A, W), expect=(1, 0, 0))
    check_replays(two_ways, (DOWN, A, W), (UP, 2 * A, W), expect=(1, 0, 0))


def test_gradients_of_branches():
    check_replays(with_gradients(two_ways), (UP, A, W), (DOWN, 2 * A, W), (UP, 2 * A, W))


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("sign", [UP, DOWN])
def test_gradients_of_branches_from_outside(order, sign):
    call = StatefulCall(recorded(two_ways, UP, A, W), 3)
    check_gradient(lambda x, w: call(tf.constant(sign), x, w), A, W, order=order)


def test_cases():
    def program(i, x):
        one = tf.case([(i < 0, lambda: x), (i < 2, lambda: x * x)], default=lambda: tf.sin(x))
        return one, tf.switch_case(i, [lambda: x + 1.0, lambda: x + 2.0], default=lambda: x + 3.0)

    check_replays(with_gradients(program), *[(np.int32(i), A) for i in (0, -1, 1, 2, 7)])
    assert kinds(recorded(program, np.int32(0), A)) == (2, 0, 0)


def test_a_predicate_that_is_always_the_same_is_no_branch():
    graph = recorded(
        lambda x: tf.cond(True, lambda: x, lambda: -x) + tf.cond(tf.constant(False), lambda: x, lambda: -x), A
    )
    assert kinds(graph) == (0, 0, 0)


def test_structures_of_branches():
    def program(p, x):
        found = tf.cond(p > 0.0, lambda: {"a": (x, 1), "b": None}, lambda: {"a": (-x, 2), "b": None})
        assert found["b"] is None
        return found["a"]

    check_replays(program, (UP, A), (DOWN, A), expect=(1, 0, 0))


ONE, TWO = (lambda: tf.constant(1.0)), (lambda: tf.constant(2))


@pytest.mark.parametrize(
    ("branches", "error", "texts"),
    [
        ((ONE, TWO), TypeError, "int32 and float32"),
        ((lambda: 1.0, lambda: 2), TypeError, "int32 and float32"),
        ((lambda: (ONE(),), ONE), TypeError, r"float32 and \('float32',\)"),
        ((lambda: [ONE()], lambda: (ONE(),)), TypeError, r"\('float32',\) and \['float32'\]"),
        ((lambda: {"a": ONE()}, lambda: {"b": ONE()}), TypeError, "{'b': 'float32'} and {'a': 'float32'}"),
        ((lambda: (ONE(), ONE()), lambda: (ONE(),)), TypeError, "'float32', 'float32'"),
        ((lambda: None, ONE), ValueError, "float32 and None"),
        ((lambda: tf.IndexedSlices(tf.ones([1]), [0]), ONE), TypeError, "float32 and IndexedSlices of float32"),
        ((lambda: tf.ragged.constant([[1.0]]), ONE), TypeError, "float32 and RaggedTensor of float32"),
    ],
)
@pytest.mark.parametrize("value", [True, False])
def test_branches_that_differ_are_refused_in_functions_as_tensorflow_does(branches, error, texts, value):
    v = tf.Variable(0.0)

    @tf.function
    def program(p):
        v.assign_add(1.0)
        return tf.cond(p, *branches)

    for _ in range(2):
        with pytest.raises(error, match=f"false_fn and true_fn must return the same structure and dtypes.*{texts}"):
            program(tf.constant(value))
    assert float(v) == 0.0, "a call that fails changes nothing"
    tf.cond(tf.constant(value), *branches)  # eagerly, one of them runs


def rows(x, *numbers):
    """IndexedSlices with rows of a matrix; slices of it are never checked, so a program can have them."""
    return tf.IndexedSlices(tf.stack([x[n] for n in numbers]), tf.constant(numbers), tf.constant(x.shape))


COMPOSITES = {
    "slices": (lambda x: rows(x, 1, 2), lambda x: rows(2 * x, 0, 3), 1),
    "slices of other lengths": (lambda x: rows(x, 1, 2), lambda x: rows(2 * x, 0), 0),
    "sparse": (
        lambda x: tf.SparseTensor([[0, 1]], x[0, :1], [4, 3]),
        lambda x: tf.SparseTensor([[2, 0]], -x[1, :1], [4, 3]),
        1,
    ),
    "sparse of other lengths": (
        tf.sparse.from_dense,
        lambda x: tf.SparseTensor([[2, 0]], x[1, :1], [4, 3]),
        0,
    ),
    "ragged": (
        lambda x: tf.RaggedTensor.from_row_lengths(x[0], [1, 2]),
        lambda x: tf.RaggedTensor.from_row_lengths(x[1], [3, 0]),
        1,
    ),
    "in a dict": (lambda x: {"a": rows(x, 1), "b": None}, lambda x: {"a": rows(-x, 2), "b": None}, 1),
}


@pytest.mark.parametrize("name", COMPOSITES)
def test_composites_leave_branches_as_they_are(name):
    first, second, branch_count = COMPOSITES[name]
    program = tf.function(lambda p, x: tf.cond(p, lambda: first(x), lambda: second(x)))
    x = tf.constant(np.arange(1.0, 13.0).reshape(4, 3))
    for value in (True, False, True, False):
        result, wanted = program(tf.constant(value), x), (first if value else second)(x)
        tf.nest.assert_same_structure(result, wanted)
        for leaf, wanted_leaf in zip(tf.nest.flatten(result), tf.nest.flatten(wanted), strict=True):
            assert type(leaf) is type(wanted_leaf)
        parts, wanted_parts = (tf.nest.flatten(one, expand_composites=True) for one in (result, wanted))
        for part, wanted_part in zip(parts, wanted_parts, strict=True):
            if part is not None:
                np.testing.assert_array_equal(part, wanted_part)

    def parts_of_result(p, x):
        leaves = tf.nest.flatten(tf.cond(p, lambda: first(x), lambda: second(x)), expand_composites=True)
        return [leaf for leaf in leaves if leaf is not None]

    assert kinds(recorded(parts_of_result, np.array(True), x.numpy()))[0] == branch_count


def test_gradients_pass_composites_of_branches():
    def gradient(p, x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.cond(p, lambda: rows(x * x, 1, 2), lambda: rows(3.0 * x, 0, 3))
            loss = tf.reduce_sum(tf.convert_to_tensor(y))
        return tape.gradient(loss, x)

    x = tf.constant(np.arange(1.0, 13.0).reshape(4, 3))
    for value in (True, False):
        np.testing.assert_array_equal(tf.function(gradient)(tf.constant(value), x), gradient(tf.constant(value), x))


def test_case_and_switch_case_refuse_branches_that_differ():
    with pytest.raises(TypeError, match="true_fn must return the same structure"):
        tf.function(lambda p: tf.case([(p, ONE)], default=TWO))(tf.constant(True))
    with pytest.raises(TypeError, match=r"branches\[0\] and branches\[2\] must return the same structure"):
        tf.function(lambda i: tf.switch_case(i, [ONE, ONE, TWO]))(tf.constant(1))


def test_branches_of_other_shapes_are_ways_of_one_function():
    program = tf.function(lambda p: tf.cond(p, lambda: tf.zeros([2]), lambda: tf.ones([3])))
    for _ in range(3):
        assert program(tf.constant(True)).shape == (2,)
        assert program(tf.constant(False)).shape == (3,)


def test_state_of_branches():
    v, n = tf.Variable(A), tf.Variable(0)

    def program(p, x):
        def up():
            v.assign_add(x)
            n.assign_add(1)
            return v * x

        def down():
            return v * v

        y = tf.cond(p > 0.0, up, down)
        return y, v * 1.0

    check_replays(program, (UP, A), (DOWN, 2 * A), (UP, 3 * A), expect=(1, 0, 0), state=(v, n))
    check_replays(program, (DOWN, A), (UP, 3 * A), expect=(1, 0, 0), state=(v, n))


def test_gradients_reach_variables_through_branches():
    v = tf.Variable(A)

    def program(p):
        def up():
            y = v * v
            v.assign(y * 3.0)
            return y + tf.sin(v)

        with tf.GradientTape() as tape:
            y = tf.cond(p > 0.0, up, lambda: v * 4.0)
        return y, tape.gradient(y, v)

    check_replays(program, (UP,), (DOWN,), expect=(1, 0, 0), state=(v,))


def test_a_branch_not_taken_leaves_no_trace():
    v = tf.Variable(1.0)
    generator = tf.random.Generator.from_seed(1)
    before = generator.state.numpy()

    def program(p):
        def down():
            v.assign(100.0)
            return generator.normal([])

        return tf.cond(p > 0.0, lambda: v * 2.0, down)

    recorded(program, UP)
    assert float(v) == 1.0
    np.testing.assert_array_equal(generator.state, before)


def test_draws_of_branches():
    generator = tf.random.Generator.from_seed(1)

    def program(p, x):
        y = tf.cond(p > 0.0, lambda: x * generator.normal([2], dtype=tf.float64), lambda: x)
        return y + generator.normal([2], dtype=tf.float64)

    check_replays(program, (UP, A), (DOWN, A), (UP, A), expect=(1, 0, 0), state=(generator.state,))


def test_what_cannot_be_a_branch_is_a_guard():
    calls = []

    def other_shapes(p, x):
        return tf.cond(p > 0.0, lambda: x, lambda: tf.concat([x, x], 0))

    def fails(p, x):
        return tf.cond(p > 0.0, lambda: x, lambda: tf.matmul(x, x))

    def looks(p, x):
        return tf.cond(p > 0.0, lambda: x * 2.0 if tf.reduce_sum(x) > 0.0 else x, lambda: x)

    def makes(p, x):
        def layer():
            if not calls:
                calls.append(tf.Variable(2.0, dtype=tf.float64))
            return x * calls[0]

        return tf.cond(p > 0.0, layer, lambda: x)

    for program in (other_shapes, fails, makes):
        assert kinds(recorded(program, UP, A)) == (0, 0, 1), program.__name__
    assert kinds(recorded(makes, UP, A)) == (1, 0, 0)
    assert kinds(recorded(looks, UP, A)) == (1, 0, 1)


def test_errors_of_the_branch_taken_are_raised():
    with pytest.raises(tf.errors.InvalidArgumentError, match="matmul"):
        recorded(lambda p, x: tf.cond(p > 0.0, lambda: tf.matmul(x, tf.zeros([5, 5], x.dtype)), lambda: x), UP, X)


def test_a_check_in_a_branch_raises_and_nothing_is_changed():
    v = tf.Variable(1.0, dtype=tf.float64)

    def program(p, x):
        v.assign_add(1.0)
        tf.cond(p > 0.0, lambda: tf.debugging.check_numerics(tf.math.log(x), "here"), lambda: x)
        return v * x

    program = Program(recorded(program, UP, A))
    v.assign(5.0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="here"):
        program([UP, -A])
    assert float(v) == 5.0
    program([DOWN, -A])
    assert float(v) == 6.0


def test_a_tensor_that_only_a_tape_knows():
    x = tf.constant(A)

    def program(p):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.cond(p > 0.0, lambda: x * x, lambda: x * 3.0)
        return tape.gradient(y, x)

    check_replays(program, (UP,), (DOWN,), expect=(1, 0, 0))


def test_values_of_a_branch_do_not_leave_it():
    kept = []

    def program(p, x):
        y = tf.cond(p > 0.0, lambda: kept.append(x * 2.0) or kept[0], lambda: x)
        return y + kept[0]

    with pytest.raises(TraceError):
        recorded(program, UP, A)


@pytest.mark.parametrize("wrap", [lambda function: function, tf.function])
@pytest.mark.parametrize(
    ("function", "gradient"),
    [
        # Both results of the branches that are no floats depend on x, are the state of a loop, or are constants.
        (
            lambda x: tf.scan(
                lambda c, _: tf.cond(c[1], lambda: (c[0] * x, True), lambda: (c[0], False)), tf.range(4), (1.0, True)
            )[0][-1],
            108.0,
        ),
        (
            lambda x: tf.scan(
                lambda c, _: tf.cond(c[1] > 0, lambda: (c[0] * x, tf.cast(c[0] * x, tf.int32)), lambda: (c[0], c[1])),
                tf.range(4),
                (1.0, 1),
            )[0][-1],
            108.0,
        ),
        (
            lambda x: tf.while_loop(
                lambda i, y, b: b,
                lambda i, y, b: (i + 1, *tf.cond(i < 3, lambda: (y * x, y * x < 200.0), lambda: (y * 2.0, False))),
                (0, 1.0, True),
            )[1],
            54.0,
        ),
        (
            lambda x: tf.cond(
                x > 2, lambda: tf.cond(x > 1, lambda: (x * x, x > 0), lambda: (x, True)), lambda: (x, False)
            )[0],
            6.0,
        ),
    ],
)
def test_what_is_no_float_has_no_cotangent(function, gradient, wrap):
    x = tf.Variable(3.0)

    @wrap
    def step():
        with tf.GradientTape() as tape:
            y = function(x)
        return tape.gradient(y, x)

    assert float(step()) == float(step()) == gradient
