from __future__ import annotations

import operator

import numpy as np
import pytest

import fastgrad as tf

ARITHMETIC = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "truediv": operator.truediv,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "pow": operator.pow,
}
COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]
LEFT = [5.0, 2.0, 3.5]
RIGHT = [2.0, 4.0, 3.5]


def forms(values):
    """Everything that may stand beside a tensor."""
    return [tf.constant(values), tf.Variable(values), np.array(values), list(values), np.array(values, np.float32)]


@pytest.mark.parametrize("apply", [*ARITHMETIC.values(), *COMPARISONS])
def test_every_operator_with_everything_on_either_side(apply):
    expected = apply(np.float32(LEFT), np.float32(RIGHT))
    for ours in (tf.constant, tf.Variable):
        for other in forms(RIGHT):
            z = apply(ours(LEFT), other)
            assert isinstance(z, tf.Tensor)
            np.testing.assert_allclose(z.numpy(), expected, rtol=1e-6)
        for other in forms(LEFT):
            z = apply(other, ours(RIGHT))
            assert isinstance(z, tf.Tensor)
            np.testing.assert_allclose(z.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("apply", ARITHMETIC.values())
def test_numbers_on_either_side_take_the_tensors_dtype(apply):
    for dtype in (tf.float16, tf.float32, tf.float64):
        x = tf.constant([4.0], dtype)
        for number in (2, 2.0, np.float64(2.0), np.float32(2.0), np.int64(2)):
            assert apply(x, number).dtype is dtype
            assert apply(number, x).dtype is dtype
            assert apply(number, x).numpy().tolist() == [apply(2.0, 4.0)]


def test_unary_operators():
    x = tf.constant([-1.5, 2.0])
    assert (-x).numpy().tolist() == [1.5, -2]
    assert abs(x).numpy().tolist() == [1.5, 2]
    assert (~tf.constant([True, False])).numpy().tolist() == [False, True]
    assert (~tf.constant([5])).numpy().tolist() == [-6]
    assert (-tf.Variable([1.0])).numpy().tolist() == [-1]


def test_logical_operators_on_booleans_and_integers():
    a, b = tf.constant([True, True, False]), [True, False, False]
    assert (a & b).numpy().tolist() == [True, False, False]
    assert (b | a).numpy().tolist() == [True, True, False]
    assert (a ^ True).numpy().tolist() == [False, False, True]
    i = tf.constant([6, 3])
    assert (i & 3).numpy().tolist() == [2, 3]
    assert (8 | i).numpy().tolist() == [14, 11]
    assert (np.array([1, 1]) ^ i).numpy().tolist() == [7, 2]
    for wrong in (tf.constant([1.0]), tf.constant([1j])):
        with pytest.raises(tf.errors.InvalidArgumentError, match="bitwise_and: got dtype"):
            wrong & wrong
        with pytest.raises(tf.errors.InvalidArgumentError, match="invert: got dtype"):
            ~wrong


def test_matrix_product_of_tensors_variables_and_arrays():
    a, b = np.float32([[1, 2], [3, 4]]), np.float32([[0, 1], [1, 0]])
    for left, right in ((tf.constant(a), tf.constant(b)), (tf.Variable(a), b), (a, tf.constant(b))):
        np.testing.assert_array_equal((left @ right).numpy(), a @ b)


def test_equality_refuses_other_dtypes():
    x = tf.constant([1.0])
    with pytest.raises(tf.errors.InvalidArgumentError, match="float64"):
        x == tf.constant([1.0], tf.float64)
    with pytest.raises(TypeError, match="equal"):
        x == "a"
    with pytest.raises(TypeError, match="equal"):
        tf.constant([1]) == 1.5


@pytest.mark.parametrize("apply", [operator.lshift, operator.rshift, divmod])
def test_operators_that_tensorflow_does_not_have_are_refused(apply):
    with pytest.raises(TypeError, match="unsupported operand"):
        apply(tf.constant([1]), 1)


def test_unary_plus_is_refused():
    with pytest.raises(TypeError, match="bad operand type"):
        +tf.constant([1.0])


def test_none_beside_a_tensor_is_a_value_error():
    for apply in (operator.add, operator.mul, operator.lt):
        with pytest.raises(ValueError, match="None"):
            apply(tf.constant([1.0]), None)


def test_objects_of_others_get_their_turn():
    class Answer:
        def __radd__(self, other):
            return "answered"

    assert tf.constant([1.0]) + Answer() == "answered"


def test_equality_of_different_dtypes_is_refused_whatever_the_shapes():
    for shape in [(2, 3), (4,)]:
        with pytest.raises(tf.errors.InvalidArgumentError):
            tf.ones((2, 3)) == tf.ones(shape, tf.int32)
