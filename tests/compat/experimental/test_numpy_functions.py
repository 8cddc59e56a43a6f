"""Functions of ``tf.experimental.numpy``: values, dtypes, shapes and exceptions are TensorFlow's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastgrad as tf
from tests.compat.experimental.numpy_calls import ALL_CALLS, ANSWERS, answer
from tests.conformance.comparison import differences

EXPECTED = json.loads(ANSWERS.read_text(encoding="utf-8"))


def test_each_call_has_an_answer() -> None:
    assert list(EXPECTED) == list(dict.fromkeys(ALL_CALLS))


@pytest.mark.parametrize("call", EXPECTED)
def test_answers_are_those_of_tensorflow(call: str) -> None:
    expected, got = EXPECTED[call], answer(tf, call)
    assert differences(expected, got) == []


def test_the_tutorial_prints_what_tensorflow_prints() -> None:
    script = Path(__file__).with_name("numpy_tutorial.py")
    run = subprocess.run([sys.executable, script, "fastgrad"], capture_output=True, text=True, check=True)
    assert run.stdout == script.with_suffix(".txt").read_text(encoding="utf-8")


def test_functions_that_tensorflow_has_not_right() -> None:
    """TensorFlow 2.21 raises an error of Python or returns no tensor."""
    tnp, x = tf.experimental.numpy, np.array([1.0, -np.inf, np.inf, np.nan])
    for name in ("isinf", "isneginf"):
        np.testing.assert_array_equal(getattr(tnp, name)(x), getattr(np, name)(x))


def test_a_function_that_is_missing_names_the_namespaces_with_others() -> None:
    with pytest.raises(AttributeError, match=r"Nearest: tf, tf\.math, tf\.linalg; tf\.keras\.ops"):
        tf.experimental.numpy.var


def test_a_wrong_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="dtype_conversion_mode"):
        tf.experimental.numpy.experimental_enable_numpy_behavior(dtype_conversion_mode="all")
    assert not hasattr(tf.constant(1), "astype")


def test_it_is_imported_when_it_is_asked_for() -> None:
    code = "import fastgrad, sys; print([name for name in sys.modules if name.startswith('fastgrad.experimental')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_it_does_not_import_keras() -> None:
    code = "import fastgrad as tf, sys; tf.experimental.numpy.sum([1]); print([name for name in sys.modules if '_src.keras' in name])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_matrix_times_a_vector_is_that_of_numpy() -> None:
    code = """
import fastgrad as tf
tf.experimental.numpy.experimental_enable_numpy_behavior()
matrix, vector = tf.constant([[1, 2], [3, 4]]), tf.constant([1.0, 2.0], tf.float64)
print((matrix @ vector).tolist(), ([1.0, 2.0] @ matrix).tolist(), (tf.Variable(matrix) @ matrix).tolist())
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[5.0, 11.0] [7.0, 10.0] [[7, 10], [15, 22]]\n"


def test_integers_beside_arrays_only_remove_their_axes() -> None:
    # The shapes are TensorFlow's. In NumPy an integer counts as an array, so the second is [2, 3]: the slice is between two.
    code = """
import fastgrad as tf
tf.experimental.numpy.experimental_enable_numpy_behavior()
x = tf.reshape(tf.range(120), (2, 3, 4, 5))
for key in [
    (0, slice(None), [1, 2], [0, 1]), (0, 1, slice(None), [1, 2, 3]), (tf.constant(1), slice(None), 2, [[1, 2]]), ([0, 1], slice(None), 2, 3),
    ([0, 1], 2, slice(None), [1, 2]), (slice(None), [0, 1], 2, [1, 2]), (slice(None), 0, Ellipsis, [1, 2, 4]), (None, 0, slice(None), [1, 2]),
]:
    y = x[key]
    print(y.shape.as_list(), y.numpy().ravel()[[1, -2]].tolist())
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == [
        "[3, 2] [11, 45]",
        "[4, 3] [22, 37]",
        "[3, 1, 2] [72, 111]",
        "[2, 3] [33, 93]",
        "[2, 4] [46, 112]",
        "[2, 2] [32, 71]",
        "[2, 4, 3] [2, 77]",
        "[1, 3, 2, 5] [6, 53]",
    ]
