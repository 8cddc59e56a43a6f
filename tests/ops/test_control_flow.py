"""Branches and loops on values, run as Python does."""

import numpy as np
import pytest

import fastgrad as tf

FALSE, TRUE = tf.constant(False), tf.constant(True)


# ---- cond ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pred", [True, TRUE, 1, tf.constant(1), np.array([True]), tf.Variable(True)])
def test_cond_calls_the_function_chosen_and_no_other(pred):
    called = []
    assert tf.cond(pred, lambda: called.append(1) or 5, lambda: called.append(2)) == 5
    assert called == [1]


def test_cond_returns_what_the_function_returns():
    assert tf.cond(FALSE, lambda: 1, lambda: [2.0, None]) == [2.0, None]
    np.testing.assert_array_equal(tf.cond(TRUE, lambda: {"a": tf.constant([1, 2])}, lambda: 0)["a"], [1, 2])


def test_cond_checks_its_arguments():
    with pytest.raises(TypeError, match="'true_fn' must be callable"):
        tf.cond(TRUE, 1, lambda: 2)
    with pytest.raises(TypeError, match="'false_fn' argument required"):
        tf.cond(TRUE, lambda: 1)
    with pytest.raises(TypeError, match="'true_fn' argument required"):
        tf.cond(TRUE)
    with pytest.raises(ValueError, match="reduce_any"):
        tf.cond(tf.constant([True, False]), lambda: 1, lambda: 2)
    with pytest.raises(ValueError, match="None"):
        tf.cond(None, lambda: 1, lambda: 2)


# ---- case and switch_case ----------------------------------------------------------------------------------


def test_case_gives_the_element_of_a_list_of_one_in_eager_code():
    one, two = (lambda: [1]), (lambda: (2,))
    assert tf.case([(TRUE, one)], default=two) == 1
    assert tf.case([(FALSE, one)], default=two) == 2
    assert tf.case([(FALSE, one), (TRUE, two)]) == 2
    assert tf.case([(FALSE, one), (TRUE, lambda: [[3]])]) == [3]
    assert tf.case([(TRUE, lambda: [1, 2])], default=two) == [1, 2]
    assert tf.case([(TRUE, one)]) == [1]  # there is nothing to choose
    assert tf.case([(TRUE, one)], default=two, strict=True) == [1]
    assert tf.cond(TRUE, one, two) == [1]
    recorded = tf.function(lambda p: tf.case([(p, lambda: [tf.constant(1)])], default=lambda: [tf.constant(2)]))
    assert [x.numpy() for x in recorded(TRUE)] == [1]


def test_case_checks_its_arguments():
    for pairs, error, text in [
        ([], ValueError, "at least one"),
        (5, TypeError, "list, tuple, or dict"),
        ([TRUE], TypeError, "2-tuple"),
        ([(TRUE, 1)], TypeError, "callable"),
        ([(True, lambda: 1)], TypeError, "pred must be a Tensor"),
        ([(tf.constant(1), lambda: 1)], TypeError, "bool"),
        ({TRUE.ref(): lambda: 1}, ValueError, "unordered dict"),
    ]:
        with pytest.raises(error, match=text):
            tf.case(pairs, default=lambda: 4)
    with pytest.raises(TypeError, match="callable"):
        tf.case([(TRUE, lambda: 1)], default=3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="None of conditions"):
        tf.case([(FALSE, lambda: 1), (FALSE, lambda: 2)])
    with pytest.raises(tf.errors.InvalidArgumentError, match="more than 1"):
        tf.case([(TRUE, lambda: 1), (TRUE, lambda: 2)], exclusive=True)


@pytest.mark.parametrize(("index", "with_default", "without"), [(0, 10, 10), (1, 11, 11), (5, 12, 11), (-1, 12, 11)])
def test_switch_case(index, with_default, without):
    functions = [lambda: 10, lambda: 11]
    for form in (functions, dict(enumerate(functions)), [(1, functions[1]), (0, functions[0])]):
        assert tf.switch_case(tf.constant(index), form, default=lambda: 12) == with_default
        assert tf.switch_case(tf.constant(index, tf.int64), form) == without


def test_switch_case_checks_its_arguments():
    for index, functions, error, text in [
        (1, [lambda: 1], TypeError, "must be a Tensor"),
        (tf.constant(1.0), [lambda: 1], TypeError, "integer"),
        (tf.constant([0]), [lambda: 1], tf.errors.InvalidArgumentError, "scalar"),
        (tf.constant(0), [], ValueError, "at least one"),
        (tf.constant(0), 3, TypeError, "list, tuple, or dict"),
        (tf.constant(0), [1], TypeError, "2-tuple"),
        (tf.constant(0), {"a": lambda: 1}, TypeError, "Python `int`"),
        (tf.constant(0), {0: 1}, TypeError, "callable"),
        (tf.constant(0), {0: lambda: 1, 5: lambda: 2}, ValueError, r"\[0 to 2\).*keys=\[0, 5\]"),
    ]:
        with pytest.raises(error, match=text):
            tf.switch_case(index, functions)
    with pytest.raises(TypeError, match="default"):
        tf.switch_case(tf.constant(0), [lambda: 1], default=3)


# ---- while_loop ----------------------------------------------------------------------------------------------


def test_while_loop_of_structures_and_python_numbers():
    i, p = tf.while_loop(lambda i, p: i < 3, lambda i, p: (i + 1, {"a": p["a"] + 1}), [0, {"a": 1.0}])
    assert (i.dtype, int(i), p["a"].dtype, float(p["a"])) == (tf.int32, 3, tf.float32, 4.0)
    assert type(tf.while_loop(lambda i: i < 3, lambda i: [i + 1], [0])) is list
    (v,) = tf.while_loop(lambda i: i < 3, lambda i: i + 1, (tf.Variable(0),))
    assert int(v) == 3


