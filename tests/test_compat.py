"""`tf.compat`: strings, sizes, and names of TensorFlow 1."""

import logging
import pathlib

import pytest

import fastgrad as tf
from fastgrad.compat import v1


@pytest.mark.parametrize(
    ("function", "value", "wanted"),
    [
        ("as_bytes", "é", b"\xc3\xa9"),
        ("as_bytes", bytearray(b"a"), b"a"),
        ("as_text", b"\xc3\xa9", "é"),
        ("as_str", "a", "a"),
        ("as_str_any", 3.5, "3.5"),
        ("as_str_any", b"a", "a"),
        ("path_to_str", pathlib.PurePosixPath("a/b"), "a/b"),
        ("path_to_str", "a", "a"),
        ("dimension_value", None, None),
    ],
)
def test_values_in_any_form(function, value, wanted):
    assert getattr(tf.compat, function)(value) == wanted


def test_what_is_no_text_is_refused():
    for function in (tf.compat.as_bytes, tf.compat.as_text):
        with pytest.raises(TypeError, match="Expected binary or unicode string, got 3"):
            function(3)


def test_sizes_of_a_shape():
    assert tf.compat.dimension_at_index(tf.TensorShape([2, None]), 0) == 2
    assert tf.compat.dimension_at_index(tf.TensorShape(None), 0) is None


def test_names_that_mean_the_same_are_tensorflow_2s():
    assert v1.matmul is tf.matmul
    assert tf.compat.v2 is tf
    assert {"matmul", "set_random_seed", "logging"} <= set(dir(v1))
    for name in set(dir(v1)) & set(dir(tf)):
        if not name.startswith("_"):
            assert getattr(v1, name) is getattr(tf, name), name


def test_names_that_mean_something_else_are_refused():
    for name in ("Session", "placeholder", "nn", "reduce_sum", "argmax"):
        with pytest.raises(AttributeError, match=name):
            getattr(v1, name)


def test_behaviour_is_tensorflow_2s():
    assert v1.enable_eager_execution() is None
    assert v1.enable_v2_behavior() is None
    assert v1.executing_eagerly()
    with pytest.raises(RuntimeError, match="no graphs and sessions"):
        v1.disable_eager_execution()


def test_a_seed_repeats_draws():
    drawn = []
    for _ in range(2):
        v1.set_random_seed(4)
        drawn.append(tf.random.normal((3,)).numpy().tolist())
    assert drawn[0] == drawn[1]


def test_messages_have_levels(caplog):
    before = v1.logging.get_verbosity()
    v1.logging.set_verbosity(v1.logging.INFO)
    with caplog.at_level(logging.INFO, "fastgrad"):
        tf.get_logger().addHandler(caplog.handler)
        v1.logging.info("seen %d", 1)
        v1.logging.debug("not seen")
        v1.logging.warn("seen, too")
        tf.get_logger().removeHandler(caplog.handler)
    v1.logging.set_verbosity(before)
    assert {"seen 1", "seen, too"} <= set(caplog.messages)
    assert "not seen" not in caplog.messages
