"""Linear operators, beyond the conformance program ``linear_operators``."""

import subprocess
import sys

import numpy as np
import pytest

import fastgrad as tf
from tests.conformance.programs import linear_operators as program

OPERATORS = program._operators(tf)
NUMBERS = np.random.default_rng(5)


def test_operators_are_imported_when_they_are_asked_for():
    code = (
        "import sys, fastgrad as tf; tf.linalg.solve, 'LinearOperator' in dir(tf.linalg); "
        "assert 'fastgrad._src.compat.linear_operators' not in sys.modules; tf.linalg.LinearOperator; "
        "assert 'fastgrad._src.compat.linear_operators' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", OPERATORS)
def test_all_methods_agree_with_the_dense_matrices(name):
    operator = OPERATORS[name]
    dense = tf.broadcast_to(operator.to_dense(), operator.shape).numpy()
    rows, columns = dense.shape[-2:]
    x = NUMBERS.normal(size=(2, columns, 2)).astype(operator.dtype.numpy)
    y = NUMBERS.normal(size=(rows, 2)).astype(operator.dtype.numpy)
    adjoint = np.swapaxes(dense, -1, -2).conj()
    np.testing.assert_allclose(operator.matmul(x), dense @ x, atol=1e-12)
    np.testing.assert_allclose(operator.matmul(y, adjoint=True), adjoint @ y, atol=1e-12)
    np.testing.assert_allclose(operator.matvec(y[:, 0], adjoint=True), adjoint @ y[:, 0], atol=1e-12)
    np.testing.assert_allclose(operator.H.to_dense(), adjoint, atol=1e-12)
    np.testing.assert_allclose(operator.diag_part(), np.diagonal(dense, 0, -2, -1), atol=1e-12)
    np.testing.assert_allclose(operator.trace(), np.trace(dense, 0, -2, -1), atol=1e-12)
    np.testing.assert_allclose(operator.add_to_tensor(dense), 2 * dense, atol=1e-12)
    if rows == columns and operator.is_non_singular is not False and name != "kronecker wide":
        np.testing.assert_allclose(operator.solve(y), np.linalg.solve(dense, y + 0 * dense[..., :2]), atol=1e-9)
        np.testing.assert_allclose(operator.inverse().to_dense(), np.linalg.inv(dense), atol=1e-9)
        np.testing.assert_allclose(operator.determinant(), np.linalg.det(dense), rtol=1e-9)
        np.testing.assert_allclose(operator.cond(), np.linalg.cond(dense), rtol=1e-9)


@pytest.mark.parametrize("name", ["update", "update batch"])
def test_an_update_that_is_not_self_adjoint_is_refused(name):
    with pytest.raises(tf.errors.InvalidArgumentError, match="not equal to its adjoint"):
        OPERATORS[name].assert_self_adjoint()


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_are_arguments_and_results_of_functions(name):
    twice = tf.function(lambda operator: (operator, operator.matmul(tf.ones([operator.shape[-1], 1], operator.dtype))))
    for operator in (OPERATORS[name], program._operators(tf)[name]):
        returned, product = twice(operator)
        assert type(returned) is type(operator)
        assert returned._hints() == operator._hints()
        np.testing.assert_allclose(returned.to_dense(), operator.to_dense())
        np.testing.assert_allclose(product, operator.matmul(tf.ones([operator.shape[-1], 1], operator.dtype)))
    assert twice.cache_info().recordings == 1


def test_a_spec_includes_operators_of_other_sizes():
    small, large = tf.linalg.LinearOperatorDiag([1.0]), tf.linalg.LinearOperatorDiag([1.0, 2.0])
    common = small._spec().most_specific_common_supertype([large._spec()])
    assert common.is_compatible_with(small)
    assert common.is_compatible_with(large)
    assert not small._spec().is_compatible_with(large)
    assert small._spec() == tf.linalg.LinearOperatorDiag([3.0])._spec()
    assert small._spec().most_specific_common_supertype([OPERATORS["full"]._spec()]) is None


def test_variables_are_saved_in_checkpoints(tmp_path):
    saved, restored = tf.Variable([1.0, 2.0]), tf.Variable([0.0, 0.0])
    path = tf.train.Checkpoint(operator=tf.linalg.LinearOperatorDiag(saved)).write(str(tmp_path / "c"))
    operator = tf.linalg.LinearOperatorDiag(restored)
    tf.train.Checkpoint(operator=operator).read(path).assert_consumed()
    assert operator.trace() == 3.0


def test_gradients_are_of_the_tensors():
    operator = tf.linalg.LinearOperatorDiag([1.0, 2.0])
    with tf.GradientTape() as tape, pytest.raises(ValueError, match="name its tensors"):
        tape.watch(operator)


def test_a_changed_operator_of_the_users_own_is_recorded_again():
    class Scaling(tf.linalg.LinearOperator):
        def __init__(self, factor):
            self.factor = factor
            super().__init__(tf.float32, is_square=True, parameters={"factor": factor})

        def _shape(self):
            return tf.TensorShape([2, 2])

        def _matmul(self, x, adjoint=False, adjoint_arg=False):
            return self.factor * x

    operator, x = Scaling(2.0), tf.ones([2, 1])
    captured, passed = tf.function(lambda x: operator @ x), tf.function(lambda o, x: o.matmul(x))
    for factor in (2.0, 2.0, 3.0, 3.0):
        operator.factor = factor
        assert captured(x).numpy().ravel().tolist() == [factor, factor]
        assert passed(operator, x).numpy().ravel().tolist() == [factor, factor]


def test_a_subclass_with_other_arguments_is_an_argument():
    class Doubling(tf.linalg.LinearOperatorDiag):
        def __init__(self, size):
            super().__init__(2.0 * tf.ones([size]))

    assert tf.function(lambda o: o)(Doubling(3)).trace() == 6.0
    assert tf.function(lambda o: o.trace())(Doubling(2)) == 4.0