def test_shapes_may_grow():
    _, x = tf.while_loop(
        lambda i, x: i < 3,
        lambda i, x: (i + 1, tf.concat([x, x], 0)),
        (0, tf.ones([1])),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None])),
    )
    assert x.shape == [8]


@pytest.mark.parametrize("most", [4, tf.constant(4), tf.constant(4, tf.int64)])
def test_maximum_iterations(most):
    assert int(tf.while_loop(lambda i: True, lambda i: (i + 1,), (tf.constant(0),), maximum_iterations=most)[0]) == 4
    assert int(tf.while_loop(lambda i: i < 2, lambda i: (i + 1,), (tf.constant(0),), maximum_iterations=most)[0]) == 2
    for none in (0, -2):
        assert int(tf.while_loop(lambda i: True, lambda i: (i + 1,), [0], maximum_iterations=none)[0]) == 0


def test_arrays_of_tensors_are_loop_variables():
    def body(i, array):
        return i + 1, array.write(i, tf.cast(i, tf.float32))

    i, array = tf.while_loop(lambda i, _: i < 3, body, (tf.constant(0), tf.TensorArray(tf.float32, 3)))
    assert int(i) == 3
    np.testing.assert_array_equal(array.stack(), [0, 1, 2])


def test_while_loop_checks_its_arguments():
    for arguments, error, text in [
        ((1, lambda i: i, [0]), TypeError, "`cond` must be callable"),
        ((lambda i: False, 1, [0]), TypeError, "`body` must be callable"),
        ((lambda: False, lambda: 1, []), ValueError, "'loop_vars' must be provided"),
        ((lambda i: False, lambda i: i, tf.constant(0)), ValueError, "'loop_vars' must be provided"),
        ((lambda i, j: i < 2, lambda i, j: (i + 1,), [0, 1]), ValueError, "structure"),
        ((lambda i: i < 2, lambda i: (None,), [0]), TypeError, "NoneType"),
        ((lambda i: i < 2, lambda i: i, [tf.zeros([2])]), ValueError, "reduce_any"),
    ]:
        with pytest.raises(error, match=text):
            tf.while_loop(*arguments)
    with pytest.raises(TypeError, match="parallel_iterations"):
        tf.while_loop(lambda i: i < 2, lambda i: i, [0], parallel_iterations=0)
    with pytest.raises(ValueError, match="scalar"):
        tf.while_loop(lambda i: i < 2, lambda i: i, [0], maximum_iterations=[2])


def test_variables_are_read_and_assigned_in_each_trip():
    v = tf.Variable(1.0)

    def body(i):
        v.assign(v * 2.0)
        return i + 1

    with tf.GradientTape() as tape:
        tf.while_loop(lambda i: i < 3, body, [0])
        y = v * v
    assert float(v) == 8.0
    assert float(tape.gradient(y, v)) == 16.0


def test_a_fraction_is_true_in_a_compiled_cond():
    chosen = tf.function(lambda x: tf.cond(x, lambda: tf.constant(1.0), lambda: tf.constant(2.0)))
    assert [float(chosen(tf.constant(x))) for x in (0.5, 0.0, -0.25, 2.0)] == [1.0, 2.0, 1.0, 1.0]


def test_a_list_that_grows_in_its_place_in_a_compiled_while_loop():
    def body(i, rows):
        rows.append(i)
        return i + 1, rows

    grown = tf.function(lambda n: tf.while_loop(lambda i, rows: i < n, body, (tf.constant(0), []))[0])
    assert [int(grown(tf.constant(n))) for n in (3, 2)] == [3, 2]


def test_branches_of_a_compiled_cond_give_strings():
    @tf.function
    def chosen(p, q):
        word = tf.cond(p, lambda: tf.constant("a"), lambda: tf.constant("b"))
        return word, tf.cond(q, lambda: tf.constant(["x", "y"]), lambda: tf.constant(["z", "w"])), word + "!"

    for p, q in ((True, False), (False, True), (True, True), (False, False)):
        word, pair, loud = chosen(tf.constant(p), tf.constant(q))
        assert word.numpy() == (b"a" if p else b"b")
        assert pair.numpy().tolist() == ([b"x", b"y"] if q else [b"z", b"w"])
        assert loud.numpy() == word.numpy() + b"!"


@pytest.mark.parametrize("count", [1, 3])
def test_a_loop_variable_keeps_its_dtype_in_a_function(count):
    def loop(x):
        return tf.while_loop(lambda i, a: i < count, lambda i, a: (i + 1, tf.cast(a, tf.int32)), [0, x])[1]

    assert loop(tf.constant(2.0)).dtype is tf.int32  # eagerly, as in TensorFlow
    for _ in range(2):
        with pytest.raises(TypeError, match="loop variable 1 has dtype float32 before an iteration and int32 after"):
            tf.function(loop)(tf.constant(2.0))


def test_while_loop_outside_a_function_passes_values_as_they_are():
    seen = []

    def body(i, total):
        seen.append(type(i))
        return i + 1, total + i

    i, total = tf.while_loop(lambda i, _: i < 3, body, (0, np.array(0)), parallel_iterations=tf.constant(2))
    assert set(seen) == {int}
    assert (i.dtype, total.dtype) == (tf.int32, tf.int64)
    assert (int(i), int(total)) == (3, 3)
