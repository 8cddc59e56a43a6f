"""tf.print: its text is TensorFlow 2.21's (recorded from it), wherever it is written to."""

import sys
from typing import NamedTuple

import numpy as np
import pytest

import fastgrad as tf


class Point(NamedTuple):
    x: object
    y: object


def printed(tmp_path, *values, **options):
    """What tf.print appends to a file."""
    path = tmp_path / "printed.txt"
    tf.print(*values, output_stream=f"file://{path}", **options)
    return path.read_bytes().decode()


@pytest.mark.parametrize(
    ("number", "float32", "float64"),
    [
        (1.5, "1.5", "1.5"),
        (1.0, "1", "1"),
        (0.1, "0.1", "0.1"),
        (1 / 3, "0.333333343", "0.33333333333333331"),
        (123456.789, "123456.789", "123456.789"),
        (999999.9, "999999.875", "999999.9"),
        (1e6, "1e+06", "1000000"),
        (1e7, "1e+07", "10000000"),
        (1e20, "1e+20", "1e+20"),
        (1e-5, "1e-05", "1e-05"),
        (-0.0, "-0", "-0"),
        (float("inf"), "inf", "inf"),
        (float("-inf"), "-inf", "-inf"),
        (float("nan"), "nan", "nan"),
    ],
)
def test_floats_have_the_digits_they_need(tmp_path, number, float32, float64):
    assert printed(tmp_path, tf.constant(number), tf.constant(number, tf.float64)) == f"{float32} {float64}\n"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([tf.constant(0.1, tf.float16), tf.constant(0.1, tf.bfloat16)], "0.0999755859 0.100097656"),
        ([tf.constant(3), tf.constant(250, tf.uint8), tf.constant(True), tf.constant(False)], "3 250 1 0"),
        ([tf.constant([1.0, 2.5]), tf.constant([[1, 2], [3, 4]])], "[1 2.5] [[1 2]\n [3 4]]"),
        ([tf.zeros([0]), tf.zeros([0, 3])], "[] []"),
        ([tf.constant("hi"), tf.constant(["a", "b c"]), "plain"], '"hi" ["a" "b c"] plain'),
        ([tf.Variable([1.0, 2.0]), tf.Variable(3)], "[1 2] 3"),
        ([None, True, 3, 2.0, [], {}, (1,)], "None True 3 2.0 [] {} (1,)"),
        ([[tf.constant(1), tf.constant([2.0, 3.0])]], "[1, [2 3]]"),
        ([{"b": tf.constant(1), "a": (tf.constant(2), "x")}], "{'a': (2, 'x'), 'b': 1}"),
        ([Point(tf.constant(1), 2)], "Point(x=1, y=2)"),
        ([np.array([1, 2]), tf.float32, tf.constant([1.0]).shape], "array([1, 2]) tf.float32 TensorShape([1])"),
        ([tf.constant('a "b"')], 'a "b"'),
        ([tf.Variable("a")], "a"),
        ([], ""),
    ],
)
def test_values(tmp_path, values, text):
    assert printed(tmp_path, *values) == text + "\n"


def test_long_dimensions_show_their_ends(tmp_path):
    assert printed(tmp_path, tf.range(7)) == "[0 1 2 ... 4 5 6]\n"
    assert printed(tmp_path, tf.range(6), summarize=1).endswith("[0 ... 5]\n")
    assert printed(tmp_path, tf.range(9), summarize=-1).endswith("[0 1 2 3 4 5 6 7 8]\n")


def test_matrices_of_a_cube_stand_apart(tmp_path):
    cube = tf.reshape(tf.range(24), [3, 2, 4])
    assert printed(tmp_path, cube, summarize=1) == (
        "[[[0 ... 3]\n  [4 ... 7]]\n\n ...\n\n [[16 ... 19]\n  [20 ... 23]]]\n"
    )


def test_separator_and_end(tmp_path):
    assert printed(tmp_path, 1, tf.constant(2), sep=", ", end="!") == "1, 2!"


def test_it_goes_to_standard_error_unless_told(capsys):
    tf.print(tf.constant([1, 2]))
    tf.print("out", output_stream=sys.stdout)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("out\n", "[1 2]\n")


def test_files_are_appended_to(tmp_path):
    printed(tmp_path, "one")
    assert printed(tmp_path, "two") == "one\ntwo\n"


def test_unknown_arguments_are_refused():
    with pytest.raises(ValueError, match="Unrecognized keyword"):
        tf.print(1, colour="red")
    with pytest.raises(ValueError, match="output_stream"):
        tf.print(1, output_stream=3)
