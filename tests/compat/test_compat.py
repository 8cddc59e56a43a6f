"""`tf.compat`: strings, sizes, and names of TensorFlow 1."""

import inspect
import logging
import pathlib

import pytest

import fastgrad as tf
from fastgrad._src.compat.v1 import aliases
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
    assert v1.math.log is v1.log is tf.math.log
    assert v1.train.AdamOptimizer is tf.train.AdamOptimizer
    assert v1.io.gfile.exists is tf.io.gfile.exists
    assert tf.compat.v2 is tf
    assert {"matmul", "set_random_seed", "logging", "reduce_sum", "losses"} <= set(dir(v1))
    assert {"conv2d", "relu"} <= set(dir(v1.nn))


def test_each_name_is_there():
    for space in ("", *aliases._NAMESPACES_AS_IN_TF, *aliases._NAMESPACES_OF_TF_1):
        for name in aliases.names(space):
            assert aliases.find(f"{space}.{name}" if space else name) is not aliases.MISSING, (space, name)


def test_the_tables_know_the_arguments():
    for name, (target, names_in_tf) in aliases._ARGUMENTS.items():
        if target == "gradients":  # which takes anything, and raises
            continue
        known = set(inspect.signature(aliases._resolve_path(target)).parameters)
        assert set(names_in_tf.values()) <= {*known, None}, name


def test_names_that_mean_something_else_are_refused():
    for space, name in (
        (v1, "Session"),
        (v1.nn, "ctc_loss"),
        (v1.image, "resize"),
        (v1.gfile, "nope"),
        (v1.nn, "gelu"),
    ):
        with pytest.raises(AttributeError, match=name):
            getattr(space, name)
        assert name not in dir(space)


def test_arguments_of_both_versions():
    x = tf.constant([[1.0, 2.0]])
    assert v1.reduce_sum(x, reduction_indices=None, axis=1, keep_dims=True).shape == (1, 1)
    for wrong, kind in (
        (lambda: v1.reduce_sum(x, axis=1, reduction_indices=1), ValueError),
        (lambda: v1.reduce_sum(x, 1, axis=1), TypeError),
        (lambda: v1.reduce_sum(x, keep=1), TypeError),
        (lambda: v1.expand_dims(x, 0, None, 0, 0), TypeError),
    ):
        with pytest.raises(kind, match=r"(reduce_sum|expand_dims)\(\)"):
            wrong()


def test_words_are_printed(capsys):
    x = v1.Print(tf.constant(3.0), [tf.constant([1, 2])], "values: ")
    assert float(x) == 3.0
    assert capsys.readouterr().err == "values: [1 2]\n"


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


def test_version_of_tensorflow_1_names_is_that_of_the_library():
    assert tf.compat.v1.__version__ == tf.__version__
