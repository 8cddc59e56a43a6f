"""tf.test: what its assertions take and refuse, as TensorFlow's do, and numeric derivatives."""

import unittest

import numpy as np
import pytest

import fastgrad as tf

X = tf.constant([1.0, 2.0])


@pytest.mark.parametrize(
    ("assertion", "passing", "failing"),
    [
        ("assertAllClose", ([1.0, 2.000001], X), ([1.0, 2.1], X)),
        ("assertAllClose", ({"a": [1.0]}, {"a": tf.constant([1.0])}), ([1.0], 1.0)),
        ("assertAllClose", ([X, [1.0]], [X, [1.0]]), ([X, [1.0]], [X, [2.0]])),
        ("assertNotAllClose", ([1.0, 2.1], X), ([1.0, 2.0], X)),
        ("assertAllEqual", ([1.0, 2.0], X), ([1.0, 2.5], X)),
        ("assertAllEqual", ([b"a"], tf.constant(["a"])), ([1.0, 2.0, 3.0], X)),
        ("assertAllEqual", ("a", tf.constant("a")), ("b", tf.constant("a"))),
        ("assertAllEqual", ([float("nan")], tf.constant([float("nan")])), ([1.0], tf.constant([float("nan")]))),
        ("assertNotAllEqual", ([1.0, 2.5], X), ([1.0, 2.0], X)),
        ("assertAllGreater", (X, 0), (X, 1)),
        ("assertAllGreaterEqual", (X, 1), (X, 1.5)),
        ("assertAllLess", (X, 3), (X, 2)),
        ("assertAllLessEqual", (X, 2), (X, 1)),
        ("assertAllInSet", (X, [1, 2]), (X, [1, 3])),
        ("assertNear", (1.0, 1.1, 0.2), (1.0, 1.1, 0.02)),
        ("assertArrayNear", ([1.0], [1.1], 0.2), ([1.0], [1.1, 1.2], 0.2)),
        ("assertShapeEqual", (np.zeros(2), X), (np.zeros(3), X)),
        ("assertDTypeEqual", (X, np.float32), (X, np.float64)),
        ("assertLen", ([1, 2], 2), ([1, 2], 3)),
        ("assertEmpty", ([],), ([0],)),
    ],
)
def test_assertions_pass_and_fail_where_tensorflows_do(assertion, passing, failing):
    check = getattr(tf.test.TestCase(), assertion)
    check(*passing)
    with pytest.raises(AssertionError):
        check(*failing)


def test_a_test_case_runs_and_its_folder_goes():
    folders = []

    class Case(tf.test.TestCase):
        def test_folder(self):
            folders.append(self.get_temp_dir())
            assert self.get_temp_dir() == folders[0]
            assert [type(part) for part in self.evaluate([X, 3])] == [np.ndarray, int]

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Case).run(result)
    assert (result.testsRun, result.errors, result.failures) == (1, [], [])
    assert not tf.io.gfile.exists(folders[0])


def test_compute_gradient_gives_both_jacobians():
    y = tf.constant([[3.0, 4.0]])
    analytic, numeric = tf.test.compute_gradient(lambda a, b: tf.reduce_sum(a * b, 0) + a[0], [X, y])
    expected = [[[4.0, 0.0], [1.0, 4.0]], [[1.0, 0.0], [0.0, 2.0]]]
    for jacobians in (analytic, numeric):
        assert [j.dtype for j in jacobians] == [np.float32, np.float32]
        for jacobian, correct in zip(jacobians, expected, strict=True):
            np.testing.assert_allclose(jacobian, correct, rtol=1e-3)


def test_compute_gradient_finds_a_wrong_gradient():
    @tf.custom_gradient
    def square(a):
        return a * a, lambda g: 3.0 * a * g

    (analytic,), (numeric,) = tf.test.compute_gradient(square, [tf.constant(2.0)])
    np.testing.assert_allclose([analytic[0, 0], numeric[0, 0]], [6.0, 4.0], rtol=1e-3)
    with pytest.raises(ValueError, match="compute_gradient: `x` must be a list"):
        tf.test.compute_gradient(square, X)


def test_devices_are_those_of_the_configuration():
    there = bool(tf.config.list_physical_devices("GPU"))
    assert tf.test.is_gpu_available() == tf.test.is_built_with_cuda() == tf.test.is_built_with_gpu_support() == there
    assert tf.test.gpu_device_name() == ("/device:GPU:0" if there else "")


def test_objects_are_compared_as_they_are():
    def f():
        pass

    case = tf.test.TestCase()
    case.assertAllEqual((f, f), (f, f))
    with pytest.raises(AssertionError):
        case.assertAllEqual((f, f), (f, len))


def test_each_test_starts_with_the_same_random_numbers():
    def first_numbers():
        case = tf.test.TestCase()
        case.setUp()
        return [float(tf.random.normal([])), float(tf.random.normal([], seed=3)), np.random.rand()]

    assert first_numbers() == first_numbers()


def test_errors_of_shapes_that_do_not_fit():
    case = tf.test.TestCase()
    with case.assertRaisesIncompatibleShapesError():
        tf.add(tf.ones([2]), tf.ones([3]))
    with pytest.raises(AssertionError), case.assertRaisesIncompatibleShapesError():
        tf.add(tf.ones([2]), tf.ones([2]))
